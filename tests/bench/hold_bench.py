#!/usr/bin/env python3
"""How long an account is held, by the size of its mailbox, and how well `plan diff` predicts it.

A real Dovecot (with QRESYNC) and Postfix and the embedded target, as in the quickstart. One account has 2,000 messages and one
100,000, both get mail and have a mail program at work all the time; they move one after the other. One JSON object a line.
PLAN_BENCH_LARGE=N: another size of the large one. PLAN_BENCH_TRACE=1: what each step of the holds took, on stderr.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import in_namespace  # noqa: E402

in_namespace.enter()

import people  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402

LARGE = int(os.environ.get("PLAN_BENCH_LARGE", "100000"))
MAILBOXES = ("INBOX", "Sent", "Archive/2024", "Archive/2025")
GOALS = {"small": 2.0, "large": 5.0}
PREDICTION_GOAL = 0.3
SIZES = {"small": 2000, "large": LARGE}


def fill(folder):
    """Small messages written straight into the Maildirs; only INBOX is large, as it mostly is."""
    for name, size in SIZES.items():
        home = folder / "mail" / world.DOMAIN / name
        for mailbox in MAILBOXES:
            for part in ("cur", "new", "tmp"):
                (people.maildir(home, mailbox) / part).mkdir(parents=True, exist_ok=True)
        inbox = people.maildir(home, "INBOX") / "cur"
        for number in range(size):
            when = 1_500_000_000 + number * 600
            content = (f"From: Max <max@elsewhere.test>\r\nTo: {name}@{world.DOMAIN}\r\nSubject: number {number}\r\n"
                       f"Message-ID: <before-{name}-{number}@elsewhere.test>\r\nX-Quickstart-Id: before-{name}-{number}\r\n\r\n"
                       f"Hello,\r\n\r\nthis is message {number}.\r\n").encode()
            place = inbox if number % 10 else people.maildir(home, MAILBOXES[1 + number // 10 % 3]) / "cur"
            path = place / f"{when}.M{number}P1.bench,S={len(content)},W={len(content)}:2,{'S' if number % 3 else ''}"
            path.write_bytes(content)
            os.utime(path, (when, when))
    for path, folders, files in os.walk(folder / "mail"):
        for name in [*folders, *files]:
            os.lchown(os.path.join(path, name), world.VMAIL_UID, world.VMAIL_UID)


def predicted(migration):
    done = migration.plan("diff", "--format", "json", show=False, accept=(0, 2))
    found = {}
    for wave in (wave for stage in json.loads(done.stdout)["stages"] for wave in stage["waves"]):
        for account in wave["accounts"]:
            found[account["account"].partition("@")[0]] = account
    if os.environ.get("PLAN_BENCH_TRACE"):
        for name, account in found.items():
            print(name, account["cost"], json.dumps(account["hold"], indent=1), file=sys.stderr)
    return {name: account["cost"]["hold_ms"] / 1000 for name, account in found.items() if account["cost"]["hold_ms"] is not None}


def say(figure, value, unit, goal, peer=None, peer_value=None, ratio=None):
    print(json.dumps({"figure": figure, "value": value, "unit": unit, "better": "lower", "peer": peer, "peer_value": peer_value,
                      "ratio": ratio, "goal": goal}), flush=True)


def main():
    folder = tempfile.mkdtemp(prefix="plan-bench-hold-")
    accounts = [people.Account(name, 0, mailboxes=MAILBOXES) for name in SIZES]
    for account in accounts:
        account.password = f"{account.name}-Passw0rd"
        account.hash_text = people.crypt("-6", account.password, f"salt{account.name}")
    people.PEOPLE[:] = accounts
    people.prepare_accounts = lambda: (accounts, {people.TEAM: [a.address for a in accounts]})
    migration = quickstart.Migration(folder)
    try:
        migration.start()
        fill(pathlib.Path(folder))
        plan = migration.work / "migration.yaml"
        plan.write_text(re.sub(r"(?ms)^waves:.*?\n\n", "waves:\n" + "".join(
            f"  - {{name: {name}, accounts: [{name}@{world.DOMAIN}]}}\n" for name in SIZES) + "\n", plan.read_text()))
        # Whatever else is installed on this machine, nobody has calendars here.
        plan.write_text(plan.read_text().replace("\nsource:\n", "\nsource:\n  dav: {server: none}\n"))
        for account in accounts:  # a mailbox that is in use has its index
            subprocess.run(["doveadm", "index", "-u", account.address, "*"], check=True)
        migration.start_traffic()
        migration.plan("fetch", show=False)
        began = time.monotonic()
        said = predicted(migration)
        took = time.monotonic() - began
        began = time.monotonic()
        with open(pathlib.Path(folder) / "apply.log", "w", encoding="utf-8") as log:
            running = subprocess.Popen([quickstart.PLAN, "apply", "migration.yaml", "--yes"], cwd=migration.work,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            while running.poll() is None:
                states = migration.states()
                if states and all(state == "moved" for state in states.values()):
                    running.terminate()
                    break
                time.sleep(1)
            running.wait(120)
        if os.environ.get("PLAN_BENCH_TRACE"):
            print((pathlib.Path(folder) / "apply.log").read_text(), file=sys.stderr)
        moved = time.monotonic() - began
        migration.stop_traffic()
        held = migration.holds()
        states = migration.states()
        for name, size in SIZES.items():
            address = f"{name}@{world.DOMAIN}"
            if states.get(address) != "moved":
                raise SystemExit(f"hold_bench: {address} is {states.get(address)}:\n" +
                                 (pathlib.Path(folder) / "apply.log").read_text()[-3000:])
            seconds = held[address] / 1000
            say(f"hold, account of {size} messages under traffic", seconds, "s", GOALS[name])
            ratio = round(said[name] / seconds, 2)
            say(f"hold of {size} messages, how far plan diff was off", round(abs(ratio - 1), 2), "of the hold", PREDICTION_GOAL,
                "predicted by plan diff, s", said[name], ratio)
        print(f"plan diff with both accounts took {took:.1f} s; from plan apply until both had moved {moved:.1f} s", file=sys.stderr)
    finally:
        migration.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
