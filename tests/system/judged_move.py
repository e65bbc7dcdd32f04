"""What the tests of a whole migration share: waiting for its run to begin, and the judgement behind it. To be imported behind
in_namespace.enter()."""

import time

import oracle


def wait_for_first_step(work):
    """Until the run has its leases and does something."""
    deadline = time.monotonic() + 120
    events = work / ".plan" / "events.jsonl"
    while time.monotonic() < deadline and not (events.exists() and "step" in events.read_text()):
        time.sleep(0.1)


def check_exit(report, migration, name, code):
    """`apply` behind which the last stage waits for its approval ends with 2; what it said is in apply.log."""
    report.check(name, code == 2, f"exit code {code}\n" + (migration.folder / "apply.log").read_text()[-4000:])


def judge(report, migration):
    """The end of the traffic, and what the oracle finds then; returns the oracle's facts."""
    time.sleep(1)  # mail that is on its way to a queue now
    migration.stop_traffic()
    report.check("both queues run dry", migration.settle())
    (rows, wrong), facts = migration.judge()
    print(oracle.table(rows, facts["holds"]))
    report.check("nothing lost, nothing twice", not wrong, "\n".join(wrong[:40]))
    report.check("mail arrived meanwhile", migration.ledger.counts["accepted"] > 100, migration.ledger.counts)
    return facts
