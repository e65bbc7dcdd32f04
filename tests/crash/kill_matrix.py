#!/usr/bin/env python3
"""For tests/long: the reference migration with real servers once for every kill point (plan killed at a pass that the seed draws),
and once for every server that is killed while plan stands at it. Four accounts move under traffic, one goes back and moves again.

  tests/crash/kill_matrix.py [--seed 1] [--points NAME,NAME] [--victims plan,proxy,target,dovecot]
"""

import argparse
import os
import random
import subprocess
import time

import kill_world
from kill_world import in_namespace

APPLY = ("apply", "migration.yaml", "--yes")
BACK = ("rollback", "--account", "dave@legacy.test", "--yes")


class OneMigration:
    """A migration that is hit once, at one point."""

    def __init__(self, report, point, victim, rng):
        self.point, self.victim, self.rng = point, victim, rng
        self.migration = kill_world.Migration(report)
        self.is_hit = False

    def command(self, arguments, code):
        """Runs the command until it ends well; the first that comes by the point is hit there."""
        if self.is_hit:
            return self.migration.until(arguments, code, note="nothing-to-roll-back")
        number = self.rng.randint(1, 6)
        if self.victim == "plan":
            ended = self.migration.run(*arguments, kill_point=f"{self.point}:{number}")
            self.is_hit = self.point in self.migration.kills
        else:
            ended, self.is_hit = self.migration.run_past(f"{self.point}:{number}", self.victim, *arguments)
        return ended == code or self.migration.until(arguments, code, note="nothing-to-roll-back")

    def play(self, report):
        name = f"{self.point}, {self.victim} killed"
        migration = self.migration
        try:
            migration.start()
            migration.start_traffic()
            migration.plan("fetch", show=False)
            is_right = self.command(APPLY, 2)
            migration.users_at_work(["dave"])
            is_right = self.command(BACK, 0) and is_right
            migration.users_at_work(["dave"])
            is_right = self.command(APPLY, 2) and is_right
            report.check(f"{name}: every command ends well", is_right, migration.last_output[-2000:])
            time.sleep(1)
            migration.stop_traffic()
            migration.judged(name)
        finally:
            migration.end()
        if not self.is_hit:
            print(f"skipped {name}: no command came by the point at that pass")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", default=",".join(kill_world.kill_points()))
    parser.add_argument("--victims", default="plan,proxy,target,dovecot")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # POINT,VICTIM: in namespaces of its own
    options = parser.parse_args()
    report = in_namespace.Report()
    if options.one:
        point, victim = options.one.split(",")
        rng = random.Random(f"{options.seed} {options.one}")
        OneMigration(report, point, victim, rng).play(report)
        report.exit()
    for victim in options.victims.split(","):
        for point in options.points.split(","):
            # Each in a world of its own, which ends with it.
            environment = {k: v for k, v in os.environ.items() if k != "PLAN_IN_NAMESPACE"}
            done = subprocess.run([__file__, "--seed", str(options.seed), "--one", f"{point},{victim}"], env=environment)
            report.has_failed = report.has_failed or done.returncode != 0
    report.exit()


if __name__ == "__main__":
    main()
