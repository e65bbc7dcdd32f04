#!/usr/bin/env python3
"""The reference migration with plan killed (-9) at every kill point on its way, and a server killed beside it:
four accounts move under traffic, one goes back and moves again, the last stage ends it. The oracle judges each stage.

Every point of runtime/engine/kill_points.def is killed at here once at least, in one migration; PLAN_SEED=n draws other passes.
kill_matrix.py (tests/long) has a migration for each.
"""

import os
import random
import sys
import time

import kill_world
from kill_world import in_namespace

APPLY = ("apply", "migration.yaml", "--yes")
BACK = ("rollback", "--account", "dave@legacy.test", "--yes")
# journal.after-unknown needs a lost reply at its moment, which no order of kills of plan alone gives: the simulator has it.
NOT_BY_PLAN_ALONE = {"journal.after-unknown"}


def places_of_the_move(rng):
    """Passes that every first apply comes by, in the order of the move; each kill leaves the next one its work."""
    return [("engine.leases-asked", 1), ("engine.leases-taken", 1), ("engine.after-run-begun", 1), ("journal.before-intent", rng.randint(2, 6)), ("journal.after-intent", rng.randint(3, 7)),
            ("driver.after-apply", rng.randint(3, 8)), ("journal.after-outcome", rng.randint(3, 8)), ("push.import-begun", 1),
            ("push.import-answered", 1), ("driver.after-verify", rng.randint(2, 6)), ("journal.after-intent", rng.randint(3, 9)),
            ("driver.after-apply", rng.randint(3, 9)), ("journal.after-outcome", rng.randint(4, 10)),
            ("journal.after-intent", rng.randint(4, 12)), ("driver.after-apply", rng.randint(4, 12)), ("journal.after-notes", 1)]


# In the order of the way back of one account.
PLACES_OF_THE_WAY_BACK = [
    ("carry.source-read", 1), ("carry.carried-linked", 1), ("carry.mailboxes-carried", 1), ("carry.append-begun", 1),
    ("carry.append-answered", 1), ("carry.append-noted", 1), ("engine.before-hold-of-rollback", 1), ("journal.after-undo-intent", 1),
    ("driver.after-undo", 1), ("journal.after-undone", 2), ("journal.after-undo-intent", 3), ("carry.flags-stored", 1),
    ("carry.expunged", 1), ("driver.after-undo", 1), ("journal.after-undone", 1)]
PLACES_OF_THE_SECOND_MOVE = [("push.update-answered", 1), ("push.destroy-begun", 1), ("push.destroy-answered", 1),
                             ("journal.after-intent", 4), ("driver.after-apply", 4), ("journal.after-outcome", 5)]
PLACES_FOR_SERVERS = ["journal.after-intent:2", "driver.after-apply:2", "journal.before-intent:3", "journal.after-outcome:2"]
LAST_PLACES = [("driver.after-apply", 2), ("journal.after-intent", 2), ("journal.after-outcome", 2)]


def main():
    began = time.monotonic()
    seed = int(os.environ.get("PLAN_SEED", "1"))
    rng = random.Random(seed)
    report = in_namespace.Report()
    migration = kill_world.Migration(report)
    try:
        migration.start()
        migration.start_traffic()
        migration.plan("fetch", show=False)
        migration.killed(APPLY, places_of_the_move(rng), accept=(2,))
        # A server dies while plan stands at a point; then everything goes on.
        for place in rng.sample(PLACES_FOR_SERVERS, 1):
            migration.run_past(place, rng.choice(["proxy", "target", "dovecot"]), *APPLY)
        migration.run(*APPLY, kill_point="engine.before-run-ended:1")
        report.check("the next apply has moved everybody and waits before the last stage", migration.until(APPLY, 2),
                     migration.last_output[-3000:])

        report.check("without its journal plan moves nobody again", *migration.journal_lost())

        migration.users_at_work(["dave", "alice"])
        migration.killed(BACK, PLACES_OF_THE_WAY_BACK, accept=(0,))
        report.check("the account goes back", migration.until(BACK, 0, note="nothing-to-roll-back"), migration.last_output[-3000:])
        migration.at_source = {"dave"}
        time.sleep(2)
        migration.stop_traffic()
        migration.judged("after the way back")

        migration.start_traffic()
        migration.users_at_work(["dave"])
        migration.killed(APPLY, PLACES_OF_THE_SECOND_MOVE, accept=(2,))
        report.check("the account moves again", migration.until(APPLY, 2), migration.last_output[-3000:])
        migration.at_source = set()
        time.sleep(1)
        migration.stop_traffic()
        migration.judged("after the second move")

        migration.plan("approve", "finalize", show=False)
        migration.killed(APPLY, LAST_PLACES, accept=(0,))
        report.check("the last apply goes on to the end", migration.until(APPLY, 0), migration.last_output[-3000:])
        wrong = migration.mail_to_the_public_port(migration.accounts[:2])
        report.check("mail to the public port 25 arrives at the target itself", not wrong, "\n".join(wrong))
        missed = set(kill_world.kill_points()) - set(migration.kills) - NOT_BY_PLAN_ALONE
        report.check("plan was killed at every kill point", not missed, sorted(missed))
        print(f"plan was killed {sum(migration.kills.values())} times at {len(migration.kills)} kill points, servers "
              f"{sum(migration.server_kills.values())} times, in {time.monotonic() - began:.0f} s (PLAN_SEED={seed})")
        kill_world.write_evidence("kill_test", {"seed": seed, "kills": migration.kills, "servers": migration.server_kills,
                                                "failed": report.has_failed, "seconds": round(time.monotonic() - began)})
    finally:
        print(f"PLAN_SEED={seed} PLAN={kill_world.PLAN} python3 tests/crash/kill_test.py repeats it", file=sys.stderr)
        migration.end()
    report.exit()


if __name__ == "__main__":
    main()
