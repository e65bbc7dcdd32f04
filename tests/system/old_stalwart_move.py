#!/usr/bin/env python3
"""Accounts of an old Stalwart move to the embedded target by `plan apply`, killed and resumed on the way; one goes back and
moves again. The old server is a double (old_stalwart.py) whose mailboxes are a real Dovecot's. Mail comes all the time, and
every message is looked for at the end. Part `stalwart` of tests/long runs it."""

import base64
import imaplib
import json
import os
import pathlib
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
import urllib.request

import in_namespace

in_namespace.enter()

import people  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402

people.PEOPLE[:] = [a for a in people.PEOPLE if a.name in ("bob", "dave", "erin", "judy")]
PLAN_TEXT = """plan: 1
name: legacy.test from an old Stalwart
use: std/stalwart-0.15
addresses: {public: mail.legacy.test, proxy: 10.9.0.3, source: 10.9.0.2, target: 10.9.0.1}
source:
  stalwart: {url: "https://old.legacy.test", login: {user: admin, password: !secret file:secrets/old}, target_name: new.legacy.test}
  master_user: {name: vmadmin, password: !secret file:secrets/vmadmin}
  listener: {port: 10025}
target:
  url: https://new.legacy.test
  login: {user: admin, password: !secret file:secrets/admin}
proxies:
  - {name: edge1, control: unix:proxy/control.sock, token: !secret file:secrets/edge1}
domains: [legacy.test]
accounts:
  from: {stalwart: principals}
waves:
  - {name: canary, accounts: [bob@legacy.test]}
  - {name: rest, parallel: 3, stop_when: {failed: 3}}
cutover:
  address: {run: [python3, point_public_name.py, 10.9.0.3], undo: [python3, point_public_name.py, 10.9.0.2]}
finalize:
  address: {run: [python3, point_public_name.py, 10.9.0.1]}
rollback_points: [before-cutover, each-account, before-finalize]
"""
FIRST_SETTINGS = {"queue.strategy.route.0.if": "is_local_domain('*', rcpt_domain)", "queue.strategy.route.0.then": "'local'",
                  "queue.strategy.route.1.else": "'mx'", "server.hostname": "old.legacy.test",
                  "server.listener.plan.bind": "10.9.0.2:10025", "server.listener.plan.protocol": "smtp",
                  "server.listener.plan.proxy.trusted-networks": "10.9.0.3"}


class OldWorld(world.World):
    """The quickstart's, with an old Stalwart in the place of Postfix."""

    def source(self, accounts, aliases):
        self._private_folders()
        private = pathlib.Path("/var/spool/postfix/private")
        private.mkdir(parents=True)
        self._dovecot(accounts)
        principals = [{"id": 1, "type": "domain", "name": world.DOMAIN}]
        for number, account in enumerate(accounts):
            own = [f"{name}@{world.DOMAIN}" for name in account.aliases]
            principals.append({"id": number + 2, "type": "individual", "name": account.address, "emails": [account.address, *own],
                               "secrets": [re.sub(r"^\{SHA512-CRYPT\}", "", account.hash_text)], "roles": ["user"],
                               "memberOf": ["everybody"]})
        config = self.folder / "old.json"
        config.write_text(json.dumps({
            "address": world.SOURCE, "domain": world.DOMAIN, "lmtp": str(private / "dovecot-lmtp"), "entry_port": 10025,
            "login": f"admin:{OLD_PASSWORD}", "master": ":".join(world.MASTER), "settings": FIRST_SETTINGS, "principals": principals,
            "certificate": str(self.tls / "source.crt"), "key": str(self.tls / "source.key")}))
        self.spawn("dovecot", "dovecot", "-F")
        self.wait_greeting("dovecot", world.SOURCE, 143, b"* OK")
        self.wait_greeting("dovecot", world.SOURCE, 4190, b'"IMPLEMENTATION"')
        self.spawn("old", sys.executable, pathlib.Path(__file__).resolve().parent / "old_stalwart.py", config)
        self.wait_greeting("old", world.SOURCE, 25, b"220")
        self.wait_greeting("old", world.SOURCE, 443)


OLD_PASSWORD = "admin-0f-the-0ld-server"


class Migration(quickstart.Migration):
    def __init__(self, folder, report):
        super().__init__(folder)
        self.world = OldWorld(self.folder)
        self.aliases = {}
        self.report = report
        self.sent = {}  # identities by account

    def prepare_work_folder(self):
        super().prepare_work_folder()
        secret = self.work / "secrets" / "old"
        secret.write_text(OLD_PASSWORD + "\n")
        secret.chmod(0o600)
        (self.work / "migration.yaml").write_text(PLAN_TEXT)

    def run_plan(self, *arguments, kill_point=None):
        environment = dict(os.environ, **({"PLAN_KILL_POINT": kill_point} if kill_point else {}))
        done = subprocess.run([quickstart.PLAN, *arguments], cwd=self.work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600)
        print(f"plan {' '.join(arguments)}: {done.returncode}", file=sys.stderr, flush=True)
        self.output = done.stdout
        return done.returncode

    def send(self, account, to=None):
        """One message through the public name, with an identity of its own; a sender tries again what was put off."""
        identity = f"during-{account.name}-{len(self.sent.setdefault(account.address, []))}"
        text = f"From: <max@elsewhere.test>\r\nTo: <{account.address}>\r\nSubject: x\r\nMessage-ID: <{identity}@elsewhere.test>\r\n\r\nx\r\n"
        deadline = time.monotonic() + 120
        while True:
            try:
                with smtplib.SMTP(world.PUBLIC, 25, local_hostname="mx.elsewhere.test", timeout=30) as smtp:
                    smtp.sendmail("max@elsewhere.test", [to or account.address], text)
                self.sent[account.address].append(identity)
                return
            except (OSError, smtplib.SMTPException) as error:
                if time.monotonic() > deadline:
                    raise SystemExit(f"mail for {account.address} is not taken: {error}") from error
                time.sleep(1)

    def identities(self, account, at):
        """Message-IDs of the account in all its mailboxes, as often as they are there."""
        if at == "target":
            client = imaplib.IMAP4(world.TARGET, 143, timeout=30)
            client.starttls(self.world.client_tls_for_target())
            client.login(account.address, account.password)
        else:
            client = imaplib.IMAP4(world.SOURCE, 143, timeout=30)
            client.starttls(self.world.client_tls_for_target())
            client.login(f"{account.address}%{world.MASTER[0]}", world.MASTER[1])
        found = []
        for line in client.list()[1]:
            name = re.match(rb'\(([^)]*)\) (?:"."|NIL) (.+)$', line)
            if b"\\Noselect" in name.group(1):
                continue
            code, _ = client.select(name.group(2).decode(), readonly=True)
            if code != "OK":
                continue
            _, parts = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            for part in parts or []:
                if isinstance(part, tuple):
                    found += re.findall(r"<([^@>]+)@elsewhere\.test>", part[1].decode(errors="replace"))
        client.logout()
        return found

    def wanted(self, account):
        before = [r["id"] for r in self.manifest if r["account"] == account.address]
        return sorted(before + self.sent.get(account.address, []))

    def everything_is_there(self, name, at_source=()):
        """Each message once, where its reader looks; waits for what the servers still pass on."""
        for account in self.accounts:
            at = "source" if account.name in at_source else "target"
            deadline = time.monotonic() + 90
            while (seen := sorted(self.identities(account, at))) != self.wanted(account) and time.monotonic() < deadline:
                time.sleep(1)
            missing = set(self.wanted(account)) - set(seen)
            twice = {i for i in seen if seen.count(i) > 1}
            self.report.check(f"{name}: {account.name} has every message once at the {at}", seen == self.wanted(account),
                              f"missing {sorted(missing)[:5]}, twice {sorted(twice)[:5]}, {len(seen)} of {len(self.wanted(account))}")

    def approve_what_waits(self):
        """But for the last stage, as an operator who has restarted the old server behind the cutover."""
        for name in set(re.findall(r"plan approve ([\w./:-]+)", self.output)) - {"finalize", "stage:finalize"}:
            self.run_plan("approve", name.rstrip("."))

    def until_moved(self, tries=15):
        for _ in range(tries):
            code = self.run_plan(*APPLY)
            if code == 2 and set(self.states().values()) == {"moved"}:
                return True
            self.approve_what_waits()
            time.sleep(1)
        return False

    def until_back(self, *arguments, tries=8):
        for _ in range(tries):
            if self.run_plan(*arguments) == 0 or "nothing-to-roll-back" in self.output:
                return True
            time.sleep(1)
        return False

    def lists(self):
        return self.old_settings("lookup.plan-held"), self.old_settings("lookup.plan-moved")

    def ask_old(self, path):
        word = base64.b64encode(f"admin:{OLD_PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"https://old.legacy.test/api/{path}", headers={"Authorization": f"Basic {word}"})
        with urllib.request.urlopen(request, context=self.world.client_tls(), timeout=30) as answer:
            return json.loads(answer.read())["data"]

    def old_settings(self, prefix):
        return self.ask_old(f"settings/keys?prefixes={prefix}")

    def taken_from(self, account):
        """How many permissions the account lacks at the old server."""
        return len(self.ask_old(f"principal/{account.address}").get("disabledPermissions", []))


APPLY = ("apply", "migration.yaml", "--yes")
# Passes that a first apply comes by; each kill leaves the next one its work.
KILLS = ["journal.after-intent:4", "driver.after-apply:6", "journal.after-outcome:9", "journal.after-notes:1",
         "journal.after-intent:9", "driver.after-apply:9", "journal.after-outcome:12"]


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-old-stalwart-")
    migration = Migration(folder, report)
    try:
        migration.start()
        for account in migration.accounts:
            migration.send(account)
        erin = migration.account("erin")
        migration.send(erin, "info@legacy.test")
        if not report.check("fetch", migration.run_plan("fetch") == 0, migration.output[-3000:]):
            return
        report.check("check", migration.run_plan("check") in (0, 4), migration.output[-6000:])
        killed = 0
        for point in KILLS:
            code = migration.run_plan(*APPLY, kill_point=point)
            killed += code == -signal.SIGKILL
            for account in migration.accounts:
                migration.send(account)
            migration.approve_what_waits()
        report.check("apply was killed on its way", killed >= 3, f"{killed} of {len(KILLS)}\n{migration.output[-3000:]}")
        report.check("every account moves", migration.until_moved(), migration.output[-3000:])
        migration.send(erin, "sales@legacy.test")
        migration.everything_is_there("moved")
        dave = migration.account("dave")
        taken = {a.name: migration.taken_from(a) for a in migration.accounts}
        report.check("nobody can write at the old server", set(taken.values()) == {57}, taken)
        for point in ("journal.after-undo-intent:2", "driver.after-undo:4", "carry.append-answered:1"):
            migration.run_plan("rollback", "--account", dave.address, "--yes", kill_point=point)
            migration.send(dave)
        is_back = migration.until_back("rollback", "--account", dave.address, "--yes")
        report.check("one account goes back", is_back, migration.output[-3000:])
        held, moved = migration.lists()
        report.check("it can write there", migration.taken_from(dave) == 0, migration.taken_from(dave))
        report.check("its addresses are in no list", not any(dave.address in key for key in [*held, *moved]), f"{held} {moved}")
        migration.send(dave)
        migration.everything_is_there("back", at_source=("dave",))
        report.check("it moves again", migration.until_moved(), migration.output[-3000:])
        migration.everything_is_there("moved again")
    finally:
        report.clean_up(migration.folder, migration)
        shutil.rmtree(folder, ignore_errors=True)
    report.exit()


if __name__ == "__main__":
    main()
