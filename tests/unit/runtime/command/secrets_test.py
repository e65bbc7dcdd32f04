#!/usr/bin/env python3
"""No secret is in anything that plan writes: every command in every format, with secrets planted where they belong (a file, the
environment, a program) and where they do not (in the plan's text); a server that sends the login back; and every file that is there
afterwards. tests/system/migration_test.py does the same to a run from its first step to its report."""

import base64
import json
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
# Beside the cases of json_output_test: arguments, and what is said when the run comes as far as it should.
MORE = {
    "lower": [("--ndjson", '"@type":"upsert"'), ("--stage waves --ndjson", "left out: the password of alice@example.org: a secret"),
              ("--stage waves --ndjson program.yaml", "left out: the password of alice@example.org: a secret"),
              ("--stage finalize", '"@type":"update"'), ("--ndjson clear.yaml", "[secret-in-clear]")],
    "docs": [("markdown", "plan docs man"), ("diagnostics", "secret-in-clear"), ("modules", "std/account-move")],
    "graph": [("--mail", "mailbox on the source"), ("--mail --all", "mailbox on the source")],
    "test": [("clear.test.yaml", "`secret-in-clear`")],
    "show": [("saved.plan", "made from")],
    "rehearse": [("program.yaml", "done target/route")],
    "proxy check": [("--config token.toml", "unknown key `token`")],
    "proxy status": [("--config token.toml", "there is no [server] (and 4 more problems)")],
}
# What has to be there first.
BEFORE = {"show": "diff program.yaml --output saved.plan"}
# Servers: language_server() asks the one, tests/system/migration_test.py reads the logs of the others.
NOT_RUN = {"lsp", "proxy run", "target run"}
# These need a journal, a server or a dump, and say so: tests/system/migration_test.py searches what they say when they have it, and
# servers_that_repeat() what `fetch` does.
ENDS_EARLY = {
    **{one: ["journal-missing"] for one in ("status", "watch", "trace", "rollback", "approve", "pause", "resume", "throttle", "report")},
    **{f"archive {one}": ["store-unreadable"] for one in ("export", "inspect", "verify", "diff", "compact", "import")},
    **{f"dump {one}": ["dump-unreadable"]
       for one in ("inspect", "verify", "manifest", "select", "merge", "diff", "convert", "repair", "import")},
    "dump list": ["not-in-dump"], "dump get": ["dump-unknown-account"], "dump export": ["store-unreadable"],
    "admin get": ["nothing-of-that-name"], "fetch": ["name-not-found", "connection-refused", "connection-timed-out"],
}
# With these a run has come to nothing.
NOTHING_READ = ("[file-missing]", "[bad-option]", "[bad-command-line]", "[plan-has-errors]")
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
    (folder / "token.toml").write_text(f'[control]\nunix = "control.sock"\ntoken = "{MARK}-in-the-plan"\n')
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
    "as the default of an input": ("use: std/dovecot-postfix", "use: ./input.plan"),
    "in a command of a module": ("use: std/dovecot-postfix", "use: ./command.plan"),
    "in a plan of stalwart-cli": ("use: std/dovecot-postfix", "use: ./lines.plan"),
}


def planted(text):
    """With the secret where `S` stands by itself."""
    return re.sub(r"(?<![A-Z])S(?![A-Z])", S, text)


QUOTED = "password: !secret file:secrets/admin"
MISTAKES.update({f"in YAML as `{text}`": (QUOTED, planted(text)) for text in (
    "password: 'S'", "password: 'S", "password: \"S\" x", "password 'S'", "password S", "password = \"S\"", "password:S", "password: S: x",
    "password: `S`", "password: @S", "password: [S", "password: !secret 'S", "password: |S", "password: > S", "password: *S", "password: &S",
    "password: &S x", "password: ${S}", "password: ${S", "password: \"${lower('S')}\"", "password: - S", "password: #S", "password: a,S")})
COMMAND = "cutover: {address: operator}"
MISTAKES.update({f"in the command `{text}`": (COMMAND, f"cutover: {{address: {{run: [{planted(text)}], undo: [y]}}}}") for text in (
    "point, --password=S", "point, --password, S", "mysql, -pS, dns", "env, MYSQL_PWD=S, mysql", "curl, \"https://a:S@h/\"", "curl, -ua:S",
    "ldapsearch, -w, S", "curl, -H, \"Authorization: Bearer S\"", "curl, \"https://h/?token=S\"", "sh, -c, \"mysql -pS dns\"")})
# Also where one of the program's own tables says it, and with a mistake beside it.
PROGRAMS = [one.split(" ") for one in (
    "curl --oauth2-bearer S", "http -a admin:S", "https --auth admin:S", "samba-tool user list -U admin%S", "smbclient -Ua%S",
    "rpcclient -U a%S", "net -U a%S", 'curl -d {"password":"S"}', 'curl --data-raw={"apiKey":"S"}', "sshpass -p S ssh h", "sshpass -pS ssh h",
    "ldapsearch -w S", "redis-cli -a S ping", "openssl x -passin pass:S", "psql postgresql://u:S@h/db", "rclone copy --password=S",
    "doveadm pw -p S", "doveadm auth test alice S", "swaks --auth-password S", "swaks -ap S", "wget --password S", "env X_TOKEN=S restic",
    "env RESTIC_PASSWORD=S restic")]
PROGRAMS += [["curl", "--json", '{ "token": "S" }'], ["http", "h", "Authorization: Bearer S"], ["mysql", "-e", "ALTER USER a IDENTIFIED BY 'S'"],
             ["sh", "-c", "curl -d '{\"password\": \"S\"}' h"], ["sh", "-c", "X_TOKEN='S' restic backup"], ["sh", "-c", 'http -a "admin:S" h']]


def in_quotes(words):
    """The words as strings of YAML and of the plan language, in double quotes."""
    return ", ".join(json.dumps(word) for word in words)


def in_single_quotes(words):
    """The words as strings of YAML in single quotes."""
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


for PROGRAM in PROGRAMS:
    NAME = " ".join(PROGRAM)
    BARE = ", ".join(word if re.fullmatch(r"[-\w=.:/@%]+", word) else json.dumps(word) for word in PROGRAM)
    for TELLS, WORDS, UNDO in (("", BARE, "undo"), (" in quotes", in_quotes(PROGRAM), "undo"), (" in single quotes", in_single_quotes(PROGRAM), "undo"),
                               (" beside a mistake", in_quotes(PROGRAM), "ondo"), (" beside a mistake, bare", BARE, "ondo")):
        MISTAKES[f"in the command `{NAME}`{TELLS}"] = (COMMAND, f"cutover: {{address: {{run: [{planted(WORDS)}], {UNDO}: [y]}}}}")
MISTAKES["in the command that gives a secret"] = (QUOTED, f'password: !secret "command:curl -u a:{S} https://h"')
MISTAKES["in the command that gives a secret, beside a mistake"] = (QUOTED, f'password: !secret "command:curl -u a:{S} https://h", usr: x')
MISTAKES["in a command that is no list"] = (COMMAND, f"cutover: {{address: {{run: curl -u a:{S} x, undo: [y]}}}}")
# The same in the plan language, as `plan fmt` writes the plan: beside the login's name.
LANGUAGE = 'password = secret "file:secrets/admin"'
LANGUAGE_MISTAKES = {f"in the plan language as `{text}`": (LANGUAGE, planted(text)) for text in (
    "password = \"S\"", "password = 'S'", "password = 'S", "password = \"S\" x", "password \"S\"", "password 'S'", "password S", "password: S",
    "password: \"S\"", "password = S", "password == \"S\"", "password = `S`", "password = \"S\\q\"", "password = \"S\\\"",
    "password = (\"S\"", "password = ['S'", "password = { a = 'S", "password = secret 'S'", "password = secret S", "password = secret \"S\"",
    "password = scret 'S'", "password = tagged \"!x\" 'S", "password = lower('S", "password = default('S', 'x')", "pasword = 'S'",
    "passwd = 'S'", "password = $S", "password = #S", "password = \"${S}\"", "password = \"x ${'S\"", "password = a,S", "'password' = 'S'")}
LANGUAGE_MISTAKES["in a command in the plan language"] = (
    'address = "operator"', f'address = {{ run = ["mysql", "-p{S}"], undo = ["y"] }}')
LANGUAGE_MISTAKES.update({f"in the plan language in the command `{' '.join(words)}`{beside}": (
    'address = "operator"', f'address = {{ run = [{planted(in_quotes(words))}], {undo} = ["y"] }}')
    for words in PROGRAMS for beside, undo in (("", "undo"), (" beside a mistake", "ondo"))})
LANGUAGE_MISTAKES["in the command that gives a secret in the plan language"] = (LANGUAGE, f'password = secret "command:curl -u a:{S} https://h"')
LANGUAGE_MISTAKES["in a broken command in the plan language"] = (
    'address = "operator"', f'address = {{ run = ["mysql", "-p{S}" of], undo = ["y"] }}')
RELAY = f'"@type" = "Relay", address = "h.example.org", authUsername = "u", authSecret = {{ "@type" = "Value", secret = "{S}" }}'
MODULES = {
    "own.plan": 'module own\nuse std/dovecot-postfix\nstep own/relay : admin.upsert {\n  stage = prepare\n  object = "MtaRoute"\n'
                f'  match = {{ name = "r" }}\n  set = {{ {RELAY} }}\n}}\n',
    "damaged.plan": f'module damaged\nuse std/dovecot-postfix\nlet one = {{ password = "{S}" of }}\nlet two = scret "{S}"\n'
                    f"let three = {{ password = '{S}' of }}\nlet four = scret '{S}'\n",
    "input.plan": f"module given\nuse std/dovecot-postfix\ninput password : secret = '{S}'\n",
    "command.plan": 'module command\nuse std/dovecot-postfix\nstep own/address : address.move {\n  stage = cutover\n'
                    '  after = [cutover/address]\n  public = "mail.example.org"\n  to = "203.0.113.10"\n'
                    f'  run = ["mysql", "-p{S}"]\n}}\n',
    "own.yaml": f"module: own\nuse: [std/dovecot-postfix]\nlet:\n  password: !scret {S}\n",
    "lines.plan": "module lines\nuse std/dovecot-postfix\nuse ./lines.ndjson\n",
    "lines.ndjson": '{"@type":"upsert","object":"MtaRoute","matchOn":["name"],"value":{"r":{"@type":"Relay","name":"r",'
                    f'"address":"h.example.org","authUsername":"u","authSecret":{{"@type":"Value","secret":"{S}"}}}}}}}}\n',
}
# Whose secret is no other mistake: only `secret-in-clear` says that it is there.
MUST_BE_TOLD = {"in a module", "in a plan of stalwart-cli", "in a command", "in a command of a module", "beside a wrong key",
                "in YAML as `password: 'S'`", "in the plan language as `password = \"S\"`", "in a command in the plan language",
                *(one for one in [*MISTAKES, *LANGUAGE_MISTAKES] if "in the command " in one and "beside a mistake" not in one)}


def mistakes():
    import lsp_test
    with tempfile.TemporaryDirectory() as folder:
        folder = project(folder)
        for name, text in MODULES.items():
            (folder / name).write_text(text)
        sound = (folder / "migration.yaml").read_text()
        sound_in_language = run(folder, ["fmt", "--to", "dsl", "migration.yaml"]).decode()
        client = lsp_test.Client()
        mistakes_of = [(sound, "yaml", MISTAKES), (sound_in_language, "plan", LANGUAGE_MISTAKES)]
        for number, (text, ending, where, old, new) in enumerate(
                (text, ending, where, *both) for text, ending, all_of in mistakes_of for where, both in all_of.items()):
            check(f"the sound plan has what a secret {where} replaces", text.count(old) == 1, old)
            plan = folder / f"mistake{number}.{ending}"
            plan.write_text(text.replace(old, new))
            plan.with_suffix(".lock").write_text((folder / "migration.lock").read_text())
            outputs = {one: run(folder, ["check", plan.name, "--format", one]) for one in ("text", "json", "sarif")}
            told = client.open(plan, plan.read_text())
            outputs["lsp"] = str(told).encode()
            # Not a part of it either: of what has no quotes a message may name the first word.
            wrong = {one: output[:1500] for one, output in outputs.items() if shown(output) or MARK.split("-")[0].encode() in output}
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
        own = path.parent.name == "secrets" or path.name in ("clear.yaml", "token.toml")
        if path.is_file() and not own and shown(path.read_bytes()):
            found.append(str(path.relative_to(folder)))
    return found


def run(folder, arguments):
    return ended(folder, arguments)[1]


def ended(folder, arguments):
    done = subprocess.run([PLAN, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **ENVIRONMENT, "NO_COLOR": "1"})
    return done.returncode, done.stdout + done.stderr


def cases_of(command):
    """Arguments, the exit code of the run with `--format json` (None: any), and what the run without a format says (None: anything)."""
    own = json_output_test.CASES.get(command, [])
    cases = [(arguments, code, None) for arguments, code in own]
    # The same with a plan that has secrets in clear, and with a plan whose secret a program gives. A test is no plan.
    for arguments, _ in own if command != "test" else []:
        if "broken.yaml" in arguments:
            cases.append((arguments.replace("broken.yaml", "clear.yaml"), 1, "[secret-in-clear]"))
            cases.append((arguments.replace("broken.yaml", "program.yaml"), None, None))
    return cases + [(arguments, None, says) for arguments, says in MORE.get(command, [])]


def why_empty(arguments, words, code, output, wanted, says):
    """Why a run is no evidence that the command shows no secret; None: it got as far as it should."""
    text = output.decode(errors="replace")
    if words == ["--format", "json"] and wanted is not None and code != wanted:
        return f"exit code {code} and not {wanted}"
    if not words and says is not None and says not in text:
        return f"it does not say {says}"
    if "program.yaml" in arguments and any(one in text or f'"code": "{one[1:-1]}"' in text for one in NOTHING_READ):
        return "nothing was done with the plan"
    return None


def every_command():
    for command, line in json_output_test.commands():
        formats = [word for word in re.findall(r"`([a-z]+)`", line) if word not in ("text",)] if line else []
        wrong, empty, left, tried, has_worked, said = [], [], [], 0, False, ""
        cases = dict.fromkeys(cases_of(command))
        at_work = [says for _, _, says in cases if says not in (None, "[secret-in-clear]")]
        for arguments, wanted, says in cases:
            for words in [[], *(["--format", one] for one in formats)]:
                if command in COPIES and "clear" in arguments:
                    continue
                # A folder for each: the second run of a command may find what the first one wrote.
                with tempfile.TemporaryDirectory() as folder:
                    folder = project(folder)
                    if command in BEFORE:
                        run(folder, BEFORE[command].split())
                    code, output = ended(folder, [*command.split(), *arguments.split(), *words])
                    left += files_that_show(folder)
                tried += 1
                why = why_empty(arguments, words, code, output, wanted, says)
                if why:
                    empty.append((arguments, words, why, output[-600:]))
                has_worked = has_worked or code in (0, 2, 4) or (says in at_work and not why)
                said += output.decode(errors="replace") if not words else ""
                if shown(output):
                    wrong.append((arguments, words, shown(output), output[:600]))
        check(f"plan {command}: {tried} runs show no secret", not wrong, wrong)
        check(f"plan {command} writes none into a file", not left, left)
        check(f"plan {command}: each run comes as far as it should", not empty, empty)
        if command in NOT_RUN:
            continue
        if command in ENDS_EARLY:
            ends = any(f"[{one}]" in said for one in ENDS_EARLY[command])
            check(f"plan {command} ends early, and where it should", ends and not has_worked, said[-600:])
        else:
            check(f"plan {command} did its work at least once", has_worked, said[-600:])


# Declarations that an editor shows at the name: where in them the cursor stands.
HOVERS = {
    "in a let": f'let tok|en = "{S}"\n',
    "in the braces of a let": f'let o| = {{ password = "{S}" }}\n',
    "in the lines of a let": f'let o| = {{\n  user = "admin"\n  password = \'{S}\'\n}}\n',
    "as the default of an input": f"input to|ken : secret = '{S}'\n",
    "as the default of an input with another name": f'input p|em : secret = "{S}"\n',
    "in the command of a step": f'step own/add|ress : address.move {{\n  run = ["mysql", "-p{S}"]\n}}\n',
}


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
        for number, (where, marked) in enumerate(HOVERS.items()):
            module = folder / f"hover{number}.plan"
            text = "module hover\n" + marked.replace("|", "")
            told = client.open(module, text)
            seen = client.at("textDocument/hover", module, text, marked)
            page = str((seen or {}).get("contents", {}).get("value", ""))
            check(f"a secret {where} is not shown at its name", marked.split("|")[0] in page and "********" in page
                  and MARK not in str(told) + str(seen), (told, seen))
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
