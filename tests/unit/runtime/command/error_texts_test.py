#!/usr/bin/env python3
"""What `plan` prints of the errors that only a command can end with, against tests/golden/errors: the operator reads what is wrong,
where, and what to do. No server is asked, but for one that shows another certificate than the lock has."""

import hashlib
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
from bad_input_test import PLAN, Liar, Project, Tls, http  # noqa: E402
from checks import check, exit_code  # noqa: E402
from told_error import told_as  # noqa: E402


def run(folder, *words):
    """Both streams as one, without the operator's own locale."""
    return subprocess.run([PLAN, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})


def expect(ended, wrong):
    """`wrong`: what told_as says of what was printed."""
    name = ended.args[1:]
    check(f"plan {' '.join(name)}", ended.returncode == 1 and not wrong, wrong or ended)


def of_a_project(project):
    folder = project.folder

    ended = run(folder, "aply")
    expect(ended, told_as("bad-command-line", ended.stdout))
    ended = run(folder, "archive", "import", "alice.sqlite")
    expect(ended, told_as("bad-option", ended.stdout))
    ended = run(folder, "explain", "account/alcie@example.org/copy")
    expect(ended, told_as("nothing-of-that-name", ended.stdout))
    ended = run(folder, "init", "--from", "dovecot-postfix")
    expect(ended, told_as("file-there", ended.stdout))

    text = project.plan.read_text()
    project.plan.write_text("")
    ended = run(folder, "graph")
    expect(ended, told_as("plan-has-errors", ended.stdout))
    project.plan.write_text(text.replace("name: example.org to Stalwart", 'name: "example.org\\a to Stalwart"'))
    ended = run(folder, "fmt", "--to", "dsl")
    expect(ended, told_as("format-loses", ended.stdout))
    project.plan.write_text(text)

    lock = project.lock.read_text()
    body = lock[:lock.rindex("digest ")].replace("version target.stalwart 0.16.15", "version target.stalwart 0.99.0")
    project.lock.write_text(body + f"digest {hashlib.sha256(body.encode()).hexdigest()}\n")
    ended = run(folder, "apply", "--yes")
    expect(ended, told_as("server-not-tried", ended.stdout))
    project.lock.write_text(lock)

    schema = project.schema.read_bytes()
    project.schema.write_bytes(schema[:100_000])
    ended = run(folder, "check")
    expect(ended, told_as("schema-cache-damaged", ended.stdout, [(project.schema.stem, "<digest of the schema>")]))
    project.schema.unlink()
    ended = run(folder, "admin", "describe", "x:Domain")
    expect(ended, told_as("not-fetched", ended.stdout))
    ended = run(folder, "admin", "get", "x:Domain")
    check("what a target is asked for is looked up in its schema first", "[not-fetched]" in ended.stdout, ended.stdout)
    project.schema.write_bytes(schema)

    project.plan.unlink()
    ended = run(folder, "check")
    expect(ended, told_as("file-missing", ended.stdout))
    project.plan.mkdir()
    ended = run(folder, "check", "migration.yaml")
    expect(ended, told_as("local-file-unreadable", ended.stdout))


def of_a_store_move(folder):
    sound = bad_input_test.ROOT / "tests" / "golden" / "diagnostics" / "store-same" / "near-miss"
    plan = (sound / "plan.yaml").read_text()
    name = next(line.removeprefix("name: ") for line in plan.splitlines() if line.startswith("name: "))
    (folder / "migration.yaml").write_text(plan)
    (folder / "migration.lock").write_text(bad_input_test.lock_with_digests((sound / "lock.txt").read_text(), name))
    ended = run(folder, "rehearse")
    expect(ended, told_as("not-rehearsed", ended.stdout))


def of_another_certificate(tls, folder):
    """A target that is not the one of the last fetch is told no password."""
    liar = Liar(*tls.good, lambda head: http())
    name = "a fetch that fails"
    (folder / "migration.yaml").write_text(bad_input_test.PLAN_FOR_FETCH.format(
        port=liar.port, source="203.0.113.20", imap="{port: 143, security: none}", control="unix:proxy.sock", pin="",
        sieve="{port: 4190, security: none}"))
    (folder / "migration.lock").write_text(bad_input_test.lock_text(name, "0" * 64))
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(tls.good[0].read_text())).hexdigest()
    ended = run(folder, "fetch")
    # In front of it stand warnings about the plan.
    printed = ended.stdout[max(ended.stdout.find("error: "), 0):]
    expect(ended, told_as("identity-changed", printed, [(shown, "<digest of the certificate>")]))
    check("and no login is tried there", liar.logins() == 0, liar.requests)
    liar.close()


def main():
    if not PLAN:
        print("skipped error_texts_test.py: PLAN does not name the program")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        of_a_project(Project(folder))
    with tempfile.TemporaryDirectory() as folder:
        of_a_store_move(pathlib.Path(folder))
    if not shutil.which("openssl"):
        print("skipped another certificate: openssl is not installed")
        return exit_code()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as keys:
        of_another_certificate(Tls(keys), pathlib.Path(folder))
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
