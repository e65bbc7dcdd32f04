"""The ten accounts of the quickstart and the mail they have before the migration.

Mail is written straight into Maildirs: dates, flags and odd mailbox names are under control, and the manifest that the
oracle judges by is written by the same hand that wrote the mail, not read back from a server.
"""

import base64
import dataclasses
import hashlib
import os
import random
import subprocess

from world import DOMAIN, VMAIL_UID

FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S"}


@dataclasses.dataclass
class Account:
    name: str
    messages: int
    password: str = ""
    hash_text: str = ""
    extra: str = ""
    aliases: tuple = ()
    mailboxes: tuple = ("INBOX",)
    sieve: dict = dataclasses.field(default_factory=dict)
    active_sieve: str = ""

    @property
    def address(self):
        return f"{self.name}@{DOMAIN}"


def crypt(kind, password, salt):
    return subprocess.run(["openssl", "passwd", kind, "-salt", salt, password], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


FILE_LISTS = 'require ["fileinto", "mailbox"];\nif header :contains "List-Id" "news" {\n  fileinto :create "Lists";\n}\n'
VACATION = 'require ["vacation"];\nvacation :days 7 :subject "away" "I am back on Monday.";\n'
# Throws away what has no sender: bounces, and the probes of a move too.
NO_BOUNCES = 'require ["envelope"];\nif envelope :is "from" "" {\n  discard;\n  stop;\n}\n'

PEOPLE = [
    Account("alice", 2000, mailboxes=("INBOX", "Sent", "Archive/2024", "Archive/2025")),
    Account("bob", 0),
    Account("carol", 60, mailboxes=("INBOX", "Entwürfe & Ideen", "日本語", "with blank", "a.b", "Été/Été 2024", "-dash", "50% done")),
    Account("dave", 40, sieve={"lists": FILE_LISTS, "away": VACATION}, active_sieve="lists"),
    Account("erin", 30, aliases=("info", "sales")),
    Account("frank", 25, sieve={"no-bounces": NO_BOUNCES}, active_sieve="no-bounces"),
    Account("grace", 80, mailboxes=("INBOX", "Junk", "Trash")),
    Account("heidi", 20, extra="userdb_quota_rule=*:storage=500M"),
    Account("ivan", 50, mailboxes=("INBOX", "Projects/One/Two/Three")),
    Account("judy", 35),
]
TEAM = f"team@{DOMAIN}"


def prepare_accounts():
    for number, account in enumerate(PEOPLE):
        account.password = f"{account.name}-Passw0rd"
        salt = f"salt{number:02d}{account.name}"[:16]
        if account.name == "frank":
            # Behind Dovecot's scheme prefix the target would take this hash for the password itself: it must be rewritten.
            account.hash_text = "{SHA512-CRYPT}" + crypt("-6", account.password, salt)
        elif account.name == "grace":
            digest = hashlib.sha256(account.password.encode() + b"pepper77").digest()
            account.hash_text = "{SSHA256}" + base64.b64encode(digest + b"pepper77").decode()
        else:
            account.hash_text = crypt("-6", account.password, salt)
    aliases = {f"{alias}@{DOMAIN}": [a.address] for a in PEOPLE for alias in a.aliases}
    aliases[TEAM] = [f"{name}@{DOMAIN}" for name in ("alice", "bob", "judy")]
    return PEOPLE, aliases


def one_message(rng, account, number, when):
    """A message as bytes with CRLF. Every fifth is multipart with an attachment, some headers are folded or encoded."""
    identity = f"before-{account.name}-{number}"
    body_lines = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(4, 12))) for _ in range(rng.randint(2, 30))]
    head = [f"From: =?utf-8?Q?Max_M=C3=BCller?= <max@elsewhere.test>", f"To: {account.address}",
            f"Subject: {rng.choice(WORDS)} {number}", f"Message-ID: <{identity}@elsewhere.test>",
            f"Date: {when_text(when)}", f"X-Quickstart-Id: {identity}", "MIME-Version: 1.0"]
    if number % 5 == 0:
        blob = base64.encodebytes(rng.randbytes(rng.randint(500, 6000))).decode().replace("\n", "\r\n")
        boundary = f"=_{number}_{rng.getrandbits(40):x}"
        head.append(f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"')
        body = (f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "\r\n".join(body_lines) +
                f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{blob}" +
                f"--{boundary}--\r\n")
    else:
        head.append("Content-Type: text/plain; charset=utf-8")
        body = "\r\n".join(body_lines) + "\r\n"
    return identity, ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def when_text(when):
    import email.utils
    return email.utils.formatdate(when, localtime=False)


def write_mail(folder, seed=1):
    """Fills the Maildirs and returns the manifest: one record a message."""
    rng = random.Random(seed)
    manifest = []
    for account in PEOPLE:
        home = folder / "mail" / DOMAIN / account.name
        for mailbox in account.mailboxes:
            for part in ("cur", "new", "tmp"):
                (maildir(home, mailbox) / part).mkdir(parents=True, exist_ok=True)
        for number in range(account.messages):
            mailbox = account.mailboxes[number % len(account.mailboxes)]
            when = 1_600_000_000 + number * 86_400 // 3 + rng.randint(0, 40_000)
            identity, content = one_message(rng, account, number, when)
            flags = [f for f in FLAG_LETTERS if rng.random() < (0.6 if f == "\\Seen" else 0.12)]
            letters = "".join(sorted(FLAG_LETTERS[f] for f in flags))
            stored = content.replace(b"\r\n", b"\n") if number % 2 else content
            name = f"{when}.M{number}P1.quickstart,S={len(stored)},W={len(content)}:2,{letters}"
            path = maildir(home, mailbox) / "cur" / name
            path.write_bytes(stored)
            os.utime(path, (when, when))
            manifest.append({"account": account.address, "mailbox": mailbox, "id": identity, "flags": sorted(flags),
                             "sha256": hashlib.sha256(content).hexdigest(), "date": when})
        for name, script in account.sieve.items():
            (home / "sieve").mkdir(exist_ok=True)
            (home / "sieve" / f"{name}.sieve").write_text(script)
        if account.active_sieve:
            (home / ".dovecot.sieve").symlink_to(f"sieve/{account.active_sieve}.sieve")
    for path, folders, files in os.walk(folder / "mail"):
        for name in [*folders, *files]:
            os.lchown(os.path.join(path, name), VMAIL_UID, VMAIL_UID)
    return manifest


def maildir(home, mailbox):
    """Maildir with LAYOUT=fs: INBOX is the root, folders are folders with modified UTF-7 names (RFC 3501, 5.1.3)."""
    root = home / "Maildir"
    return root if mailbox == "INBOX" else root.joinpath(*(utf7(part) for part in mailbox.split("/")))


def utf7(name):
    out, run = [], []

    def flush():
        if run:
            coded = base64.b64encode("".join(run).encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            out.append(f"&{coded}-")
            run.clear()

    for character in name:
        if 0x20 <= ord(character) <= 0x7E:
            flush()
            out.append("&-" if character == "&" else character)
        else:
            run.append(character)
    flush()
    return "".join(out)


WORDS = ("budget meeting tomorrow invoice harbour window tree letter garden café naïve report über Straße stone river paper "
         "question answer station winter summer bridge morning evening bread salt silver copper").split()
