"""The story of the quickstart, told by running it (see `run`)."""

import argparse
import collections
import email
import imaplib
import json
import os
import pathlib
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

import oracle
import people
import traffic
import world
from world import say

PLAN = os.environ.get("PLAN", "plan")
ADMIN_PASSWORD = "admin-Passw0rd-0fTheQuickstart"
EDGE_TOKEN = "token-of-edge1-0123456789"


class Migration:
    """One migration of the quickstart's world, with the traffic and the judge; the system tests drive it too."""

    def __init__(self, folder, interval=0.06):
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "mail").mkdir()
        self.world = world.World(self.folder)
        self.accounts, self.aliases = people.prepare_accounts()
        self.work = self.folder / "migration"
        self.interval = interval
        self.traffic = None
        self.ledger = None
        self.times_started = 0
        self.at_source = set()  # names of accounts that were given back

    # --- the world -----------------------------------------------------------------------------------------------
    def start(self):
        self.world.network()
        self.world.certificates()
        self.manifest = people.write_mail(self.folder)
        with open(self.folder / "manifest.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in self.manifest)
        self.world.source(self.accounts, self.aliases)
        self.prepare_work_folder()
        self.start_target()
        self.start_proxy()

    def prepare_work_folder(self):
        self.work.mkdir()
        (self.work / "proxy").mkdir()
        secrets = self.work / "secrets"
        secrets.mkdir(mode=0o700)
        for name, text in {"vmadmin": world.MASTER[1], "admin": ADMIN_PASSWORD, "edge1": EDGE_TOKEN}.items():
            (secrets / name).write_text(text + "\n")
            (secrets / name).chmod(0o600)
        for name in ("migration.yaml", "point_public_name.py"):
            shutil.copy(world.HERE / name, self.work)
        tls = self.world.tls
        listeners = "".join(
            f'[listener.{name}]\nprotocol = "{protocol}"\naddress = "{world.PROXY}"\nport = {port}\ntls = "{mode}"\n\n'
            for name, protocol, port, mode in [
                ("imap", "imap", 143, "starttls"), ("imaps", "imap", 993, "implicit"), ("sieve", "sieve", 4190, "starttls"),
                ("submission", "submission", 587, "starttls"), ("smtp", "smtp", 25, "none")])
        text = (world.HERE / "proxy.toml").read_text()
        for key, value in {"TLS": tls, "FOLDER": self.work, "LISTENERS": listeners}.items():
            text = text.replace(f"@{key}@", str(value))
        (self.work / "proxy" / "proxy.toml").write_text(text)

    def start_target(self):
        tls = self.world.tls
        self.world.spawn("target", PLAN, "target", "run", "--folder", self.folder / "target", "--address", world.TARGET,
                         "--hostname", "new.legacy.test", "--certificate", tls / "target.crt", "--key", tls / "target.key",
                         "--admin", "admin", "--admin-password-file", self.work / "secrets" / "admin")
        self.world.wait_greeting("target", world.TARGET, 143, b"* OK")
        self.world.wait_greeting("target", world.TARGET, 25, b"220")
        self.world.wait_greeting("target", world.TARGET, 443)

    def start_proxy(self):
        self.world.spawn("proxy", PLAN, "proxy", "run", "--config", self.work / "proxy" / "proxy.toml")
        self.world.wait_greeting("proxy", world.PROXY, 143, b"* OK")

    # --- traffic -------------------------------------------------------------------------------------------------
    def start_traffic(self):
        """Also a second time: what was promised before stays promised."""
        if self.ledger is None:
            self.ledger = traffic.Ledger(self.folder / "ledger.jsonl")
        self.times_started += 1
        team = (people.TEAM, self.aliases[people.TEAM])
        self.traffic = traffic.Traffic(self.accounts, team, self.ledger, self.world.client_tls(), self.interval,
                                       first=100_000 * (self.times_started - 1))
        self.traffic.start()

    def hand(self, name):
        """A user at work, through the public name."""
        return traffic.Hand(self.account(name), self.ledger, self.world.client_tls())

    def account(self, name):
        return next(a for a in self.accounts if a.name == name)

    def stop_traffic(self):
        if self.traffic:
            self.traffic.stop_clients_and_senders()

    # --- plan ----------------------------------------------------------------------------------------------------
    def plan(self, *arguments, accept=(0,), show=True, timeout=600, folder=None):
        if show:
            say(f"\n$ plan {' '.join(map(str, arguments))}")
        done = subprocess.run([PLAN, *map(str, arguments)], cwd=folder or self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=None if show else subprocess.PIPE, text=True, timeout=timeout)
        if show:
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
        if done.returncode not in accept:
            errors = "" if show else f"\n{done.stderr}"
            raise SystemExit(f"quickstart: plan {arguments[0]} ended with {done.returncode}{errors}")
        return done

    def apply(self, *arguments):
        """Runs apply with its progress on the terminal; returns its exit code."""
        say(f"\n$ plan apply {' '.join(arguments)}")
        return subprocess.run([PLAN, "apply", *arguments], cwd=self.work, stdin=subprocess.DEVNULL).returncode

    def apply_until_all_moved(self, *arguments):
        """Runs apply and presses Ctrl-C as soon as every account has moved; returns its exit code."""
        say(f"\n$ plan apply {' '.join(arguments)}")
        running = subprocess.Popen([PLAN, "apply", *arguments], cwd=self.work, stdin=subprocess.DEVNULL)
        while running.poll() is None:
            states = self.states()
            if states and all(state == "moved" for state in states.values()):
                say("^C (every account has moved)")
                running.send_signal(signal.SIGINT)
                break
            time.sleep(0.3)
        return running.wait(timeout=120)

    def finalize(self, *arguments):
        """Approves the last stage and applies it; returns apply's exit code."""
        self.plan("approve", "finalize")
        return self.apply(*arguments)

    def mail_to_the_public_port(self, accounts):
        """Sends a message to each over port 25 of the public name; returns what is wrong with the way it took."""
        wrong = []
        for account in accounts:
            identity = f"finalized-{account.name}"
            with smtplib.SMTP(local_hostname="mx.elsewhere.test", timeout=30, source_address=(world.OUTSIDE[0], 0)) as server:
                _, greeting = server.connect(world.PUBLIC, 25)
                if b"new.legacy.test" not in greeting:
                    wrong.append(f"{world.PUBLIC} port 25 greets with {greeting}")
                server.sendmail(f"max@{identity}.elsewhere.test", [account.address],
                                f"Subject: {identity}\r\nMessage-ID: <{identity}@elsewhere.test>\r\n\r\nafter the end\r\n")
            received = self.received_of(account, identity)
            if received is None:
                wrong.append(f"{account.address} did not get {identity}")
            elif any("old.legacy.test" in line for line in received):
                wrong.append(f"{identity} came through the source: {received}")
        return wrong

    def received_of(self, account, subject, seconds=10):
        """The Received lines of a message in the account's mailbox at the target; nothing when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            client = imaplib.IMAP4(world.TARGET, 143, timeout=30)
            client.starttls(self.world.client_tls_for_target())
            client.login(account.address, account.password)
            client.select("INBOX", readonly=True)
            _, found = client.uid("SEARCH", "SUBJECT", f'"{subject}"')
            if found and found[0]:
                _, parts = client.uid("FETCH", found[0].split()[0], "(BODY.PEEK[HEADER])")
                client.logout()
                header = email.message_from_bytes(next(p[1] for p in parts if isinstance(p, tuple)))
                return header.get_all("Received", [])
            client.logout()
            time.sleep(0.2)
        return None

    # --- the judge -----------------------------------------------------------------------------------------------
    def facts(self):
        ca = str(self.world.tls / "ca.crt")
        return {"manifest": str(self.folder / "manifest.jsonl"),
                "ledger": str(self.folder / "ledger.jsonl") if (self.folder / "ledger.jsonl").exists() else None,
                "accounts": [{"address": a.address, "password": a.password, "mailboxes": list(a.mailboxes),
                              "at": "source" if a.name in self.at_source else "target"} for a in self.accounts],
                "source": {"address": world.SOURCE, "ca": ca, "login": "{account}%" + world.MASTER[0], "password": world.MASTER[1]},
                "target": {"address": world.TARGET, "ca": ca, "login": "{account}", "url": "https://new.legacy.test",
                           "admin": "admin", "admin_password": ADMIN_PASSWORD},
                "holds": self.holds()}

    def status_of_accounts(self):
        done = self.plan("status", "--format", "json", show=False, accept=(0, 1, 2, 3, 4))
        try:
            return json.loads(done.stdout)["accounts"]
        except (ValueError, KeyError):
            return []

    def holds(self):
        return {a["account"]: a["held_ms"] for a in self.status_of_accounts() if a.get("held_ms") is not None}

    def states(self):
        return {a["account"]: a["state"] for a in self.status_of_accounts()}

    def identities_at_source(self, account):
        mailboxes = oracle.Server(self.facts()["source"]).mailboxes({"address": account.address, "password": account.password})
        return {message["id"] for messages in mailboxes.values() for message in messages}

    def judge(self):
        facts = self.facts()
        with open(self.folder / "facts.json", "w", encoding="utf-8") as file:
            json.dump(facts, file)
        return oracle.judge(facts, *oracle.read_world(facts)), facts

    def settle(self, seconds=90):
        """Waits until neither queue names one of our accounts."""
        facts = self.facts()
        addresses = {a.address for a in self.accounts}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            waiting = [r for _, r in oracle.source_queue() + oracle.target_queue(facts["target"]) if r.strip("<>").lower() in addresses]
            if not waiting:
                return True
            # What the target's ordinary limits deferred is tried again, as an operator would have it.
            subprocess.run(["postqueue", "-f"], check=False)
            time.sleep(2)
        return False

    def stop(self):
        self.stop_traffic()
        self.world.stop()


def there_and_back(migration, name):
    """Gives one account back with the mail that came to the target, lets the judge look, and begins to move it again, all of it
    under traffic. Returns (how much went back with it, by address; what was wrong while it lived at the source)."""
    account = migration.account(name)
    address = account.address
    say(f"\n{name} lives at the target now, gets mail there and tidies up; then the account is given back to the source")
    hand = migration.hand(name)
    gone = hand.delete("INBOX")
    hand.move("INBOX", "Moved", skip={gone})
    hand.close()
    time.sleep(2)
    left_behind = migration.identities_at_source(account)
    began = time.time()
    migration.plan("rollback", "--account", address, "--yes")
    time.sleep(1)
    migration.stop_traffic()
    migration.at_source = {name}
    migration.settle()
    (rows, wrong), facts = migration.judge()
    # What had been accepted for it before it went, is at the source now, and was not there when it left.
    accepted = {r["id"] for r in oracle.read_lines(facts["ledger"])
                if r["kind"] == "accepted" and address in r["accounts"] and r["time"] < began}
    now_there = next(r["ids"] for r in rows if r["account"] == address)
    carried = {address: len((now_there - left_behind) & accepted)}
    if not carried[address]:
        wrong.append(f"{address}: no mail came to the target before it went back: nothing was shown")
    print(f"\nWhere every message is after {name} went back, with {carried[address]} messages that had come to the target:\n")
    print(oracle.table(rows, facts["holds"], carried))
    print("nothing lost, nothing twice" if not wrong else "\n".join(f"WRONG: {line}" for line in wrong[:30]))
    say(f"\n{name} moves a second time; the same command also ends what was interrupted")
    migration.start_traffic()
    return carried, wrong


def story(arguments):
    began = time.monotonic()
    keep = arguments.folder is not None
    folder = pathlib.Path(arguments.folder or tempfile.mkdtemp(prefix="plan-quickstart-"))
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"quickstart: {folder} is not empty")
    migration = Migration(folder)
    try:
        say("A real Dovecot and Postfix with ten accounts start, and beside them the embedded target and the proxy ...")
        migration.start()
        say(f"{len(migration.manifest)} messages are in {len(migration.accounts)} accounts; now mail arrives all the time and "
            "every user's mail program is logged in")
        migration.start_traffic()
        migration.plan("fetch")
        migration.plan("check")
        migration.plan("diff", accept=(0, 2))
        # The sweeps behind the moves take a minute; Ctrl-C does not lose them.
        code = migration.apply_until_all_moved("migration.yaml", "--yes")
        if code != 3:
            raise SystemExit(f"quickstart: plan apply ended with {code}; logs are in {folder}")
        carried, wrong = there_and_back(migration, "dave")
        code = migration.apply("migration.yaml", "--yes")
        if code != 2:  # everybody has moved, and the last stage waits to be approved
            raise SystemExit(f"quickstart: plan apply ended with {code}; logs are in {folder}")
        migration.at_source = set()
        time.sleep(2)
        migration.stop_traffic()
        migration.settle()
        migration.plan("verify", accept=(0,))
        migration.plan("report", "--output", "report.html", show=False)
        (rows, wrong_at_end), facts = migration.judge()
        wrong += wrong_at_end
        counts = migration.ledger.counts
        logins = collections.Counter(r["account"] for r in oracle.read_lines(facts["ledger"]) if r["kind"] == "login")
        print("\nWhere every message is, as read from both servers and both queues (plan was not asked):\n")
        print(oracle.table(rows, facts["holds"], carried))
        print(f"\n{counts['accepted']} messages were accepted during the move, {counts['accepted late']} of them at a later try: "
              f"{counts['deferred']} times a server said `not now` (its ordinary limits), and the sender kept the message.\n"
              f"{counts['kept']} messages that nobody accepted are still with their senders, {counts['refused']} were refused for good")
        print(f"mail programs logged in {sum(logins.values())} times and flagged {counts['flagged']} messages")
        for line in wrong[:30]:
            print(f"WRONG: {line}")
        print("nothing lost, nothing twice" if not wrong else f"{len(wrong)} things are wrong; logs are in {folder}")
        code = migration.finalize("migration.yaml", "--yes")
        if code != 0:
            raise SystemExit(f"quickstart: plan apply ended with {code}; logs are in {folder}")
        direct = migration.mail_to_the_public_port(migration.accounts[:3])
        print("mail to port 25 of the public name arrives at the target itself" if not direct else "\n".join(direct))
        wrong += direct
        print(f"(the migration took {time.monotonic() - began:.0f} s; its work folder was {folder})")
        return 1 if wrong else 0
    finally:
        migration.stop()
        if not keep and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="examples/quickstart/run")
    parser.add_argument("--folder", help="work folder; it is kept (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    sys.exit(story(parser.parse_args()))


if __name__ == "__main__":
    main()
