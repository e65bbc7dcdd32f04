"""As much of a Stalwart 0.15 as a move of its accounts needs: its management interface, what it says of a write by JMAP, and
its queue behind ports 25 and the one for the proxies. Mailboxes and scripts are those of the Dovecot beside it, which knows
the same accounts and the same master user; local mail goes there. The answers are shaped after recordings with a real 0.15.5
(tests/unit/runtime/server/stalwart15 holds a double in C++ to them). Mail that waits is tried again after RETRY seconds
instead of two minutes.
"""

import base64
import datetime
import json
import pathlib
import re
import smtplib
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RETRY = 4


def date(seconds):
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Server:
    """Its settings, its principals, its queue. `config` is what start() of the test wrote."""

    def __init__(self, config):
        self.config = config
        self.lock = threading.RLock()
        self.settings = dict(config["settings"])
        self.loaded = dict(self.settings)
        self.lists = {}
        self.principals = {p["name"]: p for p in config["principals"]}
        self.queue = {}
        self.next_id = 342144883414270221
        self.log = []

    # --- settings ---
    def reload(self, what):
        now = {}
        for key in self.settings:
            if key.startswith("lookup."):
                name, _, member = key[7:].partition(".")
                now.setdefault(name, set()).add(member)
        if what != "lookup":
            self.loaded = dict(self.settings)
        for name, members in now.items():
            if (name in self.lists) == (what == "lookup"):
                self.lists[name] = members

    def write(self, operations):
        for one in operations:
            if one["type"] == "delete":
                for key in one["keys"]:
                    self.settings.pop(key, None)
            elif one["type"] == "clear":
                for key in [k for k in self.settings if k.startswith(one["prefix"])]:
                    del self.settings[key]
            else:
                prefix = one["prefix"] + "." if one.get("prefix") else ""
                if one["assert_empty"] and any(k.startswith(prefix) for k in self.settings):
                    return {"error": "assertFailed"}
                for key, value in one["values"]:
                    self.settings[prefix + key] = value
        return {"data": None}

    def keys(self, keys, prefixes):
        return {k: v for k, v in self.settings.items() if k in keys or any(k.startswith(p + ".") for p in prefixes if p)}

    # --- routing, as the expression of std/stalwart-source asks for it: the lists first, a tag left out ---
    def route_of(self, address):
        local, _, domain = address.lower().rpartition("@")
        names = {address.lower(), f"{local.split('+')[0]}@{domain}"}
        lines = {}
        for key, value in self.loaded.items():
            found = re.fullmatch(r"queue\.strategy\.route\.(\d+)\.(if|then|else)", key)
            if found:
                lines.setdefault(int(found.group(1)), {})[found.group(2)] = value
        for _, line in sorted(lines.items()):
            if "else" in line:
                return line["else"].strip("'")
            named = re.findall(r"key_exists\('([^']+)'", line["if"])
            if named and any(names & self.lists.get(n, set()) for n in named):
                return line["then"].strip("'")
            if not named and "is_local_domain" in line["if"] and domain == self.config["domain"]:
                return line["then"].strip("'")
        return "local" if domain == self.config["domain"] else "mx"

    def deliver(self, sender, address, text):
        """Nothing when it was delivered, else why not."""
        route = self.route_of(address)
        if route == "local":
            home = self.home_of(address)
            if home is None:
                return None  # an unknown one was refused at RCPT; one that vanished is dropped here
            with smtplib.LMTP(self.config["lmtp"]) as lmtp:
                lmtp.sendmail(sender, [home], text)
            return None
        if route == "mx":
            return None
        host, port = self.loaded[f"queue.route.{route}.address"], self.loaded[f"queue.route.{route}.port"]
        try:
            with smtplib.SMTP(host, int(port), local_hostname="old.legacy.test", timeout=20, source_address=(self.config["address"], 0)) as smtp:
                smtp.sendmail(sender, [address], text)
            return None
        except OSError as error:
            if isinstance(error, smtplib.SMTPException):
                return f"Unexpected response from {host}: {error}"
            return f"Error for {host}: Connection failed: I/O error: {error.strerror} (os error {error.errno})"

    def home_of(self, address):
        local, _, domain = address.lower().rpartition("@")
        plain = f"{local.split('+')[0]}@{domain}"
        for principal in self.principals.values():
            if plain in principal.get("emails", []):
                return principal["name"]
        return None

    def accept(self, sender, recipients, text):
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 256
            self.queue[number] = {"sender": sender, "created": time.time(), "text": text,
                                  "recipients": {r: {"reason": None, "tries": 0, "next": time.time()} for r in recipients}}
        threading.Thread(target=self.work, daemon=True).start()
        return number

    def work(self):
        """Tries what is due, one attempt of each at a time."""
        with self.lock:
            due = [(n, r) for n, m in self.queue.items() for r, s in m["recipients"].items()
                   if s["next"] <= time.time() and not s.get("busy")]
            for number, recipient in due:
                self.queue[number]["recipients"][recipient]["busy"] = True
        for number, recipient in due:
            with self.lock:
                message = self.queue.get(number)
            if message is None:
                continue
            reason = self.deliver(message["sender"], recipient, message["text"])
            with self.lock:
                state = message["recipients"][recipient]
                state["busy"] = False
                if reason is None:
                    del message["recipients"][recipient]
                    if not message["recipients"]:
                        self.queue.pop(number, None)
                else:
                    state.update(reason=reason, tries=state["tries"] + 1, next=time.time() + RETRY)

    def listed(self, number):
        message = self.queue[number]
        return {"id": number, "return_path": message["sender"], "created": date(message["created"]), "size": len(message["text"]),
                "blob_hash": f"hash{number}",
                "recipients": [{"address": r, "queue": "local", "retry_num": s["tries"], "next_retry": date(s["next"]),
                                "status": "scheduled" if s["reason"] is None else {"temp_fail": s["reason"]}}
                               for r, s in message["recipients"].items()]}


class Management(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Stalwart"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def login(self):
        word = self.headers.get("Authorization", "")
        return base64.b64decode(word[6:]).decode() if word.startswith("Basic ") else ""

    def handle_any(self):
        old = self.server.old
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        asked = {k: v[-1] for k, v in urllib.parse.parse_qs(query).items()}
        with old.lock:
            if path.startswith("/dav/"):
                return self.answer(b"", 404)
            if path == "/jmap/":
                return self.jmap(json.loads(body))
            if self.login() != old.config["login"]:
                return self.answer({"status": 401}, 401)
            return self.management(path, asked, body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PROPFIND = handle_any

    def jmap(self, body):
        old = self.server.old
        name, _, rest = self.login().partition("%")
        principal = old.principals.get(name)
        if principal is None or rest != old.config["master"]:
            return self.answer({"status": 401}, 401)
        method = body["methodCalls"][0][0]
        taken = principal.get("disabledPermissions", [])
        if method == "Mailbox/set" and "jmap-mailbox-set" in taken:
            return self.answer({"methodResponses": [["error", {"type": "forbidden"}, "0"]]})
        return self.answer({"methodResponses": [[method, {}, "0"]]})

    def management(self, path, asked, body):
        old = self.server.old
        parts = [urllib.parse.unquote(p) for p in path.strip("/").split("/")][1:]
        if parts == ["oauth"]:
            return self.answer({"data": {"version": "0.15.5", "code": "x"}})
        if parts[0] == "reload":
            if "dry-run" not in asked:
                old.reload(parts[1] if len(parts) > 1 else "")
            return self.answer({"data": {"warnings": {}, "errors": {}}})
        if parts[0] == "settings":
            if self.command == "POST":
                return self.answer(old.write(json.loads(body)))
            return self.answer({"data": old.keys(asked.get("keys", "").split(","), asked.get("prefixes", "").split(","))})
        if parts[0] == "store":
            number = int(parts[2][4:])
            if number not in old.queue:
                return self.answer({"error": "notFound", "item": ""})
            return self.answer(b"X-Spam-Result: none\r\n" + old.queue[number]["text"][:int(asked["limit"])], kind="application/octet-stream")
        if parts[0] == "queue":
            if self.command == "DELETE":
                is_there = old.queue.pop(int(parts[2]), None) is not None
                return self.answer({"data": True} if is_there else {"status": 404}, 200 if is_there else 404)
            numbers = sorted(n for n in old.queue if n >= int(asked.get("range-start", 0)))[:int(asked["limit"])]
            return self.answer({"data": {"items": [old.listed(n) for n in numbers], "total": len(numbers), "status": True}})
        if parts[0] == "principal" and len(parts) == 1:
            found = sorted((p for p in old.principals.values() if p["type"] in asked["types"].split(",")), key=lambda p: p["name"])
            first = (int(asked["page"]) - 1) * int(asked["limit"])
            return self.answer({"data": {"items": found[first:first + int(asked["limit"])], "total": len(found)}})
        principal = old.principals.get(parts[1])
        if principal is None:
            return self.answer({"error": "notFound", "item": parts[1]})
        if self.command == "GET":
            return self.answer({"data": principal})
        for change in json.loads(body):
            assert change["action"] == "set" and change["field"] == "disabledPermissions", change
            principal["disabledPermissions"] = change["value"]
        return self.answer({"data": None})


class Smtp(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, text):
        self.wfile.write((text + "\r\n").encode())

    def handle(self):
        old = self.server.old
        if self.server.wants_header and not self.rfile.readline().startswith(b"PROXY "):
            return
        self.say("220 old.legacy.test Stalwart ESMTP at your service")
        sender, recipients = "", []
        while True:
            line = self.rfile.readline()
            if not line:
                return
            word, text = line[:4].upper(), line.decode(errors="replace")
            address = re.search(r"<([^>]*)>", text)
            if word in (b"EHLO", b"HELO"):
                self.say("250-old.legacy.test you had me at EHLO\r\n250 8BITMIME")
            elif word == b"MAIL":
                sender, recipients = address.group(1), []
                self.say("250 2.1.0 OK")
            elif word == b"RCPT":
                is_known = old.home_of(address.group(1)) is not None
                if is_known:
                    recipients.append(address.group(1))
                self.say("250 2.1.5 OK" if is_known else "550 5.1.2 Mailbox does not exist.")
            elif word == b"DATA":
                self.say("354 Start mail input; end with <CRLF>.<CRLF>")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                number = old.accept(sender, recipients, b"Received: by old.legacy.test\r\n" + b"".join(lines))
                self.say(f"250 2.0.0 Message queued with id {number:x}.")
            elif word == b"QUIT":
                self.say("221 2.0.0 Bye.")
                return
            else:
                self.say("250 2.0.0 OK")


class SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main():
    config = json.loads(pathlib.Path(sys.argv[1]).read_text())
    old = Server(config)
    old.reload("")
    web = ThreadingHTTPServer((config["address"], 443), Management)
    web.old = old
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config["certificate"], config["key"])
    web.socket = context.wrap_socket(web.socket, server_side=True)
    for port, wants_header in ((25, False), (config["entry_port"], True)):
        smtp = SmtpServer((config["address"], port), Smtp)
        smtp.old, smtp.wants_header = old, wants_header
        threading.Thread(target=smtp.serve_forever, daemon=True).start()
    threading.Thread(target=web.serve_forever, daemon=True).start()
    while True:
        old.work()
        time.sleep(0.2)


if __name__ == "__main__":
    socket.setdefaulttimeout(60)
    main()
