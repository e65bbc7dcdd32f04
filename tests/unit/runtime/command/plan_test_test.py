#!/usr/bin/env python3
"""`plan test`: an operator's expectations of a plan hold or do not, and are said with their line."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAN = os.environ.get("PLAN", "")
GOLDEN = ROOT / "tests" / "golden" / "lower" / "two-waves"

TESTS = """plan: migration.yaml
tests:
  - name: two waves move three accounts
    lock: lock.txt
    expect:
      - no: errors
      - accounts: 3
      - step: account/alice@example.org/create
      - step: "account/{}/release"
      - no_step: account/nobody@example.org/create
      - order: [account/alice@example.org/copy, account/alice@example.org/release]
      - order: ["account/{}/copy", "account/{}/release", "finalize/address"]
      - order: [cutover/address, "account/{}/create"]
      - route: {to: alice@example.org, when: prepared, ends: source}
      - route: {from: target:25, to: ALICE+tag@example.org, when: created, ends: source}
      - route: {from: source submission, to: alice@example.org, when: held, ends: source queue}
      - route: {from: queue of the source, to: alice@example.org, when: moved, ends: target}
      - route: {from: target:25, to: alice@example.org, when: account/alice@example.org/keys, ends: target}
      - route: {from: target:25, to: nobody@example.org, account: alice@example.org, when: moved, bounce: true, ends: discarded}
      - route: {from: target:25, to: nobody@example.org, when: finalized, ends: [refused]}
      - route: {from: target:25, to: team@example.org, when: finalized, ends: [target, target, outside]}
  - name: without a lock it says so
    lock: nowhere.txt
    expect: [{error: lock-missing}, {no: unknown-key}]
"""


def lock_text():
    """The golden lock, with its digests filled in."""
    text = (GOLDEN / "lock.txt").read_text()
    line = next(line for line in text.split("\n") if "auto:" in line)
    name = line.split("auto:")[1]
    text = text.replace("auto:" + name, hashlib.sha256(name.encode()).hexdigest())
    head = text[:text.index("digest auto")]
    return head + "digest " + hashlib.sha256(head.encode()).hexdigest() + text[text.index("digest auto") + 11:]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "migration.yaml").write_text((GOLDEN / "plan.yaml").read_text())
        (folder / "lock.txt").write_text(lock_text())

        def run(text):
            (folder / "migration.test.yaml").write_text(text)
            return subprocess.run([PLAN, "test", str(folder / "migration.test.yaml")], capture_output=True, text=True, timeout=120)

        done = run(TESTS)
        check("what holds passes", done.returncode == 0 and done.stdout.count("ok ") == 2, done)
        for line, was, becomes, said in [
                (7, "accounts: 3", "accounts: 4", "the plan moves 3 accounts, not 4"),
                (8, "alice@example.org/create", "alcie@example.org/create",
                 "there is no step `account/alcie@example.org/create`; did you mean `account/alice@example.org/create`?"),
                (6, "no: errors", "error: unknown-key", "no error `unknown-key`; reported: "),
                (6, "no: errors", "error: not-measured", "no error `not-measured`; it is reported as warning `not-measured` at "),
                (6, "no: errors", "no: password-rewritten", "and 1 more"),
                (6, "no: errors", "no: [errors]", "`no` is one word"),
                (14, "when: prepared, ends: source", "when: prepared, bounce: maybe, ends: source",
                 "`bounce` is `true` or `false`, not `maybe`"),
                (14, "when: prepared, ends: source", "when: prepared, bounce: [true], ends: source", "`bounce` of a route is one word"),
                (10, "account/nobody@example.org/create", "acount/{}/create",
                 "no step is of the form `acount/{}/create`; did you mean `account/{}/create`?"),
                (10, "account/nobody@example.org/create", "account/nobody@example.org/creat", "no step is of the form `account/nobody@example.org/creat`"),
                (10, "no_step: account/nobody@example.org/create", "no_step: \"account/{}/copy\"", "there is `account/alice@example.org/copy`"),
                (11, "[account/alice@example.org/copy, account/alice@example.org/release]",
                 "[account/alice@example.org/release, account/alice@example.org/copy]", "does not wait for"),
                (12, "account/{}/copy\", \"account/{}/release", "account/{}/release\", \"account/{}/copy",
                 "`account/alice@example.org/copy` does not wait for `account/alice@example.org/release`"),
                (13, "[cutover/address, \"account/{}/create\"]", "[\"account/{}/create\", cutover/address]",
                 "`cutover/address` does not wait for `account/alice@example.org/create`"),
                (13, "[cutover/address, \"account/{}/create\"]", "[finalize/address, \"account/{}/create\"]",
                 "does not wait for `finalize/address`"),
                (13, "\"account/{}/create\"]", "\"account/{}/made\"]", "there is no step `account/{}/made`; did you mean `account/{}/"),
                (6, "no: errors", "nothing: errors", "is nothing that can be expected; these are `error`"),
                (6, "no: errors", "no: relay-juged", "there is no code `relay-juged`; did you mean `relay-judged`?"),
                (6, "no: errors", "warning: relay-juged", "there is no code `relay-juged`"),
                (14, "when: prepared, ends: source", "when: prepared, ends: target", "it ends: source; source delivers to"),
                (14, "when: prepared, ends: source", "when: perpared, ends: source", "is neither a step nor one of the phases before"),
                (14, "when: prepared, ends: source", "when: prepared, ends: soruce", "is no end of a message"),
                (15, "from: target:25", "from: target:26", "mail does not come in at `target:26`, but at target:25, "),
                (14, "to: alice@example.org, when: prepared", "to: alcie@example.org, when: prepared",
                 "the plan moves no account `alcie@example.org`; did you mean `alice@example.org`?"),
                (14, "to: alice@example.org, when: prepared", "to: alcie@example.org, when: created",
                 "when mail to somebody else is asked about; did you mean `alice@example.org`?"),
                (14, "to: alice@example.org, when: prepared", "to: team@example.org, when: created",
                 "the plan moves no account `team@example.org`, which is a list; `account` says whose move it is"),
                (14, "to: alice@example.org, when: prepared", "to: somebody@elsewhere.test, when: created",
                 "the plan moves no account `somebody@elsewhere.test`; `account` says whose move it is"),
                (21, "ends: [target, target, outside]", "ends: [target, outside]",
                 "wanted are exactly the ends outside, target; it ends: outside, target, target; target expands the list")]:
            done = run(TESTS.replace(was, becomes, 1))
            check(f"`{becomes}` fails in line {line}", done.returncode == 1 and "FAILED two waves" in done.stdout
                  and f"migration.test.yaml:{line}: " in done.stdout and said in done.stdout, done)
        for was, becomes, said in [("lock: lock.txt", "lokc: lock.txt", "did you mean `lock`?"),
                                   ("plan: migration.yaml\n", "plans: migration.yaml\n", "did you mean `plan`?"),
                                   ("from: target:25, to: ALICE", "form: target:25, to: ALICE", "did you mean `from`?")]:
            done = run(TESTS.replace(was, becomes, 1))
            check(f"`{becomes.strip()}` is refused", done.returncode == 1 and said in done.stderr and not done.stdout, done)
        done = run("tests:\n  - name: of no steps\n    lock: nowhere.txt\n    expect: [{no_step: a/b}]\n")
        check("that a step is not there says nothing without steps", done.returncode == 1
              and "the plan does not compile" in done.stdout, done)
        for kept in ["account/nobody@example.org/{}", "source/restarted", "wave/third/begin", "\"account/nobody{}/create\""]:
            done = run(TESTS.replace("no_step: account/nobody@example.org/create", f"no_step: {kept}", 1))
            check(f"`no_step: {kept}` holds: a step of this form can be there", done.returncode == 0, done)
        # What was not judged is not reported: neither absence nor a count holds.
        (folder / "edited.txt").write_text(lock_text().replace("quota=1073741824", "quota=1", 1))
        for lock, code in [("nowhere.txt", "lock-missing"), ("edited.txt", "lock-")]:
            for expectation, said in [("no: mail-flow", "nothing is known of `mail-flow`: the plan does not compile; reported: error `" + code),
                                      ("accounts: 0", "the plan does not compile; reported: error `" + code),
                                      ("accounts: 3", "the plan does not compile; reported: error `" + code)]:
                done = run(f"tests:\n  - name: x\n    lock: {lock}\n    expect: [{{{expectation}}}]\n")
                check(f"`{expectation}` fails with {lock}", done.returncode == 1 and "migration.test.yaml:4: " + said in done.stdout, done)
        for key in ["plan", "lock", "facts"]:
            done = run(f"tests:\n  - {{name: x, {key}: [lock.txt], expect: [{{no: errors}}]}}\n")
            check(f"a list as `{key}` is refused", done.returncode == 1 and f"`{key}` is the path of a file" in done.stderr, done)
        done = subprocess.run([PLAN, "test", str(folder / "nowhere.yaml")], capture_output=True, text=True, timeout=120)
        check("without a file it says what to write", done.returncode == 1 and "expect: [{no: errors}]" in done.stderr, done)
        done = run("tests: []\n")
        check("no test is no success", done.returncode == 1, done)
        done = run("tests:\n  - {name: x, expect: []}\n")
        check("a test without an expectation fails", done.returncode == 1
              and "migration.test.yaml:2: nothing is expected: `expect` is empty" in done.stdout, done)
        for test, said in [("{name: x}", "2: nothing is expected: `expect` is missing"),
                           ("{name: x, expect: {no: errors}}", "2: `expect` is a list: `expect: [{no: errors}]`"),
                           ("{name: x, plan: nowhere.plan, expect: [{no: errors}]}", f"2: {folder / 'nowhere.plan'} cannot be opened: ")]:
            done = run(f"tests:\n  - {test}\n")
            check(f"`{test}` fails with its place", done.returncode == 1 and "migration.test.yaml:" + said in done.stdout, done)
        done = run(TESTS.replace("    lock: lock.txt\n", "    lock: lock.txt\n    facts: nowhere.jsonl\n", 1))
        check("measurements that are not there fail with their place", done.returncode == 1
              and "migration.test.yaml:5: there is no `" in done.stdout and "nowhere.jsonl`" in done.stdout, done)
        # Measurements of a test are written by a person: each mistake is told with its line.
        right = {"what": "account/alice@example.org/bytes", "value": 5, "unit": "bytes", "how": "STATUS", "when": "2026-08-14T09:12:00Z"}
        with_facts = TESTS.replace("    lock: lock.txt\n", "    lock: lock.txt\n    facts: facts.jsonl\n", 1)
        def run_with(text, *changes):
            lines = [{**right, **change} for change in ({}, *changes)]
            (folder / "facts.jsonl").write_text("".join(
                json.dumps({key: value for key, value in line.items() if value != "left out"}) + "\n" for line in lines))
            return run(text)
        for change in [{"what": "disk/target/free", "value": 10**12}, {"what": "account/carol/d@example.net/messages", "unit": "messages"},
                       {"what": "disk/source/free", "value": None, "how": "df is missing", "when": "left out", "unit": "left out"},
                       {"what": "target/resolves-names", "value": None, "unit": ""},
                       {"what": "account/bob@example.org/hash-digest", "value": "ab12", "unit": "hex"},
                       {"what": "dump//srv/dump/disk", "value": "/srv", "unit": "mount"}]:
            done = run_with(with_facts, change)
            check(f"{change} is a measurement", done.returncode == 0, done)
        for change, said in [({"unit": "MB"}, "is measured in `bytes`, not in `MB`"),
                             ({"unit": "left out"}, "has no `unit`"),
                             ({"what": "account/alice@example.org/byte"}, "did you mean `account/alice@example.org/bytes`?"),
                             ({"what": "disk/taget/free"}, "nothing is measured by the name `disk/taget/free`; did you mean `disk/target/free`?"),
                             ({"what": "account/nobody@example.org/bytes"}, "the lock has no account `nobody@example.org`"),
                             ({"when": "left out"}, "does not say when it was measured"),
                             ({"when": "yesterday"}, "does not say when it was measured"),
                             ({"value": "5"}, "is a whole number"), ({"value": 5.5}, "is a whole number"),
                             ({"value": -5}, "this line is no measurement"), ({"what": 5}, "this line is no measurement"),
                             ({"value": "left out", "how": "left out"}, "has no `value`")]:
            # The right line is of another name: a later one of the same name would take its place.
            done = run_with(with_facts, {"what": "account/bob@example.org/bytes"}, {"what": "account/alice@example.org/bytes", **change})
            check(f"{change} is none", done.returncode == 1 and "migration.test.yaml:5: " in done.stdout
                  and "facts.jsonl:3:1: " in done.stdout and said in done.stdout, done)
        done = run_with(with_facts.replace("- no: errors", "- warning: facts-syntax", 1), {"value": -5})
        check("unless that is what is expected", done.returncode == 0, done)
        done = run(TESTS.replace("- no: errors", "- {no: errors, warning: not-measured}", 1))
        check("two keys of one expectation are told apart", done.returncode == 1
              and "6: `no` and `warning` stand in one expectation; each is an item of its own" in done.stdout, done)
        done = run("test: [\n")
        check("a file that cannot be read is shown", done.returncode == 1 and "migration.test.yaml:" in done.stderr, done)
    return exit_code()


if __name__ == "__main__":
    if not PLAN or not shutil.which(PLAN):
        print("skipped plan_test_test.py: PLAN names no program")
        sys.exit(0)
    sys.exit(main())
