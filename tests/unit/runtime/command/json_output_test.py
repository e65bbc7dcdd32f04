#!/usr/bin/env python3
"""`--format json` of every command: stdout is one JSON document and nothing else; of a command that runs steps it is one object a
line. The table of commands is plan's own, so that a new command without a case here fails."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402

PLAN = os.environ.get("PLAN", "")
# These run servers, write pages for people, or have one format that is not ours to choose (lower: lines for another program).
WITHOUT_JSON = {"proxy run", "target run", "docs", "lsp", "lower"}
# One object a line: what happens comes while it happens.
LINES = {"apply", "rollback", "rehearse", "watch"}
TESTS = "plan: migration.yaml\ntests:\n  - {name: sound, expect: [{no: errors}]}\n"
PROXY = '[server]\nname = "mail.example.org"\n'
# By command: arguments and the exit code. Files and servers that are not there are answers too.
CASES = {
    "init": [("--list", 0), ("--output -", 0), ("--output new.yaml", 0), ("--output migration.yaml", 1), ("--from nowhere", 1)],
    "fetch": [("nowhere.yaml", 1), ("broken.yaml", 1)],
    "check": [("", 4), ("broken.yaml", 1), ("nowhere.yaml", 1), ("--dump graph", 1)],
    "diff": [("broken.yaml", 1), ("nowhere.yaml", 1)],
    "show": [("nowhere.plan", 1), ("migration.yaml", 1)],
    "apply": [("nowhere.yaml", 1), ("broken.yaml", 1)],
    "status": [("", 1)],
    "watch": [("", 1)],
    "trace": [("alice@example.org", 1)],
    "verify": [("broken.yaml", 1), ("--account nobody@example.org", 1)],
    "rollback": [("", 1), ("--account alice@example.org", 1)],
    "approve": [("rest", 1)],
    "pause": [("", 1)],
    "resume": [("", 1)],
    "throttle": [("--host source --connections 4", 1), ("--host elsewhere --connections 4", 1),
                 ("--host source", 1), ("--host source --rate 20MiB", 1), ("--host source --rate 3KiB", 1)],
    "rehearse": [("broken.yaml", 1), ("nowhere.yaml", 1)],
    "explain": [("unknown-key", 0), ("journal-missing", 0), ("std/dovecot-postfix", 0), ("std/stalwart", 1), ("nothing-like-that", 1),
                ("account/alice@example.org/copy", 0), ("account/{}/copy", 0), ("archive.copy", 0)],
    "graph": [("", 0), ("--all", 0), ("broken.yaml", 1)],
    "fmt": [("--check", None), ("--to dsl migration.yaml", 0), ("--to pascal migration.yaml", 1), ("unread.yaml", 1),
            ("copy.yaml", 0), ("--output migration.yaml copy.yaml", 1)],
    "schema": [("", 0), ("--output schema.json", 0)],
    "test": [("sound.test.yaml", 0), ("unread.yaml", 1), ("broken.yaml", 1), ("nowhere.yaml", 1)],
    "report": [("", 1)],
    "version": [("", 0)],
    "proxy check": [("--config proxy.toml", 1), ("--config nowhere.toml", 1)],
    "proxy status": [("--config nowhere.toml", 1)],
    "archive import": [("a.sqlite", 1), ("a.sqlite --account nobody@example.org", 1), ("a.sqlite --from nowhere.sqlite", 1)],
    "archive export": [("nowhere.sqlite", 1), ("nowhere.sqlite --output a.sqlite", 1),
                       ("nowhere.sqlite --account alice@example.org", 1)],
    "archive inspect": [("nowhere.sqlite", 1)],
    "archive verify": [("nowhere.sqlite", 1)],
    "archive diff": [("nowhere.sqlite elsewhere.sqlite", 1)],
    "archive compact": [("nowhere.sqlite", 1)],
    "dump inspect": [("nowhere", 1)],
    "dump verify": [("nowhere", 1)],
    "dump manifest": [("nowhere", 1)],
    "dump list": [("nowhere", 1), ("nowhere --limit many", 1)],
    "dump get": [("nowhere --account a --message b --output m.eml", 1), ("nowhere --account a --message b", 1), ("nowhere", 1)],
    "dump select": [("nowhere --output out", 1)],
    "dump merge": [("nowhere elsewhere --output out", 1)],
    "dump diff": [("nowhere elsewhere", 1)],
    "dump convert": [("nowhere --output out", 1)],
    "dump repair": [("nowhere --output out", 1)],
    "dump export": [("sqlite:nowhere.sqlite out", 1), ("nothing:at-all out", 1)],
    "dump import": [("sqlite:nowhere.sqlite out", 1)],
    "admin describe": [("Domain", 0), ("Nothing", 1)],
    "admin get": [("Nothing", 1)],
}


def commands():
    """Every command of the program with the formats that it has."""
    page = subprocess.run([PLAN, "docs", "markdown"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for part in page.split("\n## plan ")[1:]:
        formats = re.search(r"^\| `--format.*$", part, re.M)
        yield part.splitlines()[0].strip(), formats[0] if formats else ""


def project(folder):
    sound = bad_input_test.Project(folder)
    sound.folder.joinpath("broken.yaml").write_text("plan: 1\nnmae: misspelt\n")
    sound.folder.joinpath("unread.yaml").write_text("plan: [1\n")
    sound.folder.joinpath("copy.yaml").write_text(sound.plan.read_text())
    sound.folder.joinpath("sound.test.yaml").write_text(TESTS)
    sound.folder.joinpath("proxy.toml").write_text(PROXY)
    return sound.folder


def why_wrong(command, stdout):
    """What is wrong with an answer; nothing when it is as promised."""
    try:
        if command not in LINES:
            json.loads(stdout)
        elif not stdout:
            return "nothing is on stdout"
        else:
            for line in stdout.splitlines():
                if not isinstance(json.loads(line), dict):
                    return f"no object: {line}"
    except ValueError as mistake:
        return str(mistake)
    return None


def main():
    if not PLAN:
        print("skipped json_output_test.py: PLAN does not name the program")
        return 0
    has_failed = False
    known = dict(commands())
    for command in sorted(set(CASES) - set(known)):
        print(f"FAILED the test knows `{command}`, and plan does not")
        has_failed = True
    for command, formats in known.items():
        wrong = []
        if command in WITHOUT_JSON:
            wrong += ["it has --format now: give it cases"] if formats else []
        elif "`json`" not in formats:
            wrong.append("it has no --format json")
        elif command not in CASES:
            wrong.append("there is no case for it")
        mistakes = [] if command in WITHOUT_JSON else [("--no-such-option", 1)]
        for arguments, code in CASES.get(command, []) + mistakes:
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([PLAN, *command.split(), *arguments.split(), "--format", "json"], cwd=project(folder),
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            trouble = why_wrong(command, done.stdout)
            if trouble or (code is not None and done.returncode != code):
                wrong.append(f"plan {command} {arguments}: {trouble}, exit code {done.returncode}, stdout {done.stdout[:600]!r}, "
                             f"stderr {done.stderr[:400]!r}")
        print(f"{'FAILED' if wrong else 'ok'} plan {command} --format json")
        for line in wrong:
            has_failed = True
            print(f"  saw: {line}")
    return 1 if has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
