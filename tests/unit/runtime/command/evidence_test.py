#!/usr/bin/env python3
"""docs/evidence.md has the form in which tests/evidence writes it, names every kill point of the list and no other, and is what
`plan version --evidence` shows."""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAN = os.environ.get("PLAN", str(ROOT / "build" / "release" / "plan"))
HEAD = [r"commit: [0-9a-f]{40}", r"date: 20\d\d-\d\d-\d\d", r"kill points: \d+", r"victims: 8", r"simulated runs: \d{4,}, of which wrong: 0",
        r"kills with real servers: \d+", r"random kills with real servers: \d+ in [\d.]+ minutes", r"lost: 0", r"twice: 0"]


def rows_under(page, title):
    """The rows of the first table under a heading, as lists of cells."""
    part = page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = []
    for line in part.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[0], rows[2:]


def main():
    page = (ROOT / "docs" / "evidence.md").read_text()
    names = re.findall(r'^PLAN_KILL_POINT_ENTRY\("([^"]+)"', (ROOT / "runtime/engine/kill_points.def").read_text(), re.M)
    listed = [name for name in names if not name.startswith("dump.")]
    check("it says that it is written by the run", "Written by `tests/evidence" in page, page[:300])
    lines = page.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("commit:")), 0)
    wrong = [line for pattern, line in zip(HEAD, lines[start:start + len(HEAD)]) if not re.fullmatch(pattern, line)]
    check("its head has commit, points, faults, runs and counts", not wrong and start > 0, wrong)
    others = re.search(r"^not counted here: (.*), which tests/crash/store_move_kill_test.py", page, re.M)
    check("it names the kill points that are not of its kind", bool(others) and
          others[1].split(", ") == [name for name in names if name not in listed], others and others[0])
    number = re.search(r"^kill points: (\d+)$", page, re.M)
    check("it counts the kill points of the list", bool(number) and int(number[1]) == len(listed), number and number[1])
    head, rows = rows_under(page, "The simulator")
    check("the simulator's points are the list's", [row[0] for row in rows] == listed, [row[0] for row in rows])
    check("each point was hit with each victim", len(head) == 9 and all(int(c) > 0 for row in rows for c in row[1:]),
          [row for row in rows if "0" in row[1:]])
    _, rows = rows_under(page, "Real servers")
    missed = [row[0] for row in rows if int(row[1]) == 0]
    # Those accounts have no calendars: dav_move_test has.
    of_mail = [name for name in listed if ".dav-" not in name]
    check("the points of real servers are the list's", [row[0] for row in rows] == of_mail, [row[0] for row in rows])
    check("each was killed at, but the one that needs a lost reply", missed in ([], ["journal.after-unknown"]), missed)
    shown = subprocess.run([PLAN, "version", "--evidence"], stdout=subprocess.PIPE, text=True).stdout
    check("plan version --evidence shows it", shown == page, shown[:200])
    data = json.loads(subprocess.run([PLAN, "version", "--evidence", "--format", "json"], stdout=subprocess.PIPE, text=True).stdout)
    check("and as JSON", data["evidence"] == page)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
