#!/usr/bin/env python3
"""docs/traps.md against the tests: every test that it names is there, and every number of the reference texts has a row."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# How many traps each reference text numbers; split-delivery.md by the sections that have one.
NUMBERED = {"archive": [str(n) for n in range(1, 18)], "both": [str(n) for n in range(1, 11)],
            "proxy": [str(n) for n in range(1, 18)],
            "fault": [str(n) for n in range(1, 13)],
            "split": ["2", "3", "4", *(f"9.{n}" for n in range(1, 10))]}


def rows(text):
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0].partition(" ")[0] in NUMBERED:
            found[cells[0]] = (cells[1], cells[2])
    return found


def known_tests():
    known = set()
    for path in (ROOT / "tests").rglob("*_test.cpp"):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", path.read_text(encoding="utf-8"), re.M):
            known.add(f"{suite}.{name}")
    return known


def problems(page, known):
    wrong = []
    found = rows(page)
    for kind, numbers in NUMBERED.items():
        wrong += [f"trap {kind} {number} has no row" for number in numbers if f"{kind} {number}" not in found]
    for trap, (what, tests) in found.items():
        named = re.findall(r"`([^`]+)`", tests)
        if not what:
            wrong.append(f"trap {trap} does not say what the peer does")
        if not named and tests not in ("-", "missing"):
            wrong.append(f"trap {trap} names no test")
        wrong += [f"trap {trap}: there is no test {name}" for name in named if name not in known]
    return wrong


def main():
    page = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    known = known_tests()
    failed = False

    def check(name, seen):
        nonlocal failed
        failed = failed or bool(seen)
        print(f"{'FAILED' if seen else 'ok'} {name}")
        for line in seen:
            print(f"  saw: {line}")

    check("every trap has a row, and every test that is named there exists", problems(page, known))
    blind = []
    if not problems(page.replace("| proxy 7 |", "| proxy 77 |"), known):
        blind.append("a row that is gone")
    if not problems(page, known - {"Proof.FindsAnOpenRelay"}):
        blind.append("a test that is gone")
    check("and the comparison sees what is missing", blind)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
