#!/usr/bin/env python3
"""The way back under traffic: every account of a wave moves, lives at the target, and goes back to the source, with `plan
rollback` killed (-9) at a dozen borders on the way; then all of them move again. The quickstart's oracle judges both ends.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.request

import in_namespace

in_namespace.enter()

import oracle  # noqa: E402
import quickstart  # noqa: E402

# (kill point, pass counted from the start of that run)
PLACES = [("carry.append-begun", 1), ("carry.append-answered", 1), ("carry.append-noted", 1), ("carry.carried-linked", 3),
          ("engine.before-hold-of-rollback", 2), ("journal.after-undo-intent", 3), ("carry.flags-stored", 1),
          ("carry.expunged", 1), ("driver.after-undo", 6), ("journal.after-undone", 9), ("carry.source-read", 4),
          ("carry.mailboxes-carried", 2), ("journal.after-undone", 14)]


def killed_on_the_way(migration, arguments, report):
    """Runs plan until it ends by itself; each run but the last dies at one of the places."""
    killed = []
    for name, number in PLACES:
        environment = {**os.environ, "PLAN_KILL_POINT": f"{name}:{number}"}
        done = subprocess.run([quickstart.PLAN, *arguments], cwd=migration.work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == -9:
            killed.append(name)
        elif done.returncode == 0 or "nothing-to-roll-back" in done.stdout:
            break
        else:
            report.check(f"rollback goes on until {name}:{number}", False, f"exit code {done.returncode}\n{done.stdout[-3000:]}")
    return killed


def looked_at(migration, report):
    """Runs apply with somebody watching: plan watch from another process, Prometheus, and a reader of the events."""
    events = migration.folder / "events.ndjson"
    apply = subprocess.Popen([quickstart.PLAN, "apply", "migration.yaml", "--yes", "--metrics", "127.0.0.1:0", "--events", events],
                             cwd=migration.work, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             text=True)
    url = next((line.partition("metrics at ")[2].strip() for line in apply.stderr if "metrics at " in line), "http://127.0.0.1:9/")
    # Nobody may wait for a pipe that is full.
    reader = threading.Thread(target=apply.stderr.read, daemon=True)
    reader.start()
    watch = None
    counts = ""
    while apply.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                counts = answer.read().decode()
        except OSError:
            pass  # it has just ended
        if watch is None and "\nplan_run_running 1\n" in counts:
            watch = subprocess.Popen([quickstart.PLAN, "watch"], cwd=migration.work, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.2)
    moved = sum(int(line.split()[-1]) for line in counts.splitlines() if line.startswith("plan_accounts_moved_total{"))
    held = next((float(line.split()[-1]) for line in counts.splitlines() if line.startswith("plan_hold_seconds_count")), 0)
    report.check("the metrics counted every account that moved, and name none",
                 moved == held == len(migration.accounts) and "@" not in counts, counts)
    told = [json.loads(line) for line in events.read_text().splitlines()]
    released = {e["account"] for e in told if e["event"] == "account-released" and e["is_committed"]}
    report.check("the events tell of every account, from a beginning to an end", told[0]["event"] == "run-started" and
                 told[-1]["event"] == "run-ended" and all(e["format"] == 1 for e in told) and
                 released == {a.address for a in migration.accounts}, (told[:2], told[-2:], released))
    words, _ = watch.communicate(timeout=60) if watch else ("nobody watched", None)
    lines = words.splitlines()
    report.check("plan watch goes along and ends with the run", watch is not None and watch.returncode == 2 and len(lines) >= 2 and
                 "running: " in words and "needs-approval: " in lines[-1] and
                 f"{len(migration.accounts)} of {len(migration.accounts)} accounts moved" in lines[-1], words)
    once = migration.plan("watch", "--once", show=False, accept=range(256))
    report.check("and shows the last picture of a run that is over", "waits for plan approve" in once.stdout, once.stdout + once.stderr)
    wrong = migration.plan("apply", "migration.yaml", "--yes", "--metrics", "10.9.0.3:9464", show=False, accept=range(256))
    report.check("metrics are served to this machine only", wrong.returncode == 1 and "bad-option" in wrong.stderr, wrong.stderr)
    return apply.returncode


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-rollback-")
    migration = quickstart.Migration(folder, interval=0.12)
    try:
        migration.start()
        migration.start_traffic()
        migration.plan("fetch", show=False)
        rehearsed = migration.plan("rehearse", "--rollback", show=False, accept=range(256))
        words = rehearsed.stdout + rehearsed.stderr
        again = words.partition("everybody moves a second time")[2]
        report.check("the way back is rehearsed: everybody moves, goes back, moves again and goes back with a message",
                     rehearsed.returncode == 0 and "everything is as it was before" in words and
                     all(f"moved {a.address}" in again for a in migration.accounts) and
                     # frank's script keeps nothing of the message
                     all(f"{a.address}: to be carried back: {'nothing' if a.name == 'frank' else '1 message'}" in rehearsed.stdout
                         for a in migration.accounts),
                     words[-5000:])
        code = migration.apply("migration.yaml", "--yes")
        report.check("every account moves, and the last stage waits", code == 2, f"exit code {code}")

        # Several accounts go back beside one another: each has something of everything, so that no place is passed by because the
        # ones that had it were faster.
        for name in ("dave", "alice", "carol", "erin", "grace", "heidi", "ivan", "judy"):
            hand = migration.hand(name)
            gone = hand.delete("INBOX")
            there = hand.move("INBOX", "Moved", skip={gone})
            hand.flag("INBOX", "\\Answered Later", skip={gone, there})
            hand.close()
        looked = migration.plan("rollback", "--account", "dave@legacy.test", show=False, accept=range(256))
        report.check("before anything is asked it says what would be carried back, and for how long it will be held",
                     looked.returncode == 2 and "; held for about " in looked.stdout and "lossy: " in looked.stdout and
                     "2 writes to the journal of" in looked.stdout and
                     "dave@legacy.test: to be carried back: " in looked.stdout and "carry-back" in looked.stdout and
                     "1 moved or copied" in looked.stdout and "1 deleted" in looked.stdout, looked.stdout + looked.stderr)
        first = migration.plan("rollback", "--account", "dave@legacy.test", "--yes", show=False, accept=range(256))
        report.check("one account goes back with its mail", first.returncode == 0 and
                     "dave@legacy.test: carried back to the source: " in first.stdout + first.stderr and
                     "dave@legacy.test: a password that was changed at the target is not carried" in first.stdout + first.stderr,
                     first.stdout + first.stderr)
        # Held twice: there with what changed since the copy, back with what came to the target.
        told = migration.plan("report", "--format", "text", show=False, accept=range(256)).stdout
        of_dave = told.partition("\ndave@legacy.test\n")[2].partition("\n\n")[0]
        report.check("the report says when dave was held and what was carried", "moved to the target; carried: " in of_dave
                     and "given back to the source; carried: dave@legacy.test: carried back" in of_dave, told)
        traced = migration.plan("trace", "dave@legacy.test", show=False).stdout
        report.check("the trace has the place behind each step", "account/dave@legacy.test/copy: " in traced and
                     traced.count("(migration.yaml:") > 20 and traced.count(", by std/account-move.plan:") > 20, traced)
        killed = killed_on_the_way(migration, ("rollback", "--wave", "rest", "--yes"), report)
        report.check("plan rollback was killed at ten places at least", len(killed) >= 10, killed)
        last = migration.plan("rollback", "--wave", "rest", "--yes", show=False, accept=range(256))
        report.check("the last rollback ends well", last.returncode == 0 or "nothing-to-roll-back" in last.stdout + last.stderr,
                     last.stdout + last.stderr)
        time.sleep(2)
        migration.stop_traffic()
        migration.at_source = {a.name for a in migration.accounts if a.name != "bob"}
        report.check("both queues run dry", migration.settle())
        (rows, wrong), _ = migration.judge()
        print(oracle.table(rows, {}))
        report.check("nothing lost, nothing twice, all of it at the source", not wrong, "\n".join(wrong[:40]))

        migration.start_traffic()
        code = migration.apply("migration.yaml", "--yes")
        report.check("every account moves again", code == 2, f"exit code {code}")
        time.sleep(1)
        migration.stop_traffic()
        migration.at_source = set()
        report.check("both queues run dry again", migration.settle())
        (rows, wrong), facts = migration.judge()
        print(oracle.table(rows, facts["holds"]))
        report.check("nothing lost, nothing twice after the second move", not wrong, "\n".join(wrong[:40]))

        # Everything back, to before an account was created; then from the beginning.
        migration.start_traffic()
        time.sleep(2)
        back = migration.plan("rollback", "--to", "before-cutover", "--yes", show=False, accept=range(256))
        report.check("everything goes back to before the accounts were created", back.returncode == 0, back.stdout + back.stderr)
        time.sleep(1)
        migration.stop_traffic()
        migration.at_source = {a.name for a in migration.accounts}
        report.check("both queues run dry a third time", migration.settle())
        (rows, wrong), _ = migration.judge()
        print(oracle.table(rows, {}))
        report.check("nothing lost, nothing twice, all of it at the source again", not wrong, "\n".join(wrong[:40]))
        code = looked_at(migration, report)
        report.check("every account moves a third time", code == 2, f"exit code {code}")
        migration.at_source = set()
        report.check("both queues run dry at the end", migration.settle())
        (rows, wrong), facts = migration.judge()
        report.check("nothing lost, nothing twice after the third move", not wrong, "\n".join(wrong[:40]))
        code = migration.finalize("migration.yaml", "--yes")
        report.check("the last stage runs", code == 0, f"exit code {code}")
        barred = migration.plan("rollback", "--to", "before-cutover", "--yes", show=False, accept=range(256))
        report.check("a point that can no longer be reached is refused with the step that barred it", barred.returncode == 1 and
                     "rollback point `before-cutover` can no longer be reached: `finalize/address`" in barred.stderr and
                     "cannot undo finalize/address (irreversible)" in barred.stdout, barred.stdout + barred.stderr)
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
