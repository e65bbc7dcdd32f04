#!/usr/bin/env python3
"""All of ../shared/data/mail goes through a move and back: every message, mailbox name and script lies at a real Dovecot, moves
to the embedded target, and is carried back to the Dovecot. What a server refuses is listed by name; nothing else may differ.

The way there is seen on the accounts `real` (messages, mailbox names) and `scriptsN`. The way back is seen on `back`: its
mailbox is empty at the source, gets everything at the target, and is given back.
"""

import base64
import collections
import hashlib
import imaplib
import json
import os
import pathlib
import re
import socket
import sys
import tempfile
import time

import in_namespace

SHARED = in_namespace.ROOT / ".." / "shared" / "data" / "mail"
if not SHARED.is_dir():
    print("skipped real_mail_test.py: this clone has no ../shared/data/mail")
    sys.exit(0)
in_namespace.enter()

import oracle  # noqa: E402
import people  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402

SCRIPTS_AN_ACCOUNT = 100  # the target's own bound


def messages_of_mbox(content):
    """The messages of one mbox file, without their `From ` lines."""
    parts = re.split(rb"(?m)^From [^\n]*\n", content)
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", part) for part in parts if part]


def read_shared():
    """[(mailbox, bytes)]: each file of eml/, each message of mbox/, and each calendar and card as the body of a message."""
    found = []
    for path in sorted((SHARED / "eml").iterdir()):
        found.append((f"eml/{path.name[0]}", path.name, path.read_bytes()))
    for path in sorted((SHARED / "mbox").iterdir()):
        for number, content in enumerate(messages_of_mbox(path.read_bytes())):
            found.append((f"mbox/{path.name[0]}", f"{path.name}#{number}", content))
    for kind, media in (("ics", "text/calendar"), ("vcf", "text/vcard")):
        for path in sorted((SHARED / kind).iterdir()):
            head = f"From: <a@elsewhere.test>\r\nSubject: {path.name}\r\nMIME-Version: 1.0\r\nContent-Type: {media}\r\n\r\n"
            found.append((f"{kind}/{path.name[0]}", path.name, head.encode() + path.read_bytes()))
    return found


def odd_mailbox_names():
    """The names of folders.tsv that can be a name at all, decoded."""
    rows = [line.split("\t") for line in (SHARED / "folders.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    return [row[1] for row in rows if row[2] == "yes"]


def write_maildirs(folder, accounts):
    """Puts everything into the Maildirs of the source, and says how much that was."""
    home = folder / "mail" / world.DOMAIN / "real"
    letters = ["", "S", "FS", "RS", "D"]
    made = collections.Counter()
    for number, (mailbox, _, content) in enumerate(read_shared()):
        place = people.maildir(home, mailbox)
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        when = 1_500_000_000 + number * 3_601
        path = place / "cur" / f"{when}.M{number}P1.real:2,{letters[number % len(letters)]}"
        path.write_bytes(content)
        os.utime(path, (when, when))
        made[mailbox.split("/")[0]] += 1
    scripts = sorted((SHARED / "sieve").iterdir())
    for number, path in enumerate(scripts):
        sieve = folder / "mail" / world.DOMAIN / accounts[number // SCRIPTS_AN_ACCOUNT].name / "sieve"
        sieve.mkdir(parents=True, exist_ok=True)
        (sieve / f"{path.stem}.sieve").write_bytes(path.read_bytes())
        made["sieve"] += 1
    for path, folders, files in os.walk(folder / "mail"):
        for name in [*folders, *files]:
            os.lchown(os.path.join(path, name), world.VMAIL_UID, world.VMAIL_UID)
    return made


def fast_folder():
    """Where a durable write costs nothing, if there is room: this test is about content, and crashes have tests of their own."""
    memory = pathlib.Path("/dev/shm")
    if not memory.is_dir():
        return None
    free = os.statvfs(memory)
    return memory if free.f_bavail * free.f_frsize > 2_000_000_000 else None


def people_of(count_of_scripts):
    holders = [people.Account(f"scripts{n}", 0) for n in range(-(-count_of_scripts // SCRIPTS_AN_ACCOUNT))]
    names = [people.Account("real", 0), people.Account("back", 0), *holders]
    for account in names:
        account.password = f"{account.name}-Passw0rd"
        account.hash_text = people.crypt("-6", account.password, f"salt{account.name}"[:16])
    return names, holders


def content(server, account):
    """{mailbox: Counter of (digest, flags, date)}"""
    found = oracle.Server(server).mailboxes({"address": account.address, "password": account.password})
    return {name: collections.Counter((m["sha256"], tuple(sorted(m["flags"])), m["date"]) for m in messages)
            for name, messages in found.items()}


def differences(here, there, may_miss=None):
    """What one side has and the other has not, as readable lines. `may_miss`: how many of each mailbox were refused by name."""
    lines = []
    may_miss = may_miss or {}
    for name in sorted(here.keys() | there.keys()):
        if name not in here or name not in there:
            lines.append(f"mailbox {name} is on one side only")
            continue
        missing, extra = here[name] - there[name], there[name] - here[name]
        if sum(missing.values()) != may_miss.get(name, 0):
            lines.append(f"{name}: missing are {dict(missing)}, refused were {may_miss.get(name, 0)}")
        if extra:
            lines.append(f"{name}: too much is {dict(extra)}")
    return lines


def connect(migration, address, account):
    client = imaplib.IMAP4(address, 143, timeout=60)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.starttls(migration.world.client_tls_for_target())
    client.login(account.address, account.password)
    return client


def quoted(name):
    return '"' + people.utf7(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def ask(command):
    """(whether a server did it, its words)"""
    try:
        status, words = command()
        return status == "OK", (words[0] or b"").decode(errors="replace")
    except imaplib.IMAP4.error as mistake:
        return False, str(mistake)


def create_odd_mailboxes(migration, account):
    """Over IMAP, so that it is the source that refuses a name; returns {refused: words}."""
    client = connect(migration, world.SOURCE, account)
    refused = {}
    for name in odd_mailbox_names():
        is_done, words = ask(lambda name=name: client.create(quoted("Names/" + name)))
        if not is_done:
            refused[f"mailbox {name}"] = words
    client.logout()
    return refused


def read_raw(server, account):
    """[(mailbox, bytes, flags, date)] as a server shows them."""
    client = oracle.Server(server)
    seen = []

    def keep(connection):
        _, parts = connection.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
        found = []
        for part, tail in zip(parts, parts[1:] + [b""]):
            if isinstance(part, tuple):
                said = part[0] + (tail if isinstance(tail, bytes) else b"")
                flags = {f.decode() for f in imaplib.ParseFlags(said)} - oracle.IGNORED_FLAGS
                found.append((part[1], sorted(flags), imaplib.Internaldate2tuple(said)))
        return found

    client.messages = keep
    for mailbox, messages in client.mailboxes({"address": account.address, "password": account.password}).items():
        seen += [(mailbox, *message) for message in messages]
        if not messages:
            seen.append((mailbox, None, [], None))
    return seen


def bring_to_target(migration, account, messages):
    """Puts everything into the account at the target, as its user would; returns {refused: words}."""
    client = connect(migration, world.TARGET, account)
    refused = {}
    for mailbox in sorted({m[0] for m in messages} - {"INBOX", *oracle.SPECIAL_USES.values()}):
        is_done, words = ask(lambda mailbox=mailbox: client.create(quoted(mailbox)))
        if not is_done and "exist" not in words.lower():
            refused[f"mailbox {mailbox}"] = words
    for mailbox, body, flags, date in messages:
        if body is None or f"mailbox {mailbox}" in refused:
            continue
        is_done, words = ask(lambda: client.append(quoted(mailbox), "(" + " ".join(flags) + ")", imaplib.Time2Internaldate(date), body))
        if not is_done:
            refused[f"message {hashlib.sha256(body).hexdigest()[:16]} of {mailbox}"] = words
    client.logout()
    return refused


class Sieve:
    """The few commands of ManageSieve (RFC 5804) that the comparison needs."""

    def __init__(self, migration, address, account):
        self.socket = socket.create_connection((address, 4190), timeout=60)
        self.file = self.socket.makefile("rb")
        self.answer()
        self.command(b"STARTTLS")
        self.socket = migration.world.client_tls_for_target().wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.answer()
        token = base64.b64encode(b"\0" + account.address.encode() + b"\0" + account.password.encode()).decode()
        if not self.command(f'AUTHENTICATE "PLAIN" "{token}"'.encode())[0]:
            raise SystemExit(f"real_mail_test: {account.address} cannot log in at {address}")

    def answer(self):
        """(whether it is OK, its words, what came before it: lines and literals)"""
        before = []
        while True:
            line = self.file.readline()
            if not line:
                raise SystemExit("real_mail_test: the ManageSieve server closed the connection")
            if line[:2] in (b"OK", b"NO") or line[:3] == b"BYE":
                words = line.decode(errors="replace").strip()
                if line.rstrip().endswith(b"}"):
                    words += " " + self.file.read(int(re.search(rb"\{(\d+)\+?\}$", line.rstrip())[1])).decode(errors="replace")
                    self.file.readline()
                return line.startswith(b"OK"), words, before
            size = re.match(rb"^\{(\d+)\+?\}\r\n$", line)
            before.append(self.file.read(int(size[1])) if size else line.rstrip(b"\r\n"))

    def command(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.answer()

    def scripts(self):
        """{name: content}; line ends are as the server shows them."""
        _, _, listed = self.command(b"LISTSCRIPTS")
        found = {}
        for line in listed:
            name = re.match(rb'^"((?:[^"\\]|\\.)*)"', line)[1].decode()
            _, _, content = self.command(f'GETSCRIPT "{name}"'.encode())
            found[name] = max(content, key=len)
        return found

    def put(self, name, content):
        return self.command(f'PUTSCRIPT "{name}" {{{len(content)}+}}'.encode() + b"\r\n" + content)[:2]

    def close(self):
        self.command(b"LOGOUT")
        self.socket.close()


def scripts_of(migration, address, account):
    sieve = Sieve(migration, address, account)
    found = sieve.scripts()
    sieve.close()
    return found


def refused_by_name(migration, accounts):
    """{account: {what is refused: words}} as plan verify lists them, and every other difference that is more than `good`."""
    chosen = [word for a in accounts for word in ("--account", a.address)]
    done = migration.plan("verify", *chosen, "--format", "json", show=False, accept=range(256))
    refused, others = collections.defaultdict(dict), []
    for account in json.loads(done.stdout)["accounts"]:
        if len(account["differences"]) != account["differences_count"]:
            others.append(f"{account['account']}: {account['differences_count']} differences, listed are {len(account['differences'])}")
        for one in account["differences"]:
            if one["grade"] == "investigate" and one["text"].startswith("the target refuses"):
                refused[account["account"]][one["where"]] = one["text"]
            elif one["grade"] not in ("perfect", "good"):
                others.append(f"{account['account']}: {one}")
    return refused, others


def same_line_ends(scripts):
    return {name: content.replace(b"\r\n", b"\n").strip() for name, content in scripts.items()}


def without_empty_parents(mailboxes, other):
    """Without empty mailboxes that the other side has as a parent only, which cannot be selected there."""
    return {name: messages for name, messages in mailboxes.items()
            if messages or name in other or not any(child.startswith(name + "/") for child in other)}


def check_the_way_there(report, migration, real, holders, before, scripts_before):
    code = migration.apply("migration.yaml", "--yes")
    report.check("what the target refuses makes the account wait for an approval", code == 2, f"exit code {code}")
    refused, others = refused_by_name(migration, [real, *holders])
    report.check("everything that is not at the target is named, with the target's reason", not others, "\n".join(others))
    waiting = [a for a in migration.accounts if refused[a.address]]
    states = migration.states()
    report.check("these accounts are at the source, unheld", waiting and all(states[a.address] == "undone" for a in waiting), states)
    for subject in ["last", *(a.address for a in waiting)]:
        migration.plan("approve", subject, show=False)
    code = migration.apply_until_all_moved("migration.yaml", "--yes")
    report.check("approved, they move with what the target takes", set(migration.states().values()) == {"moved"},
                 f"exit code {code}: {migration.states()}")
    print(f"  refused by the target: {dict(collections.Counter(w.split(':')[1].strip() for r in refused.values() for w in r.values()))}")
    there = content(migration.facts()["target"], real)
    lost = collections.Counter(name.rpartition(" uid ")[0] for name in refused[real.address])
    wrong = differences(before, without_empty_parents(there, before), may_miss=lost)
    report.check("every other message is at the target once, with its bytes, flags and date", not wrong, "\n".join(wrong[:40]))
    for account in holders:
        expected = {name: script for name, script in same_line_ends(scripts_before[account.name]).items()
                    if f"Sieve script {name}" not in refused[account.address]}
        has = same_line_ends(scripts_of(migration, world.TARGET, account))
        report.check(f"every other script of {account.name} is at the target", has == expected,
                     sorted(set(has.items()) ^ set(expected.items()))[:3])
    return waiting


def check_the_way_back(report, migration, real, back, holders, before, scripts_before):
    servers = migration.facts()
    everything = read_raw(servers["source"], real)
    refused = bring_to_target(migration, back, everything)
    print(f"  refused by the target over IMAP: {dict(collections.Counter(w.split('(')[0] for w in refused.values()))}")
    sieve = Sieve(migration, world.TARGET, back)
    taken = {}
    for name, script in scripts_before[holders[0].name].items():
        if sieve.put(name, script)[0]:
            taken[name] = script
    sieve.close()
    there = content(servers["target"], back)
    brought = sum(sum(m.values()) for m in there.values())
    count = sum(1 for m in everything if m[1] is not None)
    report.check("the account at the target has all but what it refused by name",
                 brought == count - sum(1 for what in refused if what.startswith("message")), (brought, count, len(refused)))
    done = migration.plan("rollback", "--account", back.address, "--yes", show=False, accept=range(256))
    words = done.stdout + done.stderr
    kept = set(re.findall(r"Sieve script (\S+) stays at the target: the server refuses the script", words))
    print(f"  refused by the source: {len(kept)} of {len(taken)} scripts, for extensions that it has not")
    report.check("the account goes back to the source", done.returncode == 0, words[-4000:])
    here = content(servers["source"], back)
    wrong = differences(without_empty_parents(there, here), without_empty_parents(here, there))
    report.check("with every message once, with its bytes, flags and date", not wrong, "\n".join(wrong[:40]))
    has = scripts_of(migration, world.SOURCE, back)
    expected = {name: script for name, script in same_line_ends(taken).items() if name not in kept}
    report.check("and every script, but what the source refused by name", expected and same_line_ends(has) == expected,
                 (len(has), len(expected), set(has) ^ set(expected)))
    done = migration.plan("rollback", "--wave", "all", "--yes", show=False, accept=range(256))
    report.check("all others go back too", done.returncode == 0, (done.stdout + done.stderr)[-4000:])
    wrong = differences(before, content(servers["source"], real))
    report.check("and the source has what it had before", not wrong, "\n".join(wrong[:40]))
    for account in holders:
        report.check(f"also the scripts of {account.name}", scripts_of(migration, world.SOURCE, account) == scripts_before[account.name])


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-real-mail-", dir=fast_folder())
    accounts, holders = people_of(len(list((SHARED / "sieve").iterdir())))
    people.PEOPLE[:] = accounts
    people.prepare_accounts = lambda: (accounts, {})
    migration = quickstart.Migration(folder)
    try:
        migration.start()
        made = write_maildirs(pathlib.Path(folder), holders)
        plan = migration.work / "migration.yaml"
        # Nobody has moved when the first apply ends, so it does not wait for the sweeps behind a move.
        first = ", ".join(a.address for a in accounts if a.name != "back")
        waves = f"waves:\n  - {{name: all, parallel: 4, stop_when: {{failed: 20}}, accounts: [{first}]}}\n"
        waves += f"  - {{name: last, hold: approval, accounts: [back@{world.DOMAIN}]}}\n\n"
        # 137 mailboxes on a busy machine: how long a hold takes is not what this test is about.
        waves += "move: {hold_bound: 60s}\n\n"
        plan.write_text(re.sub(r"(?ms)^waves:.*?\n\n", waves, plan.read_text()))
        real, back = migration.account("real"), migration.account("back")
        refused_names = create_odd_mailboxes(migration, real)
        print(f"  at the source: {dict(made)}; mailbox names it refuses: {sorted(refused_names)}")
        source = migration.facts()["source"]
        before = content(source, real)
        count = sum(sum(m.values()) for m in before.values())
        report.check("the source shows every message", count == sum(made.values()) - made["sieve"], (count, made))
        scripts_before = {a.name: scripts_of(migration, world.SOURCE, a) for a in holders}
        report.check("the source shows every script", sum(map(len, scripts_before.values())) == made["sieve"])
        migration.plan("fetch", show=False)
        check_the_way_there(report, migration, real, holders, before, scripts_before)
        check_the_way_back(report, migration, real, back, holders, before, scripts_before)
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
