#!/usr/bin/env python3
"""The judge of a migration. It knows nothing of plan: it compares what was written before the migration and what senders
and clients were promised meanwhile with what it reads, over the wire, from both servers and both queues.

    oracle.py FACTS.json      FACTS: {"manifest": file, "ledger": file, "accounts": [...], "source": {...}, "target": {...}}

Exit 0: nothing lost, nothing twice. Exit 1: it says what is. Standard library only.
"""

import collections
import hashlib
import imaplib
import json
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
import base64

IGNORED_FLAGS = {"\\Recent"}
# A mailbox with a special use is the same mailbox whatever a server calls it ("Sent", "Sent Items"): RFC 6154.
SPECIAL_USES = {b"\\sent": "Sent", b"\\trash": "Trash", b"\\junk": "Junk", b"\\drafts": "Drafts"}
MAILBOX_LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?P<separator>NIL|"(?:[^"\\]|\\.)*") (?P<name>.*)', re.S)
imaplib._MAXLINE = 10_000_000


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def utf7_decode(name):
    out, at = [], 0
    while at < len(name):
        if name[at] != "&":
            out.append(name[at])
            at += 1
            continue
        end = name.index("-", at)
        coded = name[at + 1:end].replace(",", "/")
        out.append("&" if not coded else base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-16-be"))
        at = end + 1
    return "".join(out)


class Server:
    """One server's mailboxes, read by IMAP."""

    def __init__(self, facts):
        self.facts = facts
        self.tls = ssl.create_default_context(cafile=facts["ca"])
        self.tls.check_hostname = False

    def mailboxes(self, account):
        """{mailbox: [(id, sha256 of the content, flags, internal date)]} of one account."""
        user = self.facts["login"].replace("{account}", account["address"])
        password = self.facts.get("password") or account["password"]
        client = imaplib.IMAP4(self.facts["address"], 143, timeout=60)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.starttls(self.tls)
        client.login(user, password)
        found = {}
        status, lines = client.list('""', '"*"')
        for line in lines:
            if line is None:
                continue
            raw = line[0] + b" " + line[1] if isinstance(line, tuple) else line
            match = MAILBOX_LINE.match(raw)
            if b"\\noselect" in match["flags"].lower() or b"\\nonexistent" in match["flags"].lower():
                continue
            coded = line[1].decode() if isinstance(line, tuple) else match["name"].decode().strip()
            if not isinstance(line, tuple) and coded.startswith('"'):
                coded = re.sub(r"\\(.)", r"\1", coded[1:-1])
            separator = match["separator"].decode().strip('"') or "/"
            name = utf7_decode(coded)
            special = next((use for flag, use in SPECIAL_USES.items() if flag in match["flags"].lower().split()), None)
            quoted = '"' + coded.replace("\\", "\\\\").replace('"', '\\"') + '"'
            status, _ = client.select(quoted, readonly=True)
            if status != "OK":
                raise SystemExit(f"oracle: cannot select {name} of {account['address']}")
            found.setdefault(special or "/".join(name.split(separator)), []).extend(self.messages(client))
            client.unselect() if "UNSELECT" in client.capabilities else client.close()
        client.logout()
        return found

    @staticmethod
    def messages(client):
        messages = []
        status, parts = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
        for index, part in enumerate(parts):
            if not isinstance(part, tuple):
                continue
            tail = parts[index + 1] if index + 1 < len(parts) and isinstance(parts[index + 1], bytes) else b""
            attributes = part[0] + tail
            flags = re.search(rb"FLAGS \(([^)]*)\)", attributes)
            content = part[1]
            identity = re.search(rb"^X-Quickstart-Id: *(\S+)", content, re.M | re.I)
            date = imaplib.Internaldate2tuple(attributes)
            messages.append({"id": identity[1].decode() if identity else None,
                             "sha256": hashlib.sha256(content).hexdigest(),
                             "body_sha256": hashlib.sha256(content.partition(b"\r\n\r\n")[2]).hexdigest(),
                             "trace": trace(content) if identity else [told_head(content), *trace(content)],
                             "flags": {f for f in flags[1].decode().split() if f not in IGNORED_FLAGS} if flags else set(),
                             "date": __import__("time").mktime(date) if date else None})
        return messages


def trace(content):
    """How the message came, newest hop first: what each server on its way noted, without the folds."""
    head = re.sub(rb"\r\n[ \t]+", b" ", content.partition(b"\r\n\r\n")[0])
    return [line[1].decode(errors="replace") for line in re.finditer(rb"^Received: *(.*?)\r?$", head, re.M | re.I)]


def told_head(content):
    """What a message says of itself that nobody of the traffic sent: enough to tell a probe from a bounce, and a bounce of what."""
    head, _, body = content.partition(b"\r\n\r\n")
    said = [line for line in head.split(b"\r\n") if re.match(rb"(?i)(from|to|subject|date|message-id|x-[\w-]+):", line)]
    why = re.findall(rb"(?im)^(?:final-recipient|action|status|diagnostic-code|x-quickstart-id):.*$", body)
    return " | ".join(line.decode(errors="replace").strip() for line in said + why)


def ways(copies):
    """What tells the copies of one message apart: a copy that `plan` made has every byte of the first, a server that delivered
    the message again has noted that."""
    return "".join(f"\n    {mailbox} {sorted(m['flags'])} {m['sha256'][:12]} " + " / ".join(m["trace"])
                   for mailbox, m in copies if "trace" in m)


# What Postfix notes when it handed a message over whole and did not hear that it was taken: it comes again, and the server that
# died over its answer may have kept the first copy (RFC 5321 section 4.5.4.1; LMTP is no better).
UNANSWERED = re.compile(r"postfix/[ls]mtp\[\d+\]: (\w+): .*status=deferred \(.*(?:in reply to end of DATA|sending end of data)")

# A session in which Postfix took a message, and its end. Who dies before the own queue has noted that the message is gone says no
# QUIT, and comes again with it.
TAKEN = re.compile(r"postfix/smtpd\[(\d+)\]: (\w+): client=")
QUEUED = re.compile(r"\(Postfix\) with \S+ id (\w+)")  # its hop in a message
ENDED = re.compile(r"postfix/smtpd\[(\d+)\]: disconnect from (.*)")


class PostfixLog:
    """What Postfix's log says of deliveries of which one side does not know how they ended."""

    def __init__(self, log=None):
        self.unanswered = collections.Counter()  # queue id: how many deliveries of it had no good answer behind the data
        self.unended = set()  # queue ids that came by a session whose client was gone without QUIT
        if log is None:
            return
        taken = collections.defaultdict(list)
        with open(log, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if match := UNANSWERED.search(line):
                    self.unanswered[match[1]] += 1
                elif match := TAKEN.search(line):
                    taken[match[1]].append(match[2])
                elif match := ENDED.search(line):
                    entries = taken.pop(match[1], [])
                    if entries and " quit=1" not in match[2]:
                        self.unended.add(entries[-1])  # the client went on after the others

    def explains(self, copies):
        """Did the servers make the copies, and not `plan`? Each has a delivery of its own as its newest hop; what `plan` copies has
        the bytes of the first, and so that hop. The copies out of one entry of Postfix's queue need as many deliveries of it without
        an answer as there are too many; for more entries than one, all but one came from a client that died over the answer."""
        traces = [message.get("trace", []) for _, message in copies]
        if any(len(trace) < 2 for trace in traces) or len({trace[0] for trace in traces}) != len(traces):
            return False
        entries = collections.Counter(next((match[1] for hop in trace if (match := QUEUED.search(hop))), None) for trace in traces)
        if None in entries or any(self.unanswered[entry] < copies - 1 for entry, copies in entries.items()):
            return False
        return sum(1 for entry in entries if entry not in self.unended) <= 1


def source_queue():
    """Recipients that wait in Postfix's queue."""
    lines = subprocess.run(["postqueue", "-j"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    return [(json.loads(line)["queue_id"], recipient["address"]) for line in lines for recipient in json.loads(line)["recipients"]]


def target_queue(facts):
    """Recipients that wait in the target's queue, over JMAP (x:QueuedMessage/get)."""
    context = ssl.create_default_context(cafile=facts["ca"])
    context.check_hostname = False
    credentials = base64.b64encode(f"{facts['admin']}:{facts['admin_password']}".encode()).decode()
    body = {"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
            "methodCalls": [["x:QueuedMessage/get", {"ids": None}, "q"]]}
    request = urllib.request.Request(facts["url"].rstrip("/") + "/jmap/", json.dumps(body).encode(),
                                     {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        found = json.load(answer)["methodResponses"][0]
    if found[0] == "error":
        raise SystemExit(f"oracle: the target does not show its queue: {found[1]}")
    waiting = []
    for message in found[1]["list"]:
        recipients = message.get("recipients", {})
        pairs = recipients.items() if isinstance(recipients, dict) else enumerate(recipients)
        for key, recipient in pairs:
            state = (recipient.get("status") or {}).get("@type", "")
            if state not in ("Completed", "PermanentFailure"):
                waiting.append((message.get("id"), recipient.get("address") or recipient.get("recipient") or key))
    return waiting


def judge(facts, source, target, queues):
    """Returns (rows of the table, list of what is wrong). Pure: everything was read before."""
    manifest = read_lines(facts["manifest"])
    ledger = read_lines(facts["ledger"]) if facts.get("ledger") else []
    wrong = []
    before = collections.defaultdict(list)
    for record in manifest:
        before[record["account"]].append(record)
    accepted = collections.defaultdict(set)
    perhaps = collections.defaultdict(set)
    flagged = collections.defaultdict(dict)
    moved = collections.defaultdict(dict)
    added = collections.defaultdict(lambda: collections.defaultdict(set))
    deleted = collections.defaultdict(set)
    for record in ledger:
        if record["kind"] in ("accepted", "perhaps"):
            promised = accepted if record["kind"] == "accepted" else perhaps
            for reader in record["accounts"]:
                promised[reader].add(record["id"])
        elif record["kind"] == "flag-try":
            flagged[record["account"]].setdefault(record["id"], "perhaps")
        elif record["kind"] == "flagged":
            flagged[record["account"]][record["id"]] = "surely"
        elif record["kind"] == "moved":
            moved[record["account"]][record["id"]] = record["mailbox"]
        elif record["kind"] == "flags-added":
            added[record["account"]][record["id"]] |= set(record["flags"].split())
        elif record["kind"] == "deleted":
            deleted[record["account"]].add(record["id"])
    rows = []
    postfix = PostfixLog(facts.get("postfix_log"))
    for account in facts["accounts"]:
        name = account["address"]
        # Where the account is now: there everything must be once; the other server's mailbox is not looked at by anybody.
        here, there = (source, target) if account.get("at") == "source" else (target, source)
        other = "target" if account.get("at") == "source" else "source"
        at_target = collections.defaultdict(list)
        for mailbox, messages in here[name].items():
            for message in messages:
                at_target[message["id"]].append((mailbox, message))
        at_source = {m["id"] for messages in there[name].values() for m in messages if m["id"]}
        expected = ({record["id"] for record in before[name]} | accepted[name]) - deleted[name]
        wrong += [f"{name}: {i} was deleted and is back" for i in sorted(deleted[name]) if i in at_target]
        for record in before[name]:
            copies = at_target.get(record["id"], [])
            if len(copies) != 1:
                continue  # counted below
            mailbox, message = copies[0]
            place = moved[name].get(record["id"], record["mailbox"])
            if mailbox != place:
                wrong.append(f"{name}: {record['id']} is in {mailbox}, should be in {place}")
            if message["sha256"] != record["sha256"]:
                wrong.append(f"{name}: {record['id']} has other bytes than before")
            wanted = set(record["flags"]) | added[name][record["id"]]
            state = flagged[name].get(record["id"])
            has = message["flags"]
            if state == "surely":
                wanted.add("\\Flagged")
            elif state == "perhaps":
                wanted.discard("\\Flagged")
                has = has - {"\\Flagged"}
            if has != wanted:
                wrong.append(f"{name}: {record['id']} in {mailbox} has flags {sorted(has)}, should have {sorted(wanted)}")
            if message["date"] is not None and abs(message["date"] - record["date"]) > 1:
                wrong.append(f"{name}: {record['id']} has another internal date")
        for identity in accepted[name]:
            copies = at_target.get(identity, [])
            if len(copies) == 1 and flagged[name].get(identity) == "surely" and "\\Flagged" not in copies[0][1]["flags"]:
                wrong.append(f"{name}: {identity} lost its flag \\Flagged")
        only_source = sorted(i for i in (expected | perhaps[name]) if i in at_source and i not in at_target)
        lost = sorted(i for i in expected if i not in at_target and i not in at_source)
        several = sorted(i for i, copies in at_target.items() if i and len(copies) > 1)
        redelivered = [i for i in several if postfix.explains(at_target[i])]
        twice = [i for i in several if i not in redelivered]
        unknown = [copy for copies in at_target.values() for copy in copies if copy[1]["id"] is None]
        strangers = sorted(i for i in at_target if i and i not in expected | perhaps[name] | deleted[name])
        wrong += [f"{name}: {i} is nowhere" for i in lost]
        wrong += [f"{name}: {i} is only at the {other}" for i in only_source]
        wrong += [f"{name}: {i} is there {len(at_target[i])} times" + ways(at_target[i]) for i in twice]
        wrong += [f"{name}: {i} was never sent to this account" for i in strangers]
        if unknown:
            wrong.append(f"{name}: {len(unknown)} messages that nobody sent (probes or bounces left behind)" + ways(unknown))
        for mailbox in account["mailboxes"]:
            if mailbox not in here[name]:
                wrong.append(f"{name}: mailbox {mailbox} is missing")
        rows.append({"account": name, "before": len(before[name]), "arrived": len(accepted[name]),
                     "at": "source" if account.get("at") == "source" else "target", "there": sum(len(c) for c in at_target.values()),
                     "ids": {i for i in at_target if i}, "other_only": len(only_source), "lost": len(lost), "twice": len(twice),
                     "redelivered": redelivered})
    addresses = {a["address"] for a in facts["accounts"]}
    for where, queue in queues.items():
        for identity, recipient in queue:
            if recipient.strip("<>").lower() in addresses:
                wrong.append(f"{recipient} still waits in the queue of the {where} ({identity})")
    return rows, wrong


def table(rows, holds, carried_back=None):
    """`carried_back`: by account, how much went back to the source with it; the column is left out without."""
    head = ["account", "before", "arrived meanwhile", "lives at", "there", "elsewhere only", "lost", "twice", "hold ms"]
    body = [[r["account"], r["before"], r["arrived"], r["at"], r["there"], r["other_only"], r["lost"], r["twice"],
             holds.get(r["account"], "-")] for r in rows]
    if carried_back is not None:
        head.append("went back with")
        for line in body:
            line.append(carried_back.get(line[0], "-"))
    widths = [max(len(str(line[i])) for line in [head, *body]) for i in range(len(head))]
    lines = []
    for line in [head, ["-" * w for w in widths], *body]:
        lines.append("  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(line, widths))))
    return "\n".join(lines)


def read_world(facts):
    source, target = Server(facts["source"]), Server(facts["target"])
    at_source = {a["address"]: source.mailboxes(a) for a in facts["accounts"]}
    # An account that was given back cannot log in at the target: what is there is nobody's.
    at_target = {a["address"]: {} if a.get("at") == "source" else target.mailboxes(a) for a in facts["accounts"]}
    return at_source, at_target, {"source": source_queue(), "target": target_queue(facts["target"])}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        facts = json.load(file)
    rows, wrong = judge(facts, *read_world(facts))
    print(table(rows, facts.get("holds", {})))
    for line in wrong[:50]:
        print(f"WRONG: {line}")
    if len(wrong) > 50:
        print(f"WRONG: and {len(wrong) - 50} more")
    print("oracle: nothing lost, nothing twice" if not wrong else f"oracle: {len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
