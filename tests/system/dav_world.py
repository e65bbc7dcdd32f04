"""A Radicale with calendars of one account beside the quickstart's source, and what the target has of them. To be imported behind
in_namespace.enter()."""

import base64
import hashlib
import json
import ssl
import urllib.error
import urllib.request

import people
import quickstart
import world

# One account with calendars, and one that Radicale does not know.
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
