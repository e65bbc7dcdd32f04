#!/usr/bin/env python3
"""Bad input as an operator meets it: `plan` itself on files that are damaged and servers that lie. Every case has to end with
exit code 1, within its bounds of time and memory, say where the trouble is and what to do, and leave the files as they were."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAN = os.environ.get("PLAN", "")
GOLDEN = ROOT / "tests" / "golden" / "lower" / "two-waves"
SCHEMA = ROOT / "runtime" / "rehearsal" / "schema" / "stalwart-0.16.json"
SECONDS_MAX = 60  # of processor time, unoptimised: how busy the machine is does not count
MEBIBYTES_MAX = 1536
AT_ONCE = 4  # most cases wait, for a server or for a disk


class Ended:
    """How a run of `plan` ended."""

    def __init__(self, folder, *arguments, out=None):
        """`out`: a file or descriptor that takes the results instead."""
        began = time.monotonic()
        with contextlib.ExitStack() as files:
            words, out = files.enter_context(tempfile.TemporaryFile()), self.opened(out, files)
            child = subprocess.Popen([PLAN, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=words)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            self.text = "".join(self.content(file) for file in (out, words))
        self.code = child.returncode
        self.seconds = usage.ru_utime + usage.ru_stime
        self.waited = time.monotonic() - began
        self.mebibytes = usage.ru_maxrss / 1024

    @staticmethod
    def opened(out, files):
        if isinstance(out, int):
            return out
        return files.enter_context(tempfile.TemporaryFile() if out is None else open(out, "wb"))

    @staticmethod
    def content(file):
        if isinstance(file, int) or not file.readable():
            return ""
        file.seek(0)
        return file.read().decode(errors="replace")

    def says(self, *words):
        return self.code == 1 and all(word in self.text for word in words)

    def is_bounded(self):
        return self.seconds < SECONDS_MAX and self.mebibytes < MEBIBYTES_MAX

    def __str__(self):
        return f"exit code {self.code} after {self.waited:.1f} s ({self.seconds:.1f} s of work) with {self.mebibytes:.0f} MiB\n{self.text}"


def lock_text(plan_name, schema_digest):
    return lock_with_digests((GOLDEN / "lock.txt").read_text(), plan_name, [f"schema {schema_digest}"])


def lock_with_digests(golden, plan_name, more=()):
    """A golden lock as `plan fetch` would have written it."""
    lines = golden.splitlines()
    head, body = lines[:2], [line for line in lines[2:] if not line.startswith(("digest ", "schema "))]
    head[0] = f"plan-lock 1 {hashlib.sha256(plan_name.encode()).hexdigest()}"
    body = sorted([*body, *more])
    text = "\n".join([*head, *body]) + "\n"
    return text + f"digest {hashlib.sha256(text.encode()).hexdigest()}\n"


class Project:
    """A folder with a plan, its lock and the schema in the cache; sound before a case damages it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.plan = self.folder / "migration.yaml"
        self.plan.write_text((GOLDEN / "plan.yaml").read_text())
        self.name = next(line.split(":", 1)[1].split("#")[0].strip() for line in self.plan.read_text().splitlines()
                         if line.startswith("name:"))
        digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()
        self.lock = self.folder / "migration.lock"
        self.lock.write_text(lock_text(self.name, digest))
        self.schema = self.folder / ".plan" / "schema" / f"{digest}.json"
        self.schema.parent.mkdir(parents=True)
        shutil.copy(SCHEMA, self.schema)
        self.journal = self.folder / ".plan" / "journal.sqlite"

    def run(self, *arguments, out=None):
        return Ended(self.folder, *arguments, out=out)


# --- files -------------------------------------------------------------------------------------------------------------
def case_a_sound_project_without_measurements_compiles_and_is_not_checked(project):
    ended = project.run("check")
    return ended.code == 4 and "[not-measured]" in ended.text and "not checked" in ended.text, ended


def case_a_plan_that_is_not_there(project):
    project.plan.unlink()
    ended = project.run("check")
    return ended.says("migration.yaml", "[file-missing]", "plan init"), ended


def case_a_plan_that_cannot_be_read(project):
    project.plan.unlink()
    project.plan.mkdir()
    ended = project.run("check")
    return ended.says("migration.yaml", "[local-file-unreadable]"), ended


def case_lists_and_modules_that_are_links_out_of_the_folder(project):
    with tempfile.NamedTemporaryFile("w") as outside:
        outside.write("planted:x:0:0\n")
        outside.flush()
        for name in ("accounts.csv", "mine.plan"):
            (project.folder / name).symlink_to(outside.name)
        text = project.plan.read_text()
        project.plan.write_text(text.replace("{passwd_file: /etc/dovecot/users}", "{csv: accounts.csv}"))
        by_list = project.run("check")
        project.plan.write_text(text.replace("use: std/dovecot-postfix", "use: ./mine.plan"))
        by_module = project.run("check")
    return all(ended.says("migration.yaml:", "leads out of the folder", code) and "planted" not in ended.text
               for ended, code in ((by_list, "[accounts-file]"), (by_module, "[unknown-procedure]"))), (by_list, by_module)


def case_an_empty_plan(project):
    project.plan.write_bytes(b"")
    ended = project.run("check")
    return ended.says("migration.yaml:1:1", "[file-empty]"), ended


def case_more_bytes_than_a_plan_may_have(project):
    with open(project.plan, "ab") as file:
        file.write(b"x: [" + b"1, " * ((129 << 20) // 3) + b"1]\n")
    ended = project.run("check")
    return ended.says("migration.yaml", "larger than 128.0 MiB", "[local-file-too-large]") and ended.is_bounded(), ended


def case_millions_of_values(project):
    project.plan.write_bytes(b"x: [" + b"1, " * ((8 << 20) // 3) + b"1]\n")
    ended = project.run("check")
    return ended.says("migration.yaml:", "[missing-key]") and ended.is_bounded() and len(ended.text) < 20000, ended


def case_one_text_as_long_as_a_plan_may_be(project):
    with open(project.plan, "ab") as file:
        file.write(b"x: " + b"a" * (63 << 20) + b"\n")
    ended = project.run("check")
    return ended.says("migration.yaml:", "[unknown-key]") and ended.is_bounded() and len(ended.text) < 20000, ended


def case_a_hole_of_a_terabyte(project):
    with open(project.plan, "ab") as file:
        file.truncate(1 << 40)
    ended = project.run("check")
    return ended.says("migration.yaml", "[local-file-too-large]") and ended.is_bounded(), ended


def case_a_plan_that_is_a_pipe_nobody_writes_into(project):
    project.plan.unlink()
    os.mkfifo(project.plan)
    endings = [project.run("check"), project.run("apply", "--yes"), project.run("show", "migration.yaml")]
    return (all(ended.code == 1 and "migration.yaml" in ended.text for ended in endings) and
            "[file-empty]" in endings[0].text and "[bad-saved-plan]" in endings[2].text), endings[0]


def case_a_lock_that_is_a_pipe_nobody_writes_into(project):
    project.lock.unlink()
    os.mkfifo(project.lock)
    ended = project.run("check")
    return ended.says("migration.lock:1:1", "[lock-"), ended


def case_a_plan_that_comes_out_of_a_pipe(project):
    # As with `plan check <(generate)`: the writer takes its time.
    text = project.plan.read_bytes()
    project.plan.unlink()
    os.mkfifo(project.plan)
    keeps = os.open(project.plan, os.O_RDWR)  # so that the order of the two opens does not matter

    def write():
        with open(project.plan, "wb") as pipe:
            pipe.write(text[:200])
            pipe.flush()
            time.sleep(0.3)
            os.close(keeps)
            pipe.write(text[200:])

    writer = threading.Thread(target=write)
    writer.start()
    ended = project.run("check")
    writer.join()
    return ended.code == 4 and "[not-measured]" in ended.text, ended


def case_a_device_instead_of_a_file(project):
    endings = [project.run("check", "/dev/zero"), project.run("show", "/dev/zero"), project.run("apply", "/dev/zero", "--yes")]
    return all(ended.says("/dev/zero", "is a device", "[local-file-unreadable]") for ended in endings), endings


def case_a_result_that_finds_no_room(project):
    endings = [project.run(*words, out="/dev/full") for words in (["check"], ["check", "--help"], ["--version"])]
    return all(ended.says("stdout cannot be written", "No space left", "[file-unwritable]") for ended in endings), endings


def case_a_reader_that_has_seen_enough(project):
    # `plan check | head -0`: no error, and the exit code is the one of the check.
    read, write = os.pipe()
    os.close(read)
    ended = project.run("check", out=write)
    os.close(write)
    return ended.code == 4 and "stdout" not in ended.text, ended


def case_a_program_without_its_standard_streams(project):
    # A file or socket that takes the number of a closed stream would have words for people written into it.
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    run = subprocess.run(["/bin/sh", "-c", 'exec "$0" check <&- >&- 2>&-', PLAN], cwd=project.folder, check=False)
    told = subprocess.run(["/bin/sh", "-c", 'exec "$0" check <&- 2>&-', PLAN], cwd=project.folder, check=False, stdout=subprocess.PIPE)
    after = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    return run.returncode == 1 and told.returncode == 4 and b"[not-measured]" in told.stdout and before == after, (run, told)


def case_a_plan_nested_a_hundred_thousand_deep(project):
    project.plan.write_bytes(b"[" * 100_000)
    ended = project.run("check")
    return ended.says("migration.yaml:1:", "[yaml-depth]") and ended.is_bounded(), ended


def case_a_billion_laughs(project):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    project.plan.write_text("\n".join(lines) + "\n")
    ended = project.run("check")
    return ended.says("migration.yaml:1:5", "[yaml-alias]") and ended.is_bounded(), ended


def case_a_plan_that_is_not_utf8(project):
    project.plan.write_bytes(b"plan: 1\nname: caf\xe9\n")
    ended = project.run("check")
    return ended.says("migration.yaml:2:", "[not-utf8]"), ended


def case_a_lock_edited_by_hand(project):
    project.lock.write_text(project.lock.read_text().replace("alice@example.org", "alicf@example.org"))
    ended = project.run("check")
    return ended.says("migration.lock:", "[lock-edited]", "plan fetch"), ended


def case_a_lock_cut_in_the_middle(project):
    project.lock.write_bytes(project.lock.read_bytes()[:-300])
    ended = project.run("diff")
    return ended.says("migration.lock:", "[lock-", "plan fetch"), ended


def case_the_lock_of_another_plan(project):
    project.plan.write_text(project.plan.read_text().replace(project.name, "another migration"))
    ended = project.run("apply", "--yes")
    return ended.says("migration.yaml:2:", "[lock-other-plan]"), ended


def case_the_schema_in_the_cache_is_cut(project):
    project.schema.write_bytes(project.schema.read_bytes()[:100_000])
    ended = project.run("check")
    return ended.says(str(project.schema.name), "[schema-cache-damaged]", "plan fetch"), ended


def case_the_schema_in_the_cache_is_another(project):
    project.schema.write_text(project.schema.read_text().replace("ExpressionVariable", "ExpressionVariabel"))
    ended = project.run("check")
    return ended.says("[schema-cache-damaged]"), ended


def newer_journal(project):
    with sqlite3.connect(project.journal) as journal:
        journal.execute("PRAGMA application_id = 1347177009")
        journal.execute("PRAGMA user_version = 999")
        journal.execute("CREATE TABLE of_the_future (x)")
    return project.journal.read_bytes()


def case_status_with_a_journal_of_a_newer_plan(project):
    newer_journal(project)
    ended = project.run("status")
    return ended.says("journal.sqlite", "[store-too-new]"), ended


def case_apply_with_a_journal_of_a_newer_plan(project):
    before = newer_journal(project)
    ended = project.run("apply", "--yes")
    # Said before any server is looked at: the addresses of this plan answer nobody.
    return ended.says("journal.sqlite", "[store-too-new]") and ended.waited < 30 and project.journal.read_bytes() == before, ended


def case_rollback_with_a_journal_of_a_newer_plan(project):
    was = newer_journal(project)
    ended = project.run("rollback", "--to", "before-cutover", "--yes")
    return ended.says("journal.sqlite", "[store-too-new]") and project.journal.read_bytes() == was, ended


def case_status_before_anything_was_applied(project):
    ended = project.run("status")
    return ended.says("[journal-missing]", "plan apply"), ended


def case_requests_make_no_journal(project):
    endings = [project.run("approve", "rest"), project.run("pause"), project.run("rollback", "--account", "alice@example.org", "--yes")]
    return all(ended.says("[journal-missing]") for ended in endings) and not project.journal.exists(), endings[-1]


def case_a_command_that_does_not_exist(project):
    ended = project.run("aply")
    return ended.says("no command `aply`", "did you mean `apply`"), ended


def case_no_command(project):
    ended = project.run()
    return ended.says("name a command", "--help"), ended


def case_a_format_that_does_not_exist(project):
    ended = project.run("check", "--format", "xml")
    return ended.says("xml", "sarif", "plan check --help"), ended


def case_a_server_that_was_not_tried(project):
    text = project.lock.read_text().replace("version target.stalwart 0.16.15", "version target.stalwart 0.17.2")
    body = text[:text.rindex("digest ")]
    project.lock.write_text(body + f"digest {hashlib.sha256(body.encode()).hexdigest()}\n")
    checked, refused = project.run("check"), project.run("apply", "--yes")
    words = ("migration.yaml:", "the new Stalwart at https://new.example.org is 0.17.2", "tried with 0.16.0 to 0.16.19")
    return checked.code == 4 and all(w in checked.text for w in words) and refused.says(
        *words, "[server-not-tried]", "--untested-version"), (checked, refused)


def case_a_saved_plan_that_was_changed(project):
    saved = project.folder / "reviewed.plan"
    saved.write_text("plan-saved 1 " + "0" * 64 + "\n{}\n")
    ended = project.run("apply", "reviewed.plan", "--yes")
    return ended.says("reviewed.plan", "[bad-saved-plan]"), ended


def case_an_archive_where_something_is_already(project):
    work = project.folder / "work.txt"
    work.write_text("somebody's work")
    endings = [project.run("archive", "import", "work.txt", "--account", "alice@example.org"),
               project.run("archive", "import", "work.txt", "--from", "work.txt")]
    return all(ended.says("work.txt is there already", "[archive-there]", "--update") for ended in endings) and \
        work.read_text() == "somebody's work", endings[-1]


def case_an_archive_of_an_account_that_the_plan_does_not_know(project):
    ended = project.run("archive", "import", "a.sqlite", "--account", "nobody@example.org")
    return ended.says("no account `nobody@example.org`", "[nothing-of-that-name]") and not (project.folder / "a.sqlite").exists(), ended


def case_an_archive_in_the_folder_of_the_runs(project):
    ended = project.run("archive", "export", ".plan/archives/a.sqlite", "--account", "alice@example.org")
    return ended.says(".plan/archives/a.sqlite", "runs of this plan"), ended


def case_an_import_and_an_export_that_do_not_say_from_where_and_to_where(project):
    endings = [project.run("archive", verb, "a.sqlite", *more) for verb in ("import", "export")
               for more in ((), ("--account", "a@example.org", "--from" if verb == "import" else "--output", "b.sqlite"))]
    return all(ended.says("name one of --account and", "[bad-option]") for ended in endings), endings[-1]


def case_an_archive_that_is_none(project):
    endings = [project.run("archive", "import", "a.sqlite", "--from", "migration.yaml"),
               project.run("archive", "export", "migration.yaml", "--output", "a.sqlite"),
               project.run("archive", "export", "migration.yaml", "--account", "alice@example.org", "--yes")]
    return all(ended.says("migration.yaml is no archive", "[archive-foreign]") for ended in endings) and \
        not list(project.folder.glob("a.sqlite*")), endings[-1]


def case_an_archive_whose_mailboxes_are_below_themselves(project):
    """As many as an archive may have, each below the next: a look that climbs from every one of them would not end."""
    with contextlib.closing(sqlite3.connect(project.folder / "a.sqlite")) as archive, archive:
        archive.executescript("CREATE TABLE sources (id INTEGER PRIMARY KEY, kind TEXT, session_url TEXT, account_id TEXT);"
                              "CREATE TABLE blobs (id INTEGER PRIMARY KEY, hash BLOB, data BLOB);"
                              "CREATE TABLE mailboxes (id INTEGER PRIMARY KEY, name TEXT, parent_id INTEGER, role TEXT,"
                              " sort_order INTEGER, is_subscribed INTEGER);"
                              "CREATE TABLE emails (id INTEGER PRIMARY KEY, blob_id INTEGER, received_at TEXT, mailbox_ids TEXT,"
                              " keywords TEXT, message_match TEXT);"
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 19000)"
                              " INSERT INTO mailboxes (id, name, parent_id) SELECT i, 'm' || i, i % 19000 + 1 FROM n;")
    ended = project.run("archive", "export", "a.sqlite", "--account", "alice@example.org", "--yes")
    return ended.says("a.sqlite", "below itself", "[archive-damaged]") and ended.is_bounded(), ended


# --- servers -----------------------------------------------------------------------------------------------------------
class Liar:
    """An HTTPS server that answers each request with what `answer` returns: bytes as they are, or None for silence."""

    def __init__(self, certificate, key, answer, address="127.0.0.1"):
        self.answer = answer
        self.requests = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as stream:
                request = b""
                while b"\r\n\r\n" not in request:
                    part = stream.recv(65536)
                    if not part:
                        return
                    request += part
                head = request.split(b"\r\n\r\n")[0].decode()
                self.requests.append(head)
                reply = self.answer(head)
                if reply is None:
                    time.sleep(600)
                    return
                stream.sendall(reply)
        except OSError:
            pass

    def close(self):
        self.listener.close()

    def logins(self):
        return sum("authorization:" in head.lower() for head in self.requests)


def http(status="200 OK", kind="application/json", body=b"{}", length=None, more=""):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n"
            f"Connection: close\r\n{more}\r\n").encode() + body


class Tls:
    """A certificate of today and one of yesterday."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.good = self.make("good", "30")
        self.expired = self.make("expired", "-1")

    def make(self, name, days):
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        for words in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                       "-subj", "/CN=localhost"],
                      ["x509", "-req", "-in", request, "-signkey", key, "-days", days, "-out", certificate]):
            subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return certificate, key


PLAN_FOR_FETCH = """plan: 1
name: a fetch that fails
use: std/dovecot-postfix
addresses: {{public: mail.example.org, proxy: 203.0.113.10, source: {source}, target: 203.0.113.30}}
source:
  master_user: {{name: vmadmin, separator: "%", password: !secret file:secret}}
  imap: {imap}
  sieve: {sieve}
  submission: {{port: 587, security: none}}
target:
  url: https://127.0.0.1:{port}
  login: {{user: admin, password: !secret file:secret}}
proxies:
  - {{name: edge1, control: "{control}", token: !secret file:secret{pin}}}
domains: [example.org]
accounts: {{from: {{passwd_file: /etc/dovecot/users}}}}
waves: [{{name: all}}]
cutover: {{address: operator}}
rollback_points: [before-cutover, each-account, before-finalize]
"""


def fetch_from(tls, answer, certificate=None, port=None, imap="{port: 143, security: none}", source="203.0.113.20", control="unix:proxy.sock",
               pin="", sieve="{port: 4190, security: none}"):
    liar = Liar(*(certificate or tls.good), answer)
    try:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "migration.yaml").write_text(PLAN_FOR_FETCH.format(port=port or liar.port, source=source, imap=imap, control=control, pin=pin, sieve=sieve))
            (folder / "secret").write_text("Passw0rd-that-is-never-shown\n")
            (folder / "secret").chmod(0o600)
            ended = Ended(folder, "fetch")
            ended.has_lock = (folder / "migration.lock").exists()
            ended.liar = liar
            return ended
    finally:
        liar.close()


def is_refused(ended, *words):
    return (ended.says(*words) and ended.is_bounded() and not ended.has_lock and "Passw0rd" not in ended.text and "help:" in ended.text
            and len(ended.text) < 4000 and not any(unicodedata.category(c) == "Cc" and c != "\n" for c in ended.text))


# Sets the title of a terminal, clears it, goes on in red with a C1 character, and begins a line of its own.
FOR_A_TERMINAL = "\x1b]0;owned\x07\x1b[2J\u009b31m\r\nerror: all is well"


def fetch_commands_for_the_terminal(tls):
    problem = json.dumps({"type": f"urn:ietf:params:jmap:error:{FOR_A_TERMINAL}", "detail": f"Passw0rd {FOR_A_TERMINAL}"}).encode()
    ended = fetch_from(tls, lambda head: http("400 Bad", "application/problem+json", problem))
    return is_refused(ended, "asking the target", r"\x1b]0;owned\x07") and "\nerror: all is well" not in ended.text, ended


def fetch_a_redirect_with_commands_for_the_terminal(tls):
    ended = fetch_from(tls, lambda head: http("302 Found", more="Location: https://127.0.0.1:1/\x1b[31m\x07\r\n"))
    return is_refused(ended, "asking the target", r"\x1b[31m"), ended


def fetch_ten_megabytes_of_error_text(tls):
    ended = fetch_from(tls, lambda head: http("500 Internal", "text/html", FOR_A_TERMINAL.encode() * 300_000))
    return is_refused(ended, "asking the target", "[answer-too-large]"), ended


def fetch_a_head_without_end(tls):
    ended = fetch_from(tls, lambda head: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000)
    return is_refused(ended, "asking the target", "the head of the answer", "[answer-too-large]"), ended


def fetch_json_nested_a_million_deep(tls):
    ended = fetch_from(tls, lambda head: http(body=b"[" * 1_000_000))
    return is_refused(ended, "asking the target", "cannot be read", "[not-json]"), ended


def fetch_html(tls):
    ended = fetch_from(tls, lambda head: http(kind="text/html", body=b"<html><body>Welcome to nginx!</body></html>"))
    return is_refused(ended, "asking the target", "[not-json]"), ended


def fetch_closed_midway(tls):
    ended = fetch_from(tls, lambda head: http(body=b'{"capabilities": {', length=4000))
    return is_refused(ended, "asking the target", "[connection-lost]"), ended


def fetch_redirected_elsewhere(tls):
    other = Liar(*tls.good, lambda head: http())
    ended = fetch_from(tls, lambda head: http("302 Found", more=f"Location: https://127.0.0.1:{other.port}/jmap\r\n"))
    other.close()
    return is_refused(ended, "asking the target", "[redirected-elsewhere]") and not other.requests, (ended, other.requests)


def fetch_endless_length(tls):
    ended = fetch_from(tls, lambda head: http(body=b'{"x": "' + b"y" * (5 << 20), length=10**15))
    return is_refused(ended, "asking the target", "[answer-too-large]"), ended


def fetch_cut_json(tls):
    ended = fetch_from(tls, lambda head: http(body=b'{"capabilities": {"urn:ietf:params:jmap:core"'))
    return is_refused(ended, "asking the target", "[not-json]"), ended


def fetch_silence(tls):
    # Accepted by the kernel, answered by nobody: TLS does not begin.
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ended = fetch_from(tls, None, port=mute.getsockname()[1])
    return is_refused(ended, "the target's certificate", "[timed-out]") and ended.waited < 40, ended


def fetch_stall_after_the_request(tls):
    ended = fetch_from(tls, lambda head: None)
    return is_refused(ended, "asking the target", "[timed-out]") and ended.waited < 90, ended


def fetch_wrong_password(tls):
    ended = fetch_from(tls, lambda head: http("401 Unauthorized", body=b'{"status": 401}'))
    return is_refused(ended, "asking the target", "[login-refused]") and ended.liar.logins() == 1, (ended, ended.liar.requests)


def fetch_expired_certificate_of_the_target(tls):
    ended = fetch_from(tls, lambda head: http(), tls.expired)
    return is_refused(ended, "the certificate of the target (https://127.0.0.1", "[certificate-expired]") and ended.liar.logins() == 0, ended


def own_address():
    """An address of this machine that is not loopback, where a plan may have a source; nothing without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.20", 9))  # sends nothing
        except OSError:
            return None
        return probe.getsockname()[0]


def fetch_expired_certificate_of_the_source(tls):
    address = own_address()
    if address is None:
        return None, "this machine has no address but loopback"
    old = Liar(*tls.expired, lambda head: None, address)
    ended = fetch_from(tls, lambda head: http(), imap=f"{{port: {old.port}, security: tls}}", source=address)
    old.close()
    return (is_refused(ended, f"the certificate of the source ({address} port {old.port})", "[certificate-expired]") and
            ended.liar.logins() == 0 and not old.requests), ended


def fetch_expired_certificate_of_the_sources_managesieve(tls):
    address = own_address()
    if address is None:
        return None, "this machine has no address but loopback"
    good, old = Liar(*tls.good, lambda head: None, address), Liar(*tls.expired, lambda head: None, address)
    ended = fetch_from(tls, lambda head: http(), imap=f"{{port: {good.port}, security: tls}}", source=address,
                       sieve=f"{{port: {old.port}, security: tls}}")
    good.close()
    old.close()
    return (is_refused(ended, f"the certificate of the source's ManageSieve ({address} port {old.port})", "[certificate-expired]") and
            ended.liar.logins() == 0 and not old.requests), ended


def fetch_expired_certificate_of_a_proxy(tls):
    old = Liar(*tls.expired, lambda head: http())
    ended = fetch_from(tls, lambda head: http(), control=f"https://127.0.0.1:{old.port}",
                       pin=", pin: !lock certificate")
    old.close()
    return (is_refused(ended, f"the certificate of proxy.edge1 (https://127.0.0.1:{old.port})", "[certificate-expired]") and
            ended.liar.logins() == 0 and old.logins() == 0), ended


def fetch_expired_certificate_that_the_plan_names(tls):
    # The operator's own word: what ends this fetch is the target's answer, behind the proxy's certificate.
    der = ssl.PEM_cert_to_DER_cert(tls.expired[0].read_text())
    old = Liar(*tls.expired, lambda head: http())
    ended = fetch_from(tls, lambda head: http(kind="text/html", body=b"<html>"), control=f"https://127.0.0.1:{old.port}",
                       pin=f", pin: {hashlib.sha256(der).hexdigest()}")
    old.close()
    return is_refused(ended, "asking the target", "[not-json]") and "certificate-expired" not in ended.text, ended


def cases(prefix, leave_out=()):
    return [case for name, case in sorted(globals().items()) if name.startswith(prefix) and name not in leave_out]


def with_project(case):
    with tempfile.TemporaryDirectory() as folder:
        return case(Project(folder))


def report(case, result):
    is_right, seen = result
    name = case.__name__.removeprefix("case_").replace("_", " ")
    if is_right is None:
        print(f"skipped {name}: {seen}", flush=True)
        return
    check(name, is_right, "\n".join(map(str, seen)) if isinstance(seen, (list, tuple)) else seen)


def main():
    if not PLAN:
        print("skipped bad_input_test.py: PLAN does not name the program")
        return 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = []
        # What waits for a silent server goes first: it costs nothing but time.
        if shutil.which("openssl"):
            tls = Tls(folder)
            running = [(case, pool.submit(case, tls)) for case in cases("fetch_", ["fetch_from"])]
        else:
            print("skipped servers that lie: openssl is not installed")
        running += [(case, pool.submit(with_project, case)) for case in cases("case_")]
        for case, future in running:
            report(case, future.result())
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
