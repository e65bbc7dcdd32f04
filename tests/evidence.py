"""Runs what proves the promise of a move and writes docs/evidence.md from what it has seen; see tests/evidence."""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evidence.md"
COMMAND = "tests/evidence"


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def run(name, command, environment):
    """One of the programs; its counts are in its file. Nothing is written when it fails."""
    print(f"--- {name}", flush=True)
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **environment})
    if done.returncode != 0:
        raise SystemExit(f"{COMMAND}: {name} ended with {done.returncode}; docs/evidence.md stays as it is")


def kill_points(of_stores=False):
    """The list, in its order: what a move of accounts comes by, or what a move of a store does."""
    text = (ROOT / "runtime" / "engine" / "kill_points.def").read_text()
    return [name for name in re.findall(r'^PLAN_KILL_POINT_ENTRY\("([^"]+)"', text, re.M) if name.startswith("dump.") == of_stores]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def program_commit():
    """The last commit that changed the program; what changed only tests or words is the same program."""
    return git("log", "-1", "--format=%H", "--", "compiler", "runtime", "stdlib", "cmake", "CMakeLists.txt")


def servers_of(facts):
    return ", ".join(f"{name} {times} times" for name, times in sorted(facts["servers"].items())) or "nothing"


def page(facts, arguments):
    simulation, kills, random_kills = facts["simulation"], facts["kill_test"], facts["random_kills"]
    sabotages = sorted((f for name, f in facts.items() if name.startswith("sabotage-")), key=lambda f: f["test"])
    victims = sorted(next(iter(simulation["points"].values())))
    lines = [
        "# Evidence", "",
        f"Written by `{COMMAND}{arguments}`, never by hand. `plan version --evidence` shows it.", "",
        f"commit: {program_commit()}",
        f"date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
        f"kill points: {len(simulation['points'])}",
        f"victims: {len(victims)}",
        f"simulated runs: {simulation['runs']}, of which wrong: {simulation['failed']}",
        f"kills with real servers: {sum(kills['kills'].values()) + sum(kills['servers'].values())}",
        f"random kills with real servers: {random_kills['plan'] + sum(random_kills['servers'].values())} in "
        f"{random_kills['minutes']} minutes",
        "lost: 0",
        "twice: 0",
        f"not counted here: {', '.join(kill_points(of_stores=True))}, which tests/crash/store_move_kill_test.py kills at", "",
        "## The simulator", "",
        f"The engine's own code, virtual time, servers with books of their own. {simulation['runs']} runs from seed "
        f"{simulation['first_seed']} on: each moves three accounts, gives back one or all, moves them again and "
        f"finalizes, with somebody hit at one kill point. {simulation['victims_hit']} victims were hit, plan was started "
        f"{simulation['processes']} times, {simulation['calls']} calls went to the servers ({simulation['faults']} of them lost or "
        f"doubled), {simulation['messages']} messages were promised.", "",
        "`PLAN_SEED=n crash_simulation --gtest_filter='Simulation.every*victim'` plays one run again.", ""]
    lines += table(["kill point", *victims],
                   [[f"`{point}`", *(simulation["points"][point][v] for v in victims)] for point in kill_points()])
    lines += ["", "Sabotaged on purpose, to see that the books notice:", ""]
    lines += table(["what", "at seed", "what was seen"],
                   [[f["test"].replace("_", " "), f["seed"], re.sub(r"/\S*/", "", f["seen"])] for f in sabotages])
    lines += ["", "## Real servers", "",
              "A real Dovecot and Postfix, the embedded target and the proxy; four accounts under traffic move, one goes back and moves "
              f"again (`tests/crash/kill_test.py`, PLAN_SEED={kills['seed']}, {kills['seconds']} s). The quickstart's oracle judges. "
              f"Killed beside it: {servers_of(kills)}.", ""]
    lines += table(["kill point", "plan killed"],
                   [[f"`{point}`", kills["kills"].get(point, 0)] for point in kill_points() if ".dav-" not in point])
    lines += ["", "These accounts have no calendars: `unit_command --gtest_filter='DavMove.KilledAtEveryBorder*'` ends at each of the "
              "`dav-` points a move, a way back and a second move between a real Radicale and the embedded target."]
    lines += ["", "## Random kills", "",
              f"`tests/crash/random_kills.py --seed {random_kills['seed']}` for {random_kills['minutes']} minutes: "
              f"{random_kills['rounds']} rounds of moving everybody and giving some back; plan was killed {random_kills['plan']} times, "
              f"beside it {servers_of(random_kills)}; "
              f"{random_kills['messages']} messages arrived; nothing lost, nothing twice. {random_kills['redelivered']} of them were "
              "delivered a second time by the servers themselves, of which one was killed over its answer.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--minutes", type=float, default=60, help="of random kills with real servers (default 60)")
    parser.add_argument("--build", default="build/release", help="folder of the built programs")
    options = parser.parse_args()
    if git("status", "--porcelain"):
        raise SystemExit(f"{COMMAND}: there are uncommitted changes: the page names a commit")
    build = ROOT / options.build
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PLAN_EVIDENCE": folder, "PLAN": str(build / "plan")}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = [pool.submit(run, name, command, environment) for name, command in (
                ("simulator", [build / "crash_simulation", "--gtest_brief=1"]),
                ("kills with real servers", [sys.executable, "tests/crash/kill_test.py"]),
                ("random kills", [sys.executable, "tests/crash/random_kills.py", "--minutes", str(options.minutes)]))]
            for future in running:
                future.result()
        facts = {file.stem: json.loads(file.read_text()) for file in pathlib.Path(folder).glob("*.json")}
    minutes = "" if options.minutes == 60 else f" --minutes {options.minutes:g}"
    PAGE.write_text(page(facts, minutes))
    print(f"{COMMAND}: docs/evidence.md is written; build plan again to embed it")


if __name__ == "__main__":
    main()
