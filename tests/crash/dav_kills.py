#!/usr/bin/env python3
"""Calendars and contacts of a real Radicale with plan killed (-9) at every kill point of theirs: one account moves, goes back with
what was done at the target, and moves again. Every event and card is there once at the end of each way.

The reference migration of kill_test.py has no calendars; tests/long runs this beside it.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

import in_namespace  # noqa: E402

in_namespace.enter(("dovecot", "postfix", "radicale"))

import dav_world  # noqa: E402
import quickstart  # noqa: E402

APPLY = ("apply", "migration.yaml", "--yes")
BACK = ("rollback", "--account", dav_world.BOB, "--yes")
TRIES = 12


def points():
    text = (in_namespace.ROOT / "runtime" / "engine" / "kill_points.def").read_text()
    return set(re.findall(r'^PLAN_KILL_POINT_ENTRY\("([^"]*\.dav-[^"]+)"', text, re.M))


class Runs:
    """Commands of plan in one work folder, and where they were killed."""

    def __init__(self, report, work):
        self.report = report
        self.work = work
        self.kills = set()
        self.output = ""

    def run(self, arguments, kill_point=None):
        environment = {**os.environ, **({"PLAN_KILL_POINT": kill_point + ":1"} if kill_point else {})}
        done = subprocess.run([quickstart.PLAN, *arguments], cwd=self.work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900)
        self.output = done.stdout
        return done.returncode

    def killed_at(self, arguments, names):
        """The command once for each point, in the order in which it comes by them."""
        for name in names:
            code = self.run(arguments, name)
            if code == -signal.SIGKILL:
                self.kills.add(name)
            self.report.check(f"plan {arguments[0]} is killed at {name}", code == -signal.SIGKILL, f"exit code {code}\n{self.output[-3000:]}")

    def until(self, arguments, code, note=None):
        """As an operator does it: again, until it ends with that exit code."""
        for _ in range(TRIES):
            if self.run(arguments) == code or (note and note in self.output):
                return True
        return False


def at_source(radicale):
    """The title of every event and card in the server's storage, by its folder."""
    return sorted(re.search(r"(?m)^(?:SUMMARY|FN):(.*?)\r?$", text)[1].replace("\\", "") for text in radicale.texts().values())


def at_target(target):
    return sorted([e["title"] for e in target.call("CalendarEvent/get", ids=None)["list"]] + target.cards())


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-dav-kill-")
    migration = quickstart.Migration(folder)
    try:
        migration.start()
        radicale = dav_world.Radicale(migration)
        radicale.fill()
        radicale.ask("MKCALENDAR", "old/")
        radicale.put("old/junk.ics", dav_world.event("junk", "Junk"))
        dav_world.name_radicale(migration, radicale)
        migration.plan("fetch", show=False)
        runs = Runs(report, migration.work)

        runs.killed_at(APPLY, ["push.dav-read", "push.dav-folder-begun", "push.dav-folder-answered", "push.dav-written"])
        # Its owner goes on meanwhile: what was written at the target and not noted is gone at the source.
        radicale.ask("DELETE", "work/plan.ics")
        radicale.ask("DELETE", "old/")
        runs.killed_at(APPLY, ["push.dav-destroyed", "push.dav-folder-destroyed"])
        report.check("the accounts move", runs.until(APPLY, 2), runs.output[-3000:])
        target = dav_world.Target(migration)
        target.find()
        moved = ["Ann", "Lunch", "Talk"]
        report.check("every event and card is at the target once", at_target(target) == moved, at_target(target))

        events = target.events()
        trips = target.call("Calendar/set", create={"f": {"name": "Trips"}})["created"]["f"]["id"]
        target.call("CalendarEvent/set", update={events["talk"]["id"]: {"title": "Talk later", "calendarIds": {trips: True}}},
                    destroy=[events["lunch"]["id"]])
        runs.killed_at(BACK, ["carry.dav-read", "carry.dav-folder-made", "carry.dav-written", "carry.dav-place-left",
                              "carry.dav-noted", "carry.dav-deleted"])
        report.check("the account goes back", runs.until(BACK, 0, "nothing-to-roll-back"), runs.output[-3000:])
        back = ["Ann", "Talk later"]
        report.check("every event and card is at the source once", at_source(radicale) == back, radicale.texts())

        radicale.put("home/new.ics", dav_world.event("new", "New"))
        report.check("it moves again", runs.until(APPLY, 2), runs.output[-3000:])
        again = ["Ann", "New", "Talk later"]
        report.check("and nothing is there twice", at_target(target) == again, at_target(target))
        report.check("plan was killed at every kill point of calendars", runs.kills == points(), sorted(points() - runs.kills))
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
