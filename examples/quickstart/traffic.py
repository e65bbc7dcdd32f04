"""Mail and clients that go on while the accounts move, and the ledger of what they were promised.

A promise is an answer: a message counts from the 250 after its data, a flag from the tagged OK. What got no answer is
kept as "perhaps": the oracle accepts it once or not at all, never twice. A temporary refusal (4xx) is no promise either: the
sender keeps the message and offers it again, as every mail server does, until it is accepted.
"""

import collections
import dataclasses
import imaplib
import json
import random
import smtplib
import socket
import threading
import time

import world


class Ledger:
    """Append-only file of promises, one JSON object a line."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self.counts = collections.Counter()

    def write(self, kind, **record):
        with self._lock:
            self.counts[kind] += 1
            self._file.write(json.dumps({"kind": kind, "time": time.time(), **record}) + "\n")
            self._file.flush()



class Worker(threading.Thread):
    def __init__(self, traffic, name):
        super().__init__(name=name, daemon=True)
        self.traffic = traffic
        self.ledger = traffic.ledger
        self.rng = random.Random(name)

    def pause(self, seconds):
        return self.traffic.stopping.wait(seconds)

    def run(self):
        while not self.traffic.stopping.is_set():
            try:
                self.work()
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as failure:
                self.ledger.write("trouble", who=self.name, what=f"{type(failure).__name__}: {failure}"[:300])
                self.pause(0.3)


# A mail server waits minutes; here everything is quicker.
SECONDS_BETWEEN_TRIES = 2
SECONDS_FOR_THE_LAST = 40
# A sender that is over its limit of an hour gets nothing in any more: after so long without a single message taken it gives up.
SECONDS_OF_REFUSALS = 8


@dataclasses.dataclass
class Message:
    sender: str
    recipient: str
    text: str
    record: dict
    is_late: bool = False  # it was refused for now at least once


class Sender(Worker):
    """Sends one message after the other, to each account in turn, over one way in: a port 25 or submission."""

    def __init__(self, traffic, way, host, port, interval, login=None):
        super().__init__(traffic, f"sender-{way}")
        self.way, self.host, self.port, self.interval, self.login = way, host, port, interval, login
        self.number = traffic.first
        self.waiting = collections.deque()  # (when it is offered again, message): refused for now
        self.last_taken = 0.0

    def run(self):
        super().run()
        deadline = time.monotonic() + SECONDS_FOR_THE_LAST
        self.last_taken = time.monotonic()
        while self.waiting and time.monotonic() < min(deadline, self.last_taken + SECONDS_OF_REFUSALS):
            try:
                self.work(is_last=True)
            except (OSError, smtplib.SMTPException):
                pass
            time.sleep(0.5)
        for _, message in self.waiting:
            self.ledger.write("kept", **message.record)

    def work(self, is_last=False):
        source = self.rng.choice(world.OUTSIDE)
        server = smtplib.SMTP(local_hostname="mx.elsewhere.test", timeout=60, source_address=(source, 0))
        server.connect(self.host, self.port)
        server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with server:
            if self.login:
                server._host = world.PUBLIC  # the name that STARTTLS checks
                server.starttls(context=self.traffic.tls)
                server.login(self.login.address, self.login.password)
            server.ehlo_or_helo_if_needed()
            for _ in range(10):  # the target takes ten messages in a session
                if self.traffic.stopping.is_set() and not (is_last and self.waiting):
                    return
                is_due = self.waiting and (is_last or self.waiting[0][0] < time.monotonic())
                self.offer(server, self.waiting.popleft()[1] if is_due else self.next_message())
                if self.pause(self.interval) and not is_last:
                    return

    def next_message(self):
        self.number += 1
        people = self.traffic.people
        account = people[self.number % len(people)]
        recipient, readers = account.address, [account.address]
        if account.aliases and self.number % 3 == 0:
            recipient = f"{account.aliases[0]}@{world.DOMAIN}"
        elif self.number % 23 == 0:
            recipient, readers = self.traffic.team
        identity = f"during-{self.way}-{self.number}"
        # A sender domain of its own for each message: the target allows 25 an hour from one domain to one recipient.
        sender = self.login.address if self.login else f"max@d{self.number}.elsewhere.test"
        text = (f"From: {sender}\r\nTo: {recipient}\r\nSubject: {identity}\r\nMessage-ID: <{identity}@elsewhere.test>\r\n"
                f"X-Quickstart-Id: {identity}\r\n\r\nsent over {self.way}, number {self.number}\r\n")
        return Message(sender, recipient, text, {"id": identity, "accounts": readers, "way": self.way})

    def offer(self, server, message):
        record = message.record
        self.ledger.write("try", **record)
        try:
            code, answer = server.mail(message.sender)
            if code == 250:
                code, answer = server.rcpt(message.recipient)
            if code == 250:
                code, answer = server.data(message.text.encode())
            else:
                server.rset()
        except smtplib.SMTPDataError as refusal:  # before anything of the message was sent
            code, answer = refusal.smtp_code, refusal.smtp_error
        except (OSError, smtplib.SMTPException):
            self.ledger.write("perhaps", **record)
            raise
        if code == 250:
            self.last_taken = time.monotonic()
            self.ledger.write("accepted", **record)
            if message.is_late:
                self.ledger.counts["accepted late"] += 1
            return
        answer = answer.decode(errors="replace")[:200]
        if code < 500:
            self.ledger.write("deferred", code=code, answer=answer, **record)
            message.is_late = True
            self.waiting.append((time.monotonic() + SECONDS_BETWEEN_TRIES, message))
        else:
            self.ledger.write("refused", code=code, answer=answer, **record)
        if code >= 500 or code == 421:
            self.pause(0.2)
        if code == 421:  # it closes the connection
            raise smtplib.SMTPServerDisconnected(answer)


class Client(Worker):
    """A mail program: stays logged in through the public name, looks at the INBOX, and flags a message now and then."""

    def __init__(self, traffic, account):
        super().__init__(traffic, f"client-{account.name}")
        self.account = account
        self.flagged = set()

    def work(self):
        began = time.monotonic()
        client = imaplib.IMAP4(world.PUBLIC, 143, timeout=60)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.starttls(self.traffic.tls)
        client.login(self.account.address, self.account.password)
        waited = time.monotonic() - began
        self.ledger.write("login", account=self.account.address, seconds=round(waited, 3))
        try:
            client.select("INBOX")
            for turn in range(10_000):
                if self.traffic.stopping.is_set():
                    return
                client.noop()
                if turn % 8 == 3:
                    self.flag_one(client)
                if self.pause(0.5 + self.rng.random()):
                    return
        finally:
            try:
                client.logout()
            except (OSError, imaplib.IMAP4.error):
                pass

    def flag_one(self, client):
        _, found = client.uid("SEARCH", "UNFLAGGED")
        uids = found[0].split() if found and found[0] else []
        if not uids:
            return
        uid = self.rng.choice(uids[:50])
        _, answer = client.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (X-Quickstart-Id)])")
        texts = [part[1].decode() for part in answer if isinstance(part, tuple)]
        identity = texts[0].split(":", 1)[1].strip() if texts and ":" in texts[0] else ""
        if not identity or identity in self.flagged:
            return
        self.flagged.add(identity)
        record = {"id": identity, "account": self.account.address, "flag": "\\Flagged"}
        self.ledger.write("flag-try", **record)
        client.uid("STORE", uid, "+FLAGS", "(\\Flagged)")
        self.ledger.write("flagged", **record)


class Hand:
    """A user who tidies up: moves and deletes messages through the public name, and notes what the server said OK to."""

    def __init__(self, account, ledger, tls):
        self.account, self.ledger = account, ledger
        self.client = imaplib.IMAP4(world.PUBLIC, 143, timeout=60)
        self.client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.starttls(tls)
        self.client.login(account.address, account.password)

    def find(self, mailbox, skip=()):
        """(uid, identity) of the oldest message of a mailbox that is not among `skip`."""
        self.client.select(mailbox)
        _, answer = self.client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (X-Quickstart-Id)])")
        for part in answer:
            if not isinstance(part, tuple) or b":" not in part[1]:
                continue
            identity = part[1].decode().split(":", 1)[1].strip()
            if identity and identity not in skip:
                return part[0].split(b"UID ")[1].split()[0].decode(), identity
        raise SystemExit(f"quickstart: {self.account.address} has no message in {mailbox}")

    def move(self, mailbox, to, skip=()):
        uid, identity = self.find(mailbox, skip)
        self.client.create(to)
        self.ledger.write("move-try", account=self.account.address, id=identity, mailbox=to)
        status, _ = self.client.uid("MOVE", uid, to)
        if status == "OK":
            self.ledger.write("moved", account=self.account.address, id=identity, mailbox=to)
        return identity

    def delete(self, mailbox, skip=()):
        uid, identity = self.find(mailbox, skip)
        self.ledger.write("delete-try", account=self.account.address, id=identity)
        if self._expunge(uid) == "OK":
            self.ledger.write("deleted", account=self.account.address, id=identity)
        return identity

    def flag(self, mailbox, flags, skip=()):
        uid, identity = self.find(mailbox, skip)
        record = {"account": self.account.address, "id": identity, "flags": flags}
        status, _ = self.client.uid("STORE", uid, "+FLAGS", f"({flags})")
        if status == "OK":
            self.ledger.write("flags-added", **record)
        return identity

    def _expunge(self, uid):
        self.client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        return self.client.uid("EXPUNGE", uid)[0]

    def close(self):
        self.client.logout()


class Traffic:
    def __init__(self, people, team, ledger, tls, interval, first=0):
        """`team`: (address of the list, addresses of its readers). `first`: where messages are numbered from."""
        self.first = first
        self.people, self.team, self.ledger, self.tls = people, team, ledger, tls
        self.stopping = threading.Event()
        submitter = people[-1]
        self.workers = [Sender(self, "source-25", world.PUBLIC, 25, interval),
                        Sender(self, "target-25", world.TARGET, 25, interval),
                        Sender(self, "submission", world.PUBLIC, 587, interval, login=submitter),
                        *(Client(self, account) for account in people)]

    def start(self):
        for worker in self.workers:
            worker.start()

    def stop_clients_and_senders(self):
        self.stopping.set()
        for worker in self.workers:
            worker.join(70)
