#!/usr/bin/env python3
"""Plan, the proxy, the target and Dovecot killed (-9) at random every few seconds while four accounts under traffic move, go back and move
again, round after round, for as long as is asked for. The oracle judges the end of every round.

  tests/crash/random_kills.py [--minutes 60] [--seed 1]     (PLAN names the program)
"""

import argparse
import random
import signal
import subprocess
import sys
import time

import kill_world
from kill_world import in_namespace

APPLY = ("apply", "migration.yaml", "--yes")


def run_killed(migration, killer, rng, arguments, codes, deadline, counts):
    """The command again and again, each killed after some seconds, until one ends with a code that is waited for; near the
    deadline nobody kills any more."""
    tries = 0
    while True:
        tries += 1
        # What only waits (a minute without mail in any queue, twice) comes to its end when nobody is killed for a while.
        is_last = time.monotonic() > deadline or tries > 60
        is_quiet = is_last or tries % 12 == 0
        killer.is_resting = is_quiet
        if is_quiet:  # Postfix comes again after minutes to a target that was down; an operator does not wait for that
            subprocess.run(["postqueue", "-f"], check=False)
        said_before = (migration.folder / "plan.log").stat().st_size if tries > 1 else 0
        with open(migration.folder / "plan.log", "ab") as log:
            process = subprocess.Popen([kill_world.PLAN, *arguments], cwd=migration.work, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT)
            try:
                code = process.wait(None if is_last else 200 if is_quiet else rng.uniform(0.5, 6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                counts["plan"] = counts.get("plan", 0) + 1
                continue
        # The last kill may have come after the last undo.
        said = (migration.folder / "plan.log").read_bytes()[said_before:]
        if code in codes or b"nothing-to-roll-back" in said:
            return True
        if is_last and tries > 75:
            return False
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", default="proxy,target,dovecot", help="what is killed beside plan")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    report = in_namespace.Report()
    began = time.monotonic()
    deadline = began + options.minutes * 60
    migration = kill_world.Migration(report)
    counts, rounds, arrived = {}, 0, 0
    try:
        migration.start()
        migration.start_traffic()
        migration.plan("fetch", show=False)
        while rounds == 0 or time.monotonic() < deadline:
            killer = kill_world.ServerKiller(migration, rng, 5, 15, options.servers.split(","))
            killer.start()
            is_moved = run_killed(migration, killer, rng, APPLY, {2}, deadline, counts)
            names = rng.sample([a.name for a in migration.accounts], rng.randint(1, 3))
            is_back = True
            for name in names:
                back = ("rollback", "--account", f"{name}@legacy.test", "--yes")
                # 1: nothing is left to roll back, when the last kill came after the last undo.
                is_back = run_killed(migration, killer, rng, back, {0}, deadline, counts) and is_back
            failure = killer.end()
            rounds += 1
            report.check(f"round {rounds}: servers came back, everybody moved, {len(names)} went back",
                         failure is None and is_moved and is_back, f"{failure} {is_moved} {is_back}\n" + tail(migration))
            migration.at_source = set(names)
            time.sleep(2)
            migration.stop_traffic()
            is_right, rows = migration.judged(f"round {rounds}")
            arrived = sum(row["arrived"] for row in rows)
            if not is_right:
                break
            migration.start_traffic()
        print(f"{rounds} rounds, {counts.get('plan', 0)} kills of plan, {sum(migration.server_kills.values())} of servers, "
              f"{arrived} messages arrived, in {(time.monotonic() - began) / 60:.1f} min (--seed {options.seed})")
        kill_world.write_evidence("random_kills", {
            "minutes": round((time.monotonic() - began) / 60, 1), "seed": options.seed, "rounds": rounds, "messages": arrived,
            "redelivered": sum(len(row["redelivered"]) for row in rows),
            "plan": counts.get("plan", 0), "servers": migration.server_kills, "failed": report.has_failed})
    finally:
        migration.end()
    report.exit()


def tail(migration):
    return "\n".join((migration.folder / "plan.log").read_text(errors="replace").splitlines()[-30:])


if __name__ == "__main__":
    sys.exit(main())
