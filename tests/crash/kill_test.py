#!/usr/bin/env python3
"""`plan apply` killed with -9 at ten places of the move, resumed each time; the oracle judges the end.

The places are passes of the engine's kill points (PLAN_KILL_POINT=name:n, runtime/engine/kill_points.def): each run of
apply dies at one of them, the next goes on, as an operator's second try would.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import in_namespace  # noqa: E402

in_namespace.enter()

import oracle  # noqa: E402
import quickstart  # noqa: E402

# (kill point, pass counted from the start of that run)
PLACES = [("journal.after-intent", 8), ("driver.after-apply", 9), ("journal.after-outcome", 3), ("journal.after-intent", 5),
          ("driver.after-apply", 6), ("driver.after-verify", 8), ("journal.after-intent", 14), ("journal.after-outcome", 21),
          ("driver.after-apply", 26), ("journal.after-intent", 33)]
# The same in the last stage, after its approval: the address has moved and nobody knows, a restore is half done.
LAST_PLACES = [("driver.after-apply", 2), ("journal.after-intent", 2), ("driver.after-apply", 3), ("journal.after-outcome", 4)]


def killed_at(migration, report, places, ends):
    """Runs apply once for each place; how often it was killed there."""
    killed = 0
    for name, number in places:
        environment = {**os.environ, "PLAN_KILL_POINT": f"{name}:{number}"}
        done = subprocess.run([quickstart.PLAN, "apply", "migration.yaml", "--yes"], cwd=migration.work, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == -9:
            killed += 1
        elif done.returncode != ends:
            report.check(f"apply goes on until {name}:{number}", False, f"exit code {done.returncode}\n{done.stdout[-3000:]}")
    return killed


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-crash-")
    migration = quickstart.Migration(folder, interval=0.12)
    try:
        migration.start()
        migration.start_traffic()
        migration.plan("fetch", show=False)
        killed = killed_at(migration, report, PLACES, ends=2)
        report.check(f"plan was killed at {len(PLACES)} places", killed == len(PLACES), f"{killed} times")
        code = migration.apply("migration.yaml", "--yes")
        report.check("the next apply moves everybody and waits before the last stage", code == 2, f"exit code {code}")
        time.sleep(1)
        migration.stop_traffic()
        report.check("both queues run dry", migration.settle())
        (rows, wrong), facts = migration.judge()
        print(oracle.table(rows, facts["holds"]))
        report.check("nothing lost, nothing twice", not wrong, "\n".join(wrong[:40]))
        migration.plan("approve", "finalize", show=False)
        killed = killed_at(migration, report, LAST_PLACES, ends=0)
        report.check(f"plan was killed at {len(LAST_PLACES)} places of the last stage", killed == len(LAST_PLACES), f"{killed} times")
        code = migration.apply("migration.yaml", "--yes")
        report.check("the last apply goes on to the end", code == 0, f"exit code {code}")
        wrong = migration.mail_to_the_public_port(migration.accounts[:2])
        report.check("mail to the public port 25 arrives at the target itself", not wrong, "\n".join(wrong))
    finally:
        migration.stop()
        if report.has_failed and os.environ.get("PLAN_KEEP"):
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.exit()


if __name__ == "__main__":
    main()
