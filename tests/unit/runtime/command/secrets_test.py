#!/usr/bin/env python3
"""No secret is in anything that plan writes: every command in every format, with secrets planted where they belong (a file, the
environment, a program) and where they do not (in the plan's text); a server that sends the login back; and every file that is there
afterwards. tests/system/migration_test.py does the same to a run from its first step to its report."""

import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
import json_output_test  # noqa: E402
from checks import check, exit_code  # noqa: E402

PLAN = os.environ.get("PLAN", "")
MARK = "planted-5e21c9"
ENVIRONMENT = {"VMADMIN_PASSWORD": f"{MARK}-of-the-environment", "EDGE1_TOKEN": f"{MARK}-of-a-token"}
# Commands with no `--format`, or with files of the operator's own as their output.
MORE = {"lower": ["--ndjson prepare.ndjson", "--stage waves --ndjson waves.ndjson"], "docs": ["markdown", "diagnostics", "modules"]}
# What these print is the operator's file, as it is.
COPIES = {"fmt"}


def spellings(secret):
    """The secret and the ways in which a protocol would write it."""
    text = secret.encode()
    return [text, base64.b64encode(text), text.hex().encode(), base64.b64encode(b"admin:" + text), base64.b64encode(b"\0admin\0" + text)]


SECRETS = [one for secret in [*ENVIRONMENT.values(), f"{MARK}-of-a-file", f"{MARK}-of-a-program", f"{MARK}-in-the-plan",
                              f"{MARK}-in-a-url"] for one in spellings(secret)]


def shown(content):
    return [one.decode() for one in SECRETS if one in content]


def project(folder):
    folder = json_output_test.project(folder)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "admin").write_text(f"{MARK}-of-a-file\n")
    (folder / "secrets" / "admin").chmod(0o600)
    (folder / "secrets" / "program").write_text(f"{MARK}-of-a-program\n")
    (folder / "secrets" / "program").chmod(0o600)
    plan = (folder / "migration.yaml").read_text()
    clear = re.sub(r"password: !secret env:\w+", f"password: {MARK}-in-the-plan", plan)
    clear = clear.replace("https://new.example.org", f"https://admin:{MARK}-in-a-url@new.example.org")
    assert clear.count(MARK) == 2, clear
    (folder / "clear.yaml").write_text(clear)
    (folder / "clear.lock").write_text((folder / "migration.lock").read_text())
    (folder / "clear.test.yaml").write_text("plan: clear.yaml\ntests:\n  - {name: x, expect: [{no: errors}]}\n")
    (folder / "program.yaml").write_text(plan.replace("!secret file:secrets/admin", "!secret command:cat secrets/program"))
    (folder / "program.lock").write_text((folder / "migration.lock").read_text())
    return folder


LOGIN = "  login: {user: admin, password: !secret file:secrets/admin}"
S = f"{MARK}-in-the-plan"
# What an operator writes when he is wrong about a secret: beside another mistake, under a wrong key, behind a wrong tag. Each is
# reported, and no report shows the secret: (what is replaced, by what).
MISTAKES = {
    "beside a wrong key": (LOGIN, f"  login: {{usr: admin, password: {S}}}"),
    "under a misspelt key": (LOGIN, f"  login: {{user: admin, pasword: {S}}}"),
    "in block form under a misspelt key": (LOGIN, f"  login:\n    user: admin\n    passwrod: {S}"),
    "on lines of its own": (LOGIN, f"  login:\n    user: admin\n    password: >-\n      {S}\n    x: 1"),
    "behind !secret": (LOGIN, f"  login: {{user: admin, password: !secret {S}}}"),
    "behind a misspelt tag": (LOGIN, f"  login: {{user: admin, password: !scret {S}}}"),
    "as a tag": (LOGIN, f"  login: {{user: admin, password: !{S}}}"),
    "twice": (LOGIN, f"  login: {{user: admin, password: {S}, password: {S}}}"),
    "in a list": (LOGIN, f"  login: {{user: admin, password: [{S}]}}"),
    "in a mapping": (LOGIN, f"  login: {{user: admin, password: {{is: {S}}}}}"),
    "with an unknown name": (LOGIN, f'  login: {{user: admin, password: "{S} ${{nonsense}}"}}'),
    "without an end": (LOGIN, f"  login: {{user: admin, password: {S}"),
    "without its quote": (LOGIN, f'  login: {{user: admin, password: "{S}}}'),
    "in one text with the name": (LOGIN, f'  login: "admin:{S}"'),
    "in a block without secrets": (LOGIN, f"{LOGIN}\n  pasword: {S}"),
    "in a wave": ("name: canary,", f"name: canary, password: {S},"),
    "in a command": ("cutover: {address: operator}", f'cutover: {{address: {{run: [curl, -u, "admin:{S}", x], undo: [y]}}}}'),
    "in a module in YAML": ("use: std/dovecot-postfix", "use: ./own.yaml"),
    "in a module": ("use: std/dovecot-postfix", "use: ./own.plan"),
    "in a damaged module": ("use: std/dovecot-postfix", "use: ./damaged.plan"),
    "in a plan of stalwart-cli": ("use: std/dovecot-postfix", "use: ./lines.plan"),
}
RELAY = f'"@type" = "Relay", address = "h.example.org", authUsername = "u", authSecret = {{ "@type" = "Value", secret = "{S}" }}'
MODULES = {
    "own.plan": 'module own\nuse std/dovecot-postfix\nstep own/relay : admin.upsert {\n  stage = prepare\n  object = "MtaRoute"\n'
                f'  match = {{ name = "r" }}\n  set = {{ {RELAY} }}\n}}\n',
    "damaged.plan": f'module damaged\nuse std/dovecot-postfix\nlet one = {{ password = "{S}" of }}\nlet two = scret "{S}"\n',
    "own.yaml": f"module: own\nuse: [std/dovecot-postfix]\nlet:\n  password: !scret {S}\n",
    "lines.plan": "module lines\nuse std/dovecot-postfix\nuse ./lines.ndjson\n",
    "lines.ndjson": '{"@type":"upsert","object":"MtaRoute","matchOn":["name"],"value":{"r":{"@type":"Relay","name":"r",'
                    f'"address":"h.example.org","authUsername":"u","authSecret":{{"@type":"Value","secret":"{S}"}}}}}}}}\n',
}
# Whose secret is no other mistake: only `secret-in-clear` says that it is there.
MUST_BE_TOLD = {"in a module", "in a plan of stalwart-cli", "in a command", "beside a wrong key"}


def mistakes():
    import lsp_test
    with tempfile.TemporaryDirectory() as folder:
        folder = project(folder)
        for name, text in MODULES.items():
            (folder / name).write_text(text)
        sound = (folder / "migration.yaml").read_text()
        client = lsp_test.Client()
        for where, (old, new) in MISTAKES.items():
            check(f"the sound plan has what a secret {where} replaces", sound.count(old) == 1, old)
            plan = folder / f"{where.replace(' ', '-')}.yaml"
            plan.write_text(sound.replace(old, new))
            plan.with_suffix(".lock").write_text((folder / "migration.lock").read_text())
            outputs = {one: run(folder, ["check", plan.name, "--format", one]) for one in ("text", "json", "sarif")}
            told = client.open(plan, plan.read_text())
            outputs["lsp"] = str(told).encode()
            wrong = {one: output[:1500] for one, output in outputs.items() if shown(output)}
            check(f"a secret {where} is not shown", not wrong, wrong)
            check(f"a secret {where} does not compile", b" error: " in outputs["text"], outputs["text"][:1500])
            if where in MUST_BE_TOLD:
                check(f"a secret {where} is told", b"[secret-in-clear]" in outputs["text"], outputs["text"][:1500])
        client.ask("shutdown", None)
        client.tell("exit", None)
        client.process.wait(timeout=60)


def files_that_show(folder):
    """Files with a secret that is not where the operator put it."""
    found = []
    for path in sorted(folder.rglob("*")):
        own = path.parent.name == "secrets" or path.name == "clear.yaml"
        if path.is_file() and not own and shown(path.read_bytes()):
            found.append(str(path.relative_to(folder)))
    return found


def run(folder, arguments):
    done = subprocess.run([PLAN, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **ENVIRONMENT, "NO_COLOR": "1"})
    return done.stdout + done.stderr


def every_command():
    for command, line in json_output_test.commands():
        formats = [word for word in re.findall(r"`([a-z]+)`", line) if word not in ("text",)] if line else []
        cases = [arguments for arguments, _ in json_output_test.CASES.get(command, [])] + MORE.get(command, [])
        # The same with a plan that has secrets in clear, and with a plan whose secret a program gives.
        cases += [one.replace("broken.yaml", plan) for one in cases if "broken.yaml" in one for plan in ("clear.yaml", "program.yaml")]
        if command == "graph":
            cases += ["--mail", "--mail --all"]
        if command == "test":
            cases += ["clear.test.yaml"]
        wrong, tried = [], 0
        with tempfile.TemporaryDirectory() as folder:
            folder = project(folder)
            for arguments in dict.fromkeys(cases):
                for words in [[], *(["--format", one] for one in formats)]:
                    if command in COPIES and "clear" in arguments:
                        continue
                    output = run(folder, [*command.split(), *arguments.split(), *words])
                    tried += 1
                    if shown(output):
                        wrong.append((arguments, words, shown(output), output[:600]))
            left = files_that_show(folder)
        check(f"plan {command}: {tried} runs show no secret", not wrong, wrong)
        check(f"plan {command} writes none into a file", not left, left)
        if command not in json_output_test.WITHOUT_JSON:
            check(f"plan {command} was tried", tried > 0)


def language_server():
    """What an editor is told of a plan with secrets in clear."""
    import lsp_test
    with tempfile.TemporaryDirectory() as folder:
        folder = project(folder)
        client = lsp_test.Client()
        path = folder / "clear.yaml"
        told = client.open(path, path.read_text())
        text = path.read_text()
        hover = client.at("textDocument/hover", path, text, "pass|word: " + MARK)
        check("plan lsp marks a secret in clear and does not repeat it",
              "secret-in-clear" in str(told) and MARK not in str(told) + str(hover) + str(client.notices), told)
        client.ask("shutdown", None)
        client.tell("exit", None)
        client.process.wait(timeout=60)


def servers_that_repeat():
    """A target that sends the login back: in an error, as JSON, as a redirect, in a header."""
    with tempfile.TemporaryDirectory() as certificates:
        tls = bad_input_test.Tls(certificates)
        seen = []

        def login(head):
            line = next((one for one in head.split("\r\n") if one.lower().startswith("authorization:")), "")
            seen.append(line)
            plain = base64.b64decode(line.split()[-1]).decode(errors="replace") if " " in line else ""
            return f"{line} {plain}"

        answers = {
            "in an error": lambda head: bad_input_test.http("401 Unauthorized", body=f'{{"detail": "{login(head)}"}}'.encode()),
            "in a page": lambda head: bad_input_test.http("500 Oops", kind="text/html", body=f"<b>{login(head)}</b>".encode()),
            "in a document": lambda head: bad_input_test.http(body=f'{{"capabilities": "{login(head)}", "apiUrl": 1}}'.encode()),
            "in a redirect": lambda head: bad_input_test.http("302 Found", more="Location: https://127.0.0.1:1/" + login(head).split(" ")[-1] + "\r\n"),
            "in a header": lambda head: bad_input_test.http("403 No", more=f"WWW-Authenticate: {login(head)}\r\n"),
        }
        for where, answer in answers.items():
            seen.clear()
            ended = bad_input_test.fetch_from(tls, answer)
            secret = "Passw0rd-that-is-never-shown"
            repeated = [one.decode() for one in spellings(secret) if one.decode() in ended.text]
            check(f"a login that the target sends back {where} is not shown", any(seen) and not repeated and ended.code == 1,
                  (repeated, seen, ended))


def main():
    if not PLAN:
        print("skipped secrets_test.py: PLAN does not name the program")
        return 0
    every_command()
    language_server()
    mistakes()
    servers_that_repeat()
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
