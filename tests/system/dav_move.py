#!/usr/bin/env python3
"""Calendars and contacts of a real Radicale move with the mail, by the whole program: the plan names the server, apply brings
them, verify reads both sides again, a rollback carries back what was changed at the target, and a second move doubles nothing.
"""

import base64
import hashlib
import json
import ssl
import tempfile
import urllib.error
import urllib.request

import in_namespace

in_namespace.enter(("dovecot", "postfix", "radicale"))

import people  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402

people.PEOPLE[:] = [a for a in people.PEOPLE if a.name in ("bob", "judy")]
for account in people.PEOPLE:
    account.messages = 5
BOB = "bob@legacy.test"
PORT = 5232
USING = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:calendars", "urn:ietf:params:jmap:contacts"]

RIGHTS = """
[migrator]
user: migrator
collection: .*
permissions: RrWw
[root]
user: .+
collection:
permissions: R
[principal]
user: .+
collection: {user}
permissions: RW
[collections]
user: .+
collection: {user}/[^/]+
permissions: rw
"""


def request(url, method, login, body=None, headers=(), context=None):
    """Status and text of one request; a refusal is an answer too."""
    token = base64.b64encode(":".join(login).encode()).decode()
    asked = urllib.request.Request(url, method=method, data=body.encode() if body is not None else None,
                                   headers={"Authorization": f"Basic {token}", **dict(headers)})
    try:
        with urllib.request.urlopen(asked, timeout=60, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Radicale:
    def __init__(self, migration):
        self.folder = migration.folder / "radicale"
        self.folder.mkdir()
        tls = migration.world.tls
        (self.folder / "users").write_text(f"migrator:migrator-secret\n{BOB}:secret\n")
        (self.folder / "rights").write_text(RIGHTS)
        (self.folder / "config").write_text(
            f"[server]\nhosts = {world.SOURCE}:{PORT}\nssl = True\ncertificate = {tls}/source.crt\nkey = {tls}/source.key\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self.folder}/users\nhtpasswd_encryption = plain\ndelay = 0\n"
            f"[rights]\ntype = from_file\nfile = {self.folder}/rights\n[storage]\nfilesystem_folder = {self.folder}/data\n"
            "[web]\ntype = none\n")
        migration.world.spawn("radicale", "radicale", "--config", self.folder / "config")
        migration.world.wait_greeting("radicale", world.SOURCE, PORT, seconds=120)
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert((tls / "source.crt").read_text())).hexdigest()

    def ask(self, method, path, body=None, headers=()):
        url = f"https://{world.SOURCE}:{PORT}/{BOB.replace('@', '%40')}/{path}"
        return request(url, method, (BOB, "secret"), body, headers, self.context)

    def put(self, path, text):
        status, words = self.ask("PUT", path, text)
        if status not in (201, 204):
            raise SystemExit(f"radicale: PUT {path}: {status} {words}")

    def fill(self):
        self.ask("PROPFIND", "", headers=[("Depth", "0")])  # makes his home
        for name in ("work", "home"):
            self.ask("MKCALENDAR", f"{name}/")
        self.ask("MKCOL", "friends/", '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/>'
                 '<R:addressbook xmlns:R="urn:ietf:params:xml:ns:carddav"/></D:resourcetype></D:prop></D:set></D:mkcol>')
        for path, uid, title in (("work/talk.ics", "talk", "Talk"), ("work/plan.ics", "plan", "Plan"),
                                 ("home/lunch.ics", "lunch", "Lunch")):
            self.put(path, event(uid, title))
        self.put("friends/ann.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ann\r\nFN:Ann\r\nN:Ann;;;;\r\nEND:VCARD\r\n")

    def texts(self):
        """All that lies in the server's storage, by path."""
        root = self.folder / "data" / "collection-root" / BOB
        return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.suffix in (".ics", ".vcf")
                and ".Radicale" not in str(p)}


def event(uid, title):
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
            f"UID:{uid}\r\nDTSTAMP:20261101T080000Z\r\nDTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:{title}\r\n"
            "END:VEVENT\r\nEND:VCALENDAR\r\n")


def name_radicale(migration, radicale):
    """Puts the server into the plan."""
    (migration.work / "secrets" / "dav").write_text("migrator-secret\n")
    (migration.work / "secrets" / "dav").chmod(0o600)
    plan = migration.work / "migration.yaml"
    plan.write_text(plan.read_text().replace("\ntarget:\n", (
        f"  dav: {{server: radicale, url: \"https://{world.SOURCE}:{PORT}\", certificate: \"{radicale.pin}\",\n"
        "        login: {user: migrator, password: !secret file:secrets/dav}}\n\ntarget:\n"), 1))


class Target:
    def __init__(self, migration):
        self.login = ("admin", quickstart.ADMIN_PASSWORD)
        self.context = migration.world.client_tls_for_target()
        self.id = None

    def call(self, method, **arguments):
        body = json.dumps({"using": USING, "methodCalls": [[method, {"accountId": self.id, **arguments}, "0"]]})
        status, text = request(f"https://{world.TARGET}/jmap/", "POST", self.login, body,
                               [("Content-Type", "application/json")], self.context)
        if status != 200:
            raise SystemExit(f"target: {method}: {status} {text}")
        return json.loads(text)["methodResponses"][0][1]

    def find(self):
        body = json.dumps({"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
                           "methodCalls": [["x:Account/get", {"ids": None}, "0"]]})
        _, text = request(f"https://{world.TARGET}/jmap/", "POST", self.login, body, [("Content-Type", "application/json")],
                          self.context)
        self.id = next(a["id"] for a in json.loads(text)["methodResponses"][0][1]["list"] if a.get("name") == "bob")

    def events(self):
        return {e["uid"]: e for e in self.call("CalendarEvent/get", ids=None)["list"]}

    def cards(self):
        return [c["name"]["full"] for c in self.call("ContactCard/get", ids=None)["list"]]


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-dav-")
    migration = quickstart.Migration(folder)
    try:
        migration.start()
        radicale = Radicale(migration)
        radicale.fill()
        name_radicale(migration, radicale)
        migration.plan("fetch", show=False)
        code = migration.apply("migration.yaml", "--yes")
        states = migration.states()
        report.check("every account moves, and the last stage waits", code == 2 and set(states.values()) == {"moved"},
                     f"exit code {code}: {states}")
        target = Target(migration)
        target.find()
        events = target.events()
        report.check("the events of both calendars and the card are at the target",
                     {u: e["title"] for u, e in events.items()} == {"talk": "Talk", "plan": "Plan", "lunch": "Lunch"} and
                     len({tuple(e["calendarIds"]) for e in events.values()}) == 2 and target.cards() == ["Ann"],
                     (events, target.cards()))
        verified = migration.plan("verify", "--format", "json", show=False, accept=range(256))
        of_bob = next(a for a in json.loads(verified.stdout)["accounts"] if a["account"] == BOB)
        report.check("verify reads both sides again and calls the part checked",
                     of_bob["grade"] in ("perfect", "good") and not of_bob["not_checked"], of_bob)
        of_judy = next(a for a in json.loads(verified.stdout)["accounts"] if a["account"] != BOB)
        report.check("and not that of an account that Radicale does not know",
                     of_judy["not_checked"] == ["calendars and contacts"], of_judy)

        talk = events["talk"]["id"]
        target.call("CalendarEvent/set", update={talk: {"title": "Talk, later"}}, destroy=[events["plan"]["id"]])
        looked = migration.plan("rollback", "--account", BOB, show=False, accept=range(256))
        report.check("before anything is asked it says what would be carried back",
                     looked.returncode == 2 and "2 events and cards" in looked.stdout, looked.stdout + looked.stderr)
        back = migration.plan("rollback", "--account", BOB, "--yes", show=False, accept=range(256))
        texts = radicale.texts()
        report.check("the account goes back with what was changed at the target",
                     back.returncode == 0 and "SUMMARY:Talk\\, later" in texts.get("work/talk.ics", "") and
                     sorted(texts) == ["friends/ann.vcf", "home/lunch.ics", "work/talk.ics"],
                     (back.stdout[-3000:], back.stderr[-3000:], texts))

        radicale.put("home/new.ics", event("new", "New"))
        code = migration.apply("migration.yaml", "--yes")
        report.check("it moves again", code == 2 and set(migration.states().values()) == {"moved"},
                     f"exit code {code}: {migration.states()}")
        report.check("and nothing is there twice",
                     sorted(e["title"] for e in target.events().values()) == ["Lunch", "New", "Talk, later"] and
                     target.cards() == ["Ann"], (target.events(), target.cards()))
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
