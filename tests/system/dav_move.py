#!/usr/bin/env python3
"""Calendars and contacts of a real Radicale move with the mail, by the whole program: the plan names the server, apply brings
them, verify reads both sides again, a rollback carries back what was changed at the target, and a second move doubles nothing.
"""

import json
import tempfile

import in_namespace

in_namespace.enter(("dovecot", "postfix", "radicale"))

import dav_world  # noqa: E402
import quickstart  # noqa: E402


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-dav-")
    migration = quickstart.Migration(folder)
    try:
        migration.start()
        radicale = dav_world.Radicale(migration)
        radicale.fill()
        dav_world.name_radicale(migration, radicale)
        migration.plan("fetch", show=False)
        code = migration.apply("migration.yaml", "--yes")
        states = migration.states()
        report.check("every account moves, and the last stage waits", code == 2 and set(states.values()) == {"moved"},
                     f"exit code {code}: {states}")
        target = dav_world.Target(migration)
        target.find()
        events = target.events()
        report.check("the events of both calendars and the card are at the target",
                     {u: e["title"] for u, e in events.items()} == {"talk": "Talk", "plan": "Plan", "lunch": "Lunch"} and
                     len({tuple(e["calendarIds"]) for e in events.values()}) == 2 and target.cards() == ["Ann"],
                     (events, target.cards()))
        verified = migration.plan("verify", "--format", "json", show=False, accept=range(256))
        of_bob = next(a for a in json.loads(verified.stdout)["accounts"] if a["account"] == dav_world.BOB)
        report.check("verify reads both sides again and calls the part checked",
                     of_bob["grade"] in ("perfect", "good") and not of_bob["not_checked"], of_bob)
        of_judy = next(a for a in json.loads(verified.stdout)["accounts"] if a["account"] != dav_world.BOB)
        report.check("and not that of an account that Radicale does not know",
                     of_judy["not_checked"] == ["calendars and contacts"], of_judy)

        talk = events["talk"]["id"]
        target.call("CalendarEvent/set", update={talk: {"title": "Talk, later"}}, destroy=[events["plan"]["id"]])
        looked = migration.plan("rollback", "--account", dav_world.BOB, show=False, accept=range(256))
        report.check("before anything is asked it says what would be carried back",
                     looked.returncode == 2 and "2 events and cards" in looked.stdout, looked.stdout + looked.stderr)
        back = migration.plan("rollback", "--account", dav_world.BOB, "--yes", show=False, accept=range(256))
        texts = radicale.texts()
        report.check("the account goes back with what was changed at the target",
                     back.returncode == 0 and "SUMMARY:Talk\\, later" in texts.get("work/talk.ics", "") and
                     sorted(texts) == ["friends/ann.vcf", "home/lunch.ics", "work/talk.ics"],
                     (back.stdout[-3000:], back.stderr[-3000:], texts))

        radicale.put("home/new.ics", dav_world.event("new", "New"))
        code = migration.apply("migration.yaml", "--yes")
        report.check("it moves again", code == 2 and set(migration.states().values()) == {"moved"},
                     f"exit code {code}: {migration.states()}")
        report.check("and nothing is there twice",
                     sorted(e["title"] for e in target.events().values()) == ["Lunch", "New", "Talk, later"] and
                     target.cards() == ["Ann"], (target.events(), target.cards()))
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
