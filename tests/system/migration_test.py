#!/usr/bin/env python3
"""The quickstart's migration under traffic, judged by its oracle; then sabotage, and what is refused."""

import base64
import hashlib
import imaplib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import in_namespace

in_namespace.enter()

import judged_move  # noqa: E402
import oracle  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402


def at_target(migration, account):
    client = imaplib.IMAP4(world.TARGET, 143, timeout=30)
    client.starttls(migration.world.client_tls_for_target())
    client.login(account.address, account.password)
    return client


def source_files():
    """Every file that configures the source, with its content."""
    return {name: name.read_bytes() for folder in ("/etc/postfix", "/etc/dovecot", "/var/lib/plan")
            for name in sorted(pathlib.Path(folder).rglob("*")) if name.is_file()}


def sabotage_delta_skipped(migration, account):
    client = at_target(migration, account)
    _, found = client.select("INBOX")
    client.store(found[0], "+FLAGS", "(\\Deleted)")  # the newest: it arrived during the move
    client.expunge()
    client.logout()
    return "is nowhere", "is only at the source"


def sabotage_import_doubled(migration, account):
    client = at_target(migration, account)
    client.select("INBOX")
    _, parts = client.uid("FETCH", "1:1", "(BODY.PEEK[])")
    client.append("INBOX", "", imaplib.Time2Internaldate(time.time()), parts[0][1])
    client.logout()
    return ("is there 2 times",)


def sabotage_flag_dropped(migration, account):
    client = at_target(migration, account)
    client.select("INBOX")
    _, parts = client.fetch("1:50", "(FLAGS)")
    number = [p.split()[0] for p in parts if b"\\Seen" in p][3]  # not the one that was doubled
    client.store(number, "-FLAGS", "(\\Seen)")
    client.logout()
    return ("has flags",)


def spellings(secret, *names):
    """A secret and the ways in which a protocol would write it."""
    text = secret.encode()
    return {text, base64.b64encode(text), text.hex().encode(),
            *(base64.b64encode(name.encode() + b":" + text) for name in names),
            *(base64.b64encode(b"\0" + name.encode() + b"\0" + text) for name in names)}


class Watched(quickstart.Migration):
    """A migration whose every output is kept, to be searched for its secrets."""

    def __init__(self, folder):
        super().__init__(folder)
        self.outputs = {}
        self.metrics = []
        self.secrets = {"the master password": spellings(world.MASTER[1], world.MASTER[0], *(
                            f"{a.address}{separator}{world.MASTER[0]}" for a in self.accounts for separator in "*%")),
                        "the administrator's password": spellings(quickstart.ADMIN_PASSWORD, "admin"),
                        "the proxy's token": spellings(quickstart.EDGE_TOKEN)}
        for account in self.accounts:
            self.secrets[f"the password of {account.name}"] = spellings(account.password, account.address)
            # As the source has it, and the part of it that no rewriting changes.
            self.secrets[f"the hash of {account.name}"] = {account.hash_text.encode(), account.hash_text.split("$")[-1].encode()}

    def keep(self, arguments, output):
        name = f"{len(self.outputs)}: plan {' '.join(map(str, arguments))}"
        self.outputs[name] = output.encode() if isinstance(output, str) else output

    def plan(self, *arguments, **options):
        done = super().plan(*arguments, **{**options, "show": False})
        self.keep(arguments, done.stdout + done.stderr)
        return done

    def apply(self, *arguments):
        print(f"\n$ plan apply {' '.join(arguments)}", flush=True)
        lines, metrics = [], None
        with subprocess.Popen([quickstart.PLAN, "apply", *arguments, "--events", "events.ndjson", "--metrics", "127.0.0.1:0"],
                              cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            for line in running.stdout:
                lines.append(line)
                sys.stdout.write(line.decode(errors="replace"))
                if line.startswith(b"metrics at "):
                    metrics = line.split()[-1].decode()
                if metrics and (len(lines) % 20 == 0 or line.startswith(b"metrics at ")):
                    self.keep_metrics(metrics)
        self.keep(("apply", *arguments), b"".join(lines))
        return running.returncode

    def keep_metrics(self, address):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                self.metrics.append(answer.read())
        except OSError:
            pass  # the run has ended in between

    def shown_in(self, content):
        return [what for what, spelled in self.secrets.items() if any(one in content for one in spelled)]

    def written(self):
        """What the run has written: into the folder of the migration, and the logs of proxy and target beside it."""
        for name in sorted(self.folder.rglob("*")):
            inside = self.work in name.parents and "secrets" not in name.parts
            if name.is_file() and (inside or name in (self.folder / "proxy.log", self.folder / "target.log")):
                yield str(name.relative_to(self.folder)), name.read_bytes()


def check_secrets(report, migration):
    files = dict(migration.written())
    for kind in ("migration.lock", "facts.jsonl", "journal.sqlite", "events.ndjson", "reviewed.plan", "accounts.map", "proxy.toml",
                 "report.html", "proxy.log", "target.log"):
        report.check(f"{kind} is among what is searched for secrets", any(kind in name for name in files), sorted(files))
    report.check("what every command has said is searched for secrets", len(migration.outputs) > len(COMMANDS), sorted(migration.outputs))
    report.check("the counts for Prometheus were read during the run", any(b"plan_" in one for one in migration.metrics), migration.metrics)
    found = {name: migration.shown_in(content) for name, content in
             [*files.items(), *migration.outputs.items(), *(("metrics", one) for one in migration.metrics)]}
    found = {name: what for name, what in found.items() if what}
    report.check("no secret in anything that was written or said", not found, found)
    # The search finds what is there: the files in which the operator keeps them.
    kept = [what for name in sorted((migration.work / "secrets").iterdir()) for what in migration.shown_in(name.read_bytes())]
    report.check("and is found where it belongs", {"the master password", "the administrator's password", "the proxy's token"} <=
                 set(kept), kept)


# While the migration waits before its last stage; a rollback that nobody says yes to does nothing.
COMMANDS = ["fetch", "check", "diff", "status", "trace alice@legacy.test", "verify", "report", "graph", "pause", "resume",
            "throttle --host source --connections 0", "explain account/alice@legacy.test/copy", "explain finalize/address",
            "admin describe Domain", "admin get Domain", "proxy status --config proxy/proxy.toml",
            "proxy check --config proxy/proxy.toml", "archive inspect .plan/archives/alice@legacy.test.sqlite",
            "archive verify .plan/archives/alice@legacy.test.sqlite", "archive import alice.sqlite --account alice@legacy.test",
            "archive export alice.sqlite --output alice-copy.sqlite", "archive diff alice.sqlite alice-copy.sqlite",
            "archive export alice-copy.sqlite --account alice@legacy.test", "rollback --account alice@legacy.test", "show reviewed.plan"]


def check_documents(report, migration):
    wrong = []
    for command in COMMANDS:
        done = migration.plan(*command.split(), "--format", "json", show=False, accept=(0, 2))
        try:
            json.loads(done.stdout) if not command.startswith("rollback") else [json.loads(x) for x in done.stdout.splitlines()]
        except ValueError as mistake:
            wrong.append(f"{command}: {mistake}: {done.stdout[:400]}")
        if not done.stdout:
            wrong.append(f"{command}: nothing on stdout")
    report.check("every command answers with one document on stdout when asked for json", not wrong, "\n".join(wrong))
    missing = migration.plan("approve", "nobody", show=False, accept=range(256))
    report.check("an approval of something that is not there is refused", missing.returncode == 1 and "nobody" in missing.stderr,
                 missing.stderr)


def check_names_that_went(report, migration, folder):
    """An account is taken out of the users file behind the review, and one is new. The file is a copy that only plan reads."""
    users = folder / "users"
    shutil.copy("/etc/dovecot/users", users)
    plan = folder / "migration.yaml"
    plan.write_text(plan.read_text().replace("passwd_file: /etc/dovecot/users", f"passwd_file: {users}"))

    def run(*command):
        return migration.plan(*command, show=False, accept=range(256), folder=folder)

    run("fetch")
    saved = run("diff", "-o", "reviewed.plan")
    report.check("a diff of what nobody changed has no note about names", saved.returncode == 2 and "any more" not in saved.stdout and
                 "since `plan fetch`" not in saved.stdout, saved.stdout + saved.stderr)
    lines = users.read_text().splitlines(keepends=True)
    users.write_text("".join(line for line in lines if not line.startswith("grace@")) + "zoe@legacy.test:{PLAIN}x::::::\n")
    gone = "account grace@legacy.test is not among the source's accounts any more"
    new = "account zoe@legacy.test is new at the source since `plan fetch`"
    drifted = run("apply", "reviewed.plan", "--yes")
    report.check("a saved plan says that an account is gone", len(lines) == len(migration.accounts) and drifted.returncode == 1 and
                 gone in drifted.stderr and new in drifted.stderr and "world-has-drifted" in drifted.stderr, drifted.stdout + drifted.stderr)
    lock = (folder / "migration.lock").read_bytes()
    run("fetch")
    other = run("apply", "reviewed.plan", "--yes")
    report.check("a saved plan names what the lock beside it has another of", other.returncode == 1 and
                 "migration.lock had: account grace@legacy.test" in other.stderr and "world-has-drifted" in other.stderr,
                 other.stdout + other.stderr)
    (folder / "migration.lock").write_bytes(lock)
    shown = run("apply", "migration.yaml")  # nobody says yes
    report.check("the diff of apply says it too", gone in shown.stdout and new in shown.stdout, shown.stdout[-3000:] + shown.stderr)


def schema_drift(migration, report):
    """The lock of a target whose schema had another bound, and another type of a property that the plan does not write."""
    lock = migration.work / "migration.lock"
    lines = lock.read_text().splitlines()
    digest = next(line.split()[1] for line in lines if line.startswith("schema "))
    schemas = migration.work / ".plan" / "schema"
    document = json.loads((schemas / f"{digest}.json").read_bytes())
    document["structs"]["x:MtaRouteRelay"][0]["port"] = "number:unsignedInteger[1..60000]"
    document["structs"]["x:Domain"][0]["logo"] = "boolean"
    text = json.dumps(document).encode()
    earlier = hashlib.sha256(text).hexdigest()
    (schemas / f"{earlier}.json").write_bytes(text)
    body = "\n".join(line.replace(digest, earlier) for line in lines if not line.startswith("digest ")) + "\n"
    lock.write_text(body + f"digest {hashlib.sha256(body.encode()).hexdigest()}\n")
    fetched = migration.plan("fetch", show=False, accept=range(256))
    words = [line.strip() for line in fetched.stderr.splitlines() if "touched" in line or "(step" in line]
    report.check("a schema with another bound touches the steps that write it, and no other", fetched.returncode == 0
                 and len(words) == 2 and words[0].startswith("the target's schema has changed: 1 of the ")
                 and words[1].startswith("MtaRoute (step `target/route`): `port` was `number:unsignedInteger[1..60000]`"),
                 fetched.stdout + fetched.stderr)
    report.check("and the lock is the one of the target again", lock.read_text().splitlines() == lines)


def check_review(report, migration, folder):
    """The saved plan elsewhere, and a review in Markdown, of a plan that is changed afterwards."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(migration.work / "reviewed.plan", elsewhere)
    shown = migration.plan("show", "reviewed.plan", show=False, accept=range(256), folder=elsewhere)
    report.check("a saved plan is shown in a folder that has nothing else", shown.returncode == 0 and
                 "alice@legacy.test" in shown.stdout and [file.name for file in elsewhere.iterdir()] == ["reviewed.plan"], shown.stdout + shown.stderr)
    report.check("with what it costs: the disks, what clients load again, and where the figures come from",
                 all(words in shown.stdout for words in ("its clients load ", "  operator ", "  source ", "  target ", " messages at 200 a second",
                                                         " looks at the servers of ")), shown.stdout)
    review = migration.plan("diff", "--format", "markdown", show=False, accept=range(256)).stdout
    (migration.work / "review.md").write_text(review)
    plan = migration.work / "migration.yaml"
    text = plan.read_text()
    fresh = migration.plan("check", "--reviewed", "review.md", show=False, accept=range(256))
    plan.write_text(text + "# another line\n")
    stale = migration.plan("check", "--reviewed", "review.md", show=False, accept=range(256))
    saved = migration.plan("check", "--reviewed", "reviewed.plan", show=False, accept=range(256))
    plan.write_text(text)
    report.check("a review in Markdown is one of this plan, until the plan is changed", fresh.returncode == 0 and
                 stale.returncode == 1 and "review-stale" in stale.stderr, [fresh.stderr, stale.stderr])
    report.check("so is a saved plan, and what was changed is named", saved.returncode == 1 and
                 "was changed since: migration.yaml" in saved.stderr, saved.stderr)


def check_second_use(report, migration, folder, lock, when):
    """The reviewed plan with all that it needs on another machine, which knows nothing of the run."""
    other = folder / f"copied-{len(list(folder.glob('copied-*')))}"
    other.mkdir()
    for name in ("migration.yaml", "reviewed.plan"):
        shutil.copy(migration.work / name, other)
    (other / "migration.lock").write_bytes(lock)
    shutil.copytree(migration.work / "secrets", other / "secrets")
    (other / "proxy").symlink_to(migration.work / "proxy")
    used = migration.plan("apply", "reviewed.plan", "--yes", show=False, accept=range(256), folder=other)
    report.check(f"another machine does not apply it again {when}: it names the accounts that have moved",
                 used.returncode == 1 and "world-has-drifted" in used.stderr and
                 all(f"account/{a.name}@legacy.test/keys: generation was 0, is " in used.stderr for a in migration.accounts),
                 used.stdout + used.stderr)


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-system-")
    migration = Watched(folder)
    try:
        migration.start()
        migration.start_traffic()
        fetched = migration.plan("fetch", show=False, accept=range(256))
        report.check("fetch writes the lock", fetched.returncode == 0 and (migration.work / "migration.lock").exists(), fetched.stderr)
        lock = (migration.work / "migration.lock").read_bytes()
        migration.plan("fetch", show=False, accept=range(256))
        report.check("the same world gives the same lock", (migration.work / "migration.lock").read_bytes() == lock)
        schema_drift(migration, report)
        second = pathlib.Path(folder) / "second"
        second.mkdir()
        shutil.copy(migration.work / "migration.yaml", second)
        shutil.copytree(migration.work / "secrets", second / "secrets")
        (second / "proxy").symlink_to(migration.work / "proxy")
        again = migration.plan("fetch", show=False, accept=range(256), folder=second)
        keys = [(where / ".plan" / "seal.key").read_bytes() for where in (migration.work, second)]
        report.check("a second operator's folder, with a key of its own, gives the same lock", again.returncode == 0 and
                     keys[0] != keys[1] and (second / "migration.lock").read_bytes() == lock, again.stderr)
        secrets = [a.hash_text.split("$")[-1] for a in migration.accounts] + [world.MASTER[1], quickstart.ADMIN_PASSWORD]
        report.check("the lock holds no secret", not any(s.encode() in lock for s in secrets))
        checked = migration.plan("check", show=False, accept=range(256))
        report.check("check finds nothing wrong", checked.returncode == 0, checked.stdout + checked.stderr)
        was = source_files()
        rehearsed = migration.plan("rehearse", "--format", "json", show=False, accept=range(256))
        report.check("a rehearsal under traffic runs every step", rehearsed.returncode == 0 and
                     "went into the books" in rehearsed.stderr, rehearsed.stdout[-2000:] + rehearsed.stderr[-4000:])
        events = [json.loads(line) for line in rehearsed.stdout.splitlines()]
        report.check("its events are one object a line, the last one says how it ended",
                     events and events[-1]["event"] == "run-ended" and events[-1]["ending"] == "finished", rehearsed.stdout[-1000:])
        report.check("and writes nothing into the source's configuration", source_files() == was)
        diff = migration.plan("diff", "-o", "reviewed.plan", show=False, accept=range(256))
        report.check("diff shows differences", diff.returncode == 2 and "alice@legacy.test" in diff.stdout, diff.stdout + diff.stderr)
        report.check("and shows what is alike once", len(diff.stdout.splitlines()) < 250 and
                     "9 accounts: the 17 steps of bob@legacy.test in wave canary" in diff.stdout and
                     "account/alice@legacy.test/" not in diff.stdout, diff.stdout)
        whole = migration.plan("show", "reviewed.plan", "--account", "alice@legacy.test", show=False, accept=range(256))
        report.check("an account that is asked for is shown step by step",
                     whole.stdout.count("account/alice@legacy.test/") == 17 and "account/carol@" not in whole.stdout, whole.stdout)
        check_review(report, migration, pathlib.Path(folder))
        check_names_that_went(report, migration, second)
        code = migration.apply("reviewed.plan", "--yes")
        report.check("apply of the reviewed plan moves everybody and waits before the last stage", code == 2, f"exit code {code}")
        check_second_use(report, migration, pathlib.Path(folder), lock, "while its run waits")
        facts = judged_move.judge(report, migration)
        counts = migration.ledger.counts
        report.check("mail arrived on every way meanwhile", counts["accepted"] > 200 and {"source-25", "target-25", "submission"} == {
            r["way"] for r in oracle.read_lines(facts["ledger"]) if r["kind"] == "accepted"}, counts)
        logins = [r["seconds"] for r in oracle.read_lines(facts["ledger"]) if r["kind"] == "login"]
        report.check("every client was let in again", len(logins) >= 2 * len(migration.accounts), len(logins))
        verified = migration.plan("verify", show=False, accept=range(256))
        report.check("verify grades every account", verified.returncode == 0, verified.stdout + verified.stderr)
        check_documents(report, migration)
        exported = migration.plan("archive", "export", "alice-copy.sqlite", "--account", "alice@legacy.test", "--yes", "--format", "json",
                                  show=False, accept=range(256))
        brought = json.loads(exported.stdout or "{}")
        report.check("an archive that another program could have written brings nothing that is there", exported.returncode == 0 and
                     brought.get("created") == 0 and brought.get("present", 0) > 1000 and brought.get("grade") == "good",
                     exported.stdout + exported.stderr)
        alice = next(a for a in migration.accounts if a.name == "alice")
        for sabotage in (sabotage_delta_skipped, sabotage_import_doubled, sabotage_flag_dropped):
            words = sabotage(migration, alice)
            (_, wrong), _ = migration.judge()
            report.check(f"the oracle objects: {sabotage.__name__.replace('_', ' ')}",
                         any(any(w in line for w in words) for line in wrong), wrong)
        code = migration.finalize("migration.yaml", "--yes")
        report.check("the approved last stage ends well", code == 0, f"exit code {code}")
        done = migration.plan("diff", "--format", "json", show=False, accept=range(256))
        report.check("then diff has nothing to do, as apply has", done.returncode == 0 and json.loads(done.stdout)["changes"] == 0,
                     done.stdout[-2000:])
        again = migration.plan("apply", "reviewed.plan", "--yes", show=False, accept=range(256))
        report.check("a reviewed plan is used once", again.returncode == 1 and "plan-already-used" in again.stderr, again.stdout + again.stderr)
        check_second_use(report, migration, pathlib.Path(folder), lock, "after the end")
        wrong = migration.mail_to_the_public_port(migration.accounts[:3])
        report.check("mail to the public port 25 arrives at the target itself", not wrong, "\n".join(wrong))
        listener = subprocess.run(["postconf", "-M", f"{world.SOURCE}:{world.PROXY_PORT_ON_SOURCE}/inet"], capture_output=True, text=True)
        report.check("the source's listener for the proxies is gone", not listener.stdout.strip(), listener.stdout)
        for what, subject in (("everything", ["--to", "before-finalize"]), ("an account", ["--account", "alice@legacy.test"])):
            refused = migration.plan("rollback", *subject, "--yes", show=False, accept=range(256))
            words = refused.stdout + refused.stderr
            report.check(f"rollback of {what} is refused once the migration is finalized, with the step that bars it",
                         refused.returncode == 1 and "finalize/address" in words, words)
        migration.plan("report", "--format", "html", "--output", "report.html", show=False)
        check_secrets(report, migration)
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
