#!/usr/bin/env python3
"""Values of a plan that cannot be what they stand for: refused by `plan check` at their place, before anything uses them in a
command, a login, a path or a name. The same keys with sound values are taken. No server is asked."""

import hashlib
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
from checks import check, exit_code  # noqa: E402

PLAN = bad_input_test.PLAN
MODULE = "module mine\nuse std/dovecot-postfix\n"


class Values:
    """A plan with some of its lines replaced, and files beside it."""

    def __init__(self):
        self.sound = (bad_input_test.GOLDEN / "plan.yaml").read_text()

    def ended(self, *edits, files=()):
        with tempfile.TemporaryDirectory() as folder:
            # One deeper, so that there is something outside of the plan's folder.
            inside = pathlib.Path(folder) / "inside"
            inside.mkdir()
            project = bad_input_test.Project(inside)
            text = self.sound
            for old, new in edits:
                assert old in text, old
                text = text.replace(old, new, 1)
            project.plan.write_text(text)
            for name, content in files:
                if name == "second schema":
                    self.add_schema(project.lock)
                else:
                    (inside / name).write_text(content)
            return project.run("check")

    @staticmethod
    def add_schema(lock):
        lines = lock.read_text().splitlines()[:-1]
        at = next(i for i, line in enumerate(lines) if line.startswith("schema "))
        lines.insert(at + 1, "schema " + "f" * 64)
        text = "\n".join(lines) + "\n"
        lock.write_text(text + f"digest {hashlib.sha256(text.encode()).hexdigest()}\n")


def ssh(value):
    return ("source:\n", f"hosts:\n  source: {{ssh: {value}, key: !secret file:secrets/key}}\nsource:\n")


def source(line):
    return ("source:\n  master_user", f"source:\n  {line}\n  master_user")


def separator(value):
    return ('separator: "%"', f"separator: {value}")


def wave(value):
    return ("name: canary", f"name: {value}")


def csv(path):
    return ("{passwd_file: /etc/dovecot/users}", f"{{csv: {path}}}")


def point(body):
    return [("use: std/dovecot-postfix", "use: ./mine.plan")], [
        ("mine.plan", f"{MODULE}step own/point : mark.rollback-point {{\n  stage = prepare\n  point = {body}\n}}\n")]


REFUSED = [
    *[(f"ssh {value}", [ssh(value)], [], "[bad-value]", "root@203.0.113.20:2222") for value in
      ('"203.0.113.20; rm -rf /"', '"-oProxyCommand=x@203.0.113.20"', '"root@"', '"root@@x"', '"root@203.0.113.20:99999"')],
    ("a relative deny_file", [source("dovecot: {deny_file: ../deny}")], [], "[bad-value]", "does not begin with `/`"),
    ("a path that climbs", [source("dovecot: {deny_file: /etc/../deny}")], [], "[bad-value]", "`..` in it"),
    ("a relative transport_map", [source("postfix: {transport_map: relative/map}")], [], "[bad-value]", "does not begin with `/`"),
    ("a container of two words", [source('dovecot: {container: "a b"}')], [], "[bad-value]", "name of a container"),
    ("a master user of two lines", [("name: vmadmin", 'name: "vm admin\\n*"')], [], "[bad-value]", "a blank in it"),
    *[(f"separator {value}", [separator(value)], [], "[bad-value]", "`separator` of `master_user`") for value in ('"@"', "a", '"**"')],
    ("a variable of two words", [("!secret env:EDGE1_TOKEN", '!secret "env:EDGE 1"')], [], "[bad-value]", "environment variable"),
    *[(f"wave {value}", [wave(value)], [], "[bad-value]", "is no name of a wave") for value in
      ("finalize", "Waves", "prepare", "cutover", "alice@example.org", "../../etc", '" canary"', '"can\u200bary"', '"can\u202eary"',
       '"can\\e[31mary"')],
    ("a list outside of the folder", [csv("../../etc/hostname")], [], "[accounts-file]", "leads out of the folder"),
    ("a list from the root", [csv("/etc/hostname")], [], "[accounts-file]", "begins with `/`"),
    ("a list with two columns of addresses", [csv("accounts.csv")],
     [("accounts.csv", "address,address\nalice@example.org,bob@example.org\n")], "[duplicate-name]", "column `address` stands here twice"),
    ("a module outside of the folder", [("use: std/dovecot-postfix", "use: ./../outside.plan")], [("../outside.plan", MODULE)],
     "[unknown-procedure]", "leads out of the folder"),
    ("a module that uses one outside", [("use: std/dovecot-postfix", "use: ./mine.plan")],
     [("mine.plan", "module mine\nuse ./x/../../outside.plan\n"), ("../outside.plan", MODULE)], "[unknown-procedure]",
     "leads out of the folder"),
    ("a rollback point that is there", *point('"before-cutover"'), "[duplicate-name]", "and so does"),
    ("a rollback point without a name", *point('""'), "[procedure-broken]", "takes a text, and this one is empty"),
    ("a rollback point of two lines", *point('"a\\nb"'), "[bad-value]", "a character that cannot be seen"),
    ("a rollback point that is a number", *point("3"), "[procedure-broken]", "takes a text, and this is 3"),
    ("a second schema in the lock", [], [("second schema", "")], "[lock-syntax]", "migration.lock"),
    ("an exception that fits nobody", [("except: [postmaster@example.org]", 'except: ["@nowhere.org"]')], [], "[unknown-account]",
     "exception `@nowhere.org` fits no account"),
]

TAKEN = [
    *[(f"ssh {value}", [ssh(value)], []) for value in ("root@203.0.113.20", "mail-admin@mail.example.org:2222", '"root@2001:db8::1"')],
    ("paths and containers", [source("dovecot: {deny_file: /etc/dovecot/..deny, container: mailcowdockerized-dovecot-mailcow-1}")], []),
    ("a master user with a domain", [("name: vmadmin", "name: vmadmin@example.org")], []),
    *[(f"separator {value}", [separator(value)], []) for value in ('"*"', '"+"')],
    *[(f"wave {value}", [wave(value)], []) for value in ("Canary", "finalize-first", '"the first 10"', "Müller")],
    ("a module in the folder", [("use: std/dovecot-postfix", "use: ./mine.plan")], [("mine.plan", MODULE)]),
    ("a rollback point of one's own", *point('"own"')),
    ("an exception of a domain", [("except: [postmaster@example.org]", 'except: ["@example.net"]'),
                                  ("domains: [example.org, example.net]", "domains: [example.org]")], []),
]


def main():
    if not PLAN:
        print("skipped plan_values_test.py: PLAN does not name the program")
        return 0
    values = Values()
    for name, edits, files, *words in REFUSED:
        ended = values.ended(*edits, files=files)
        check(f"{name} is refused", ended.says(*words) and not set("\u200b\u202e\x1b") & set(ended.text), ended)
    codes = ("[bad-value]", "[bad-host]", "[duplicate-name]", "[unknown-procedure]", "[unknown-account]", "[lock-syntax]")
    for name, edits, files in TAKEN:
        ended = values.ended(*edits, files=files)
        check(f"{name} is taken", ended.code in (0, 1, 4) and not any(code in ended.text for code in codes), ended)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
