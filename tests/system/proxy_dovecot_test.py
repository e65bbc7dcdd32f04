"""The proxy in front of two real Dovecots on loopback: every protocol, the client's address, hold and release, kill -9."""

import base64
import hashlib
import imaplib
import json
import os
import pathlib
import poplib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

PLAN = os.environ.get("PLAN", "")
USER = "alice@example.org"
PASSWORD = "secret"
TOKEN = "0123456789abcdef0123456789abcdef"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("gave up waiting")


def banner(port):
    with socket.create_connection(("127.0.0.1", port), 2) as stream:
        return stream.recv(100)


class Dovecot:
    def __init__(self, folder, name, certificate, key):
        self.folder = folder / name
        self.log = self.folder / "log"
        self.imap, self.pop3, self.sieve = free_port(), free_port(), free_port()
        (self.folder / "mail").mkdir(parents=True)
        shutil.chown(self.folder / "mail", "nobody", "nogroup")
        (self.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\nbob@example.org:{{PLAIN}}{PASSWORD}::::::\n")
        (self.folder / "conf").write_text(f"""
protocols = imap pop3 sieve
listen = 127.0.0.1
base_dir = {self.folder}/run
state_dir = {self.folder}/state
instance_name = {name}
log_path = {self.log}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = yes
login_trusted_networks =
auth_failure_delay = 0
auth_username_format = %Lu
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.folder}/mail/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {self.sieve}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
""".replace("login_trusted_networks =\n", "login_trusted_networks = 127.0.0.1\n"))
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in (self.imap, self.pop3, self.sieve):
            wait_for(lambda p=port: banner(p))

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Proxy:
    def __init__(self, folder, source, target, certificate, key, digest):
        self.folder = folder
        self.ports = {name: free_port() for name in ("imap", "imaps", "pop3", "sieve")}
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        text = f"""
[server]
name = "mail.test"
certificate = "{certificate}"
key = "{key}"
map = "{folder}/accounts.map"
[control]
unix = "{folder}/control.sock"
token_file = "{folder}/token"
"""
        for name, port in self.ports.items():
            tls = "implicit" if name == "imaps" else "starttls"
            text += f'[listener.{name}]\nprotocol = "{name.removesuffix("s") if name == "imaps" else name}"\naddress = "127.0.0.1"\nport = {port}\ntls = "{tls}"\nplain_login = true\n'
        for name, server in (("source", source), ("target", target)):
            text += f'[destination.{name}]\naddress = "127.0.0.1"\ncertificate_sha256 = "{digest}"\nannounce = "native"\n'
            for protocol in ("imap", "pop3", "sieve"):
                text += f'{protocol} = {{port = {getattr(server, protocol)}, tls = "starttls"}}\n'
        (folder / "proxy.toml").write_text(text)
        self.start()

    def start(self):
        self.process = subprocess.Popen([PLAN, "proxy", "run", "--config", self.folder / "proxy.toml"])
        wait_for(lambda: banner(self.ports["imap"]))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(20)
            stream.connect(str(self.folder / "control.sock"))
            lines = stream.makefile("rw")
            for line in ({"token": TOKEN}, request):
                lines.write(json.dumps(line) + "\n")
                lines.flush()
                answer = json.loads(lines.readline())
            return answer


def imap(proxy, user=USER, password=PASSWORD, source=None):
    client = imaplib.IMAP4("127.0.0.1", proxy.ports["imap"], timeout=20) if source is None else ImapFrom(source, proxy.ports["imap"])
    client.login(user, password)
    return client


class ImapFrom(imaplib.IMAP4):
    def __init__(self, source, port):
        self.source = source
        super().__init__("127.0.0.1", port, 20)

    def _create_socket(self, timeout):
        return socket.create_connection((self.host, self.port), timeout, (self.source, 0))


def subjects(client):
    client.select("INBOX")
    _, found = client.search(None, "ALL")
    return [client.fetch(number, "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().strip() for number in found[0].split()]


def sieve_says(proxy):
    with socket.create_connection(("127.0.0.1", proxy.ports["sieve"]), 20, ("127.0.0.7", 0)) as stream:
        lines = stream.makefile("rb")
        while not lines.readline().startswith(b"OK"):
            pass
        message = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        stream.sendall(f'AUTHENTICATE "PLAIN" "{message}"\r\n'.encode())
        verdict = lines.readline()
        stream.sendall(b'PUTSCRIPT "x" {5+}\r\nkeep;\r\nLISTSCRIPTS\r\n')
        return verdict, [lines.readline(), lines.readline()]


def main():
    missing = [name for name in ("dovecot", "openssl") if not shutil.which(name)]
    if missing or os.geteuid() != 0 or not PLAN:
        why = f"{', '.join(missing)} is not installed" if missing else "needs root for Dovecot, and PLAN"
        print(f"skipped proxy_dovecot_test.py: {why}")
        return
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="pxd") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        certificate, key = folder / "c.pem", folder / "c.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail.test",
                        "-addext", "subjectAltName=DNS:mail.test", "-out", certificate, "-keyout", key], check=True, stderr=subprocess.DEVNULL)
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
        servers = [Dovecot(folder, "source", certificate, key), Dovecot(folder, "target", certificate, key)]
        proxy = Proxy(folder, *servers, certificate, key, digest)
        try:
            run(proxy, *servers)
        finally:
            for thing in (proxy, *servers):
                thing.stop()


def run(proxy, source, target):
    # imaplib keeps the capabilities of before the login; UIDPLUS is only in Dovecot's answer.
    client = imap(proxy)
    client.append("INBOX", None, None, b"Subject: at the source\r\n\r\nx\r\n")
    check("a login through the proxy reads and writes the source", subjects(client) == ["Subject: at the source"], subjects(client))
    client.logout()

    try:
        imap(proxy, password="wrong")
        check("a wrong password is refused", False, "accepted")
    except imaplib.IMAP4.error as error:
        check("a wrong password is refused in the server's own words", "AUTHENTICATIONFAILED" in str(error), error)

    imap(proxy, source="127.0.0.5").logout()
    pop = poplib.POP3("127.0.0.1", proxy.ports["pop3"], 20)
    pop.user(USER)
    pop.pass_(PASSWORD)
    check("POP3 reads the same mailbox", pop.stat()[0] == 1, pop.stat())
    pop.quit()
    verdict, listed = sieve_says(proxy)
    check("ManageSieve stores a script", verdict.startswith(b"OK") and listed[1].startswith(b'"x"'), (verdict, listed))
    log = source.log.read_text()
    check("the source sees the client's address in IMAP", "rip=127.0.0.5" in log, log[-1500:])
    check("the source sees the client's address in ManageSieve", re.search(r"managesieve-login: .*rip=127\.0\.0\.7", log) is not None, log[-1500:])

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secure = imaplib.IMAP4_SSL("127.0.0.1", proxy.ports["imaps"], ssl_context=context, timeout=20)
    secure.login(USER, PASSWORD)
    check("implicit TLS works", secure.select("INBOX")[0] == "OK")
    upgraded = imaplib.IMAP4("127.0.0.1", proxy.ports["imap"], timeout=20)
    upgraded.starttls(context)
    upgraded.login(USER, PASSWORD)
    upgraded.select("INBOX")
    check("STARTTLS works", upgraded.noop()[0] == "OK")
    upgraded.send(b"i1 IDLE\r\n")
    check("a client idles", upgraded.readline().startswith(b"+"))

    names = [USER, "alice"]
    held = proxy.ask(op="hold", names=names, generation=1, bound_ms=20000, lease="test")
    check("a hold ends the account's sessions", held.get("ok") and held.get("closed") == 2, held)
    farewell = upgraded.readline()
    check("an idling client hears a goodbye", farewell.startswith(b"* BYE"), farewell)
    check("after it nobody is left", proxy.ask(op="sessions", names=names).get("sessions") == [])
    other = imap(proxy, "bob@example.org")
    check("other accounts go on", other.noop()[0] == "OK")

    seen = {}

    def parked():
        began = time.monotonic()
        moved = imap(proxy)
        seen["waited"] = time.monotonic() - began
        seen["subjects"] = subjects(moved)
        moved.logout()

    thread = threading.Thread(target=parked)
    thread.start()
    wait_for(lambda: proxy.ask(op="status").get("parked") == 1)
    check("the target can be probed past the hold",
          proxy.ask(op="probe", destination="target", protocol="imap", login=USER, password=PASSWORD).get("verdict") == "accepted")
    direct = imaplib.IMAP4("127.0.0.1", target.imap, timeout=20)
    direct.starttls(context)
    direct.login(USER, PASSWORD)
    direct.append("INBOX", None, None, b"Subject: at the target\r\n\r\nx\r\n")
    direct.logout()
    check("prepare is acknowledged", proxy.ask(op="prepare", names=names, generation=1, destination="target", lease="test").get("ok"))
    time.sleep(0.3)
    check("a prepared account still waits", "waited" not in seen)
    check("commit is acknowledged", proxy.ask(op="commit", names=names, generation=1, lease="test").get("ok"))
    thread.join(20)
    check("the parked client reads the target", seen.get("subjects") == ["Subject: at the target"], seen)
    check("it waited and lost nothing", seen.get("waited", 0) > 0.3, seen)

    proxy.kill()
    proxy.start()
    moved = imap(proxy)
    check("the mapping outlives kill -9", subjects(moved) == ["Subject: at the target"])
    check("a stale generation is refused after it", proxy.ask(op="hold", names=names, generation=1, lease="test").get("error") == "generation-stale")

    check("a second account is held", proxy.ask(op="hold", names=["bob@example.org"], generation=1, bound_ms=1500, lease="test").get("ok"))
    check("and prepared", proxy.ask(op="prepare", names=["bob@example.org"], generation=1, destination="target", lease="test").get("ok"))
    proxy.kill()
    proxy.start()
    try:
        imap(proxy, "bob@example.org")
        check("prepared and killed: nobody gets in by time alone", False, "a login went through")
    except imaplib.IMAP4.error as error:
        check("prepared and killed: nobody gets in by time alone", "UNAVAILABLE" in str(error), error)
    check("plan gives it back", proxy.ask(op="abort", names=["bob@example.org"], generation=1, lease="test").get("ok"))
    check("and the source serves it", imap(proxy, "bob@example.org").noop()[0] == "OK")

    source.stop()
    try:
        imap(proxy, "bob@example.org")
        check("a source that is down is no wrong password", False, "accepted")
    except imaplib.IMAP4.error as error:
        check("a source that is down is no wrong password", "UNAVAILABLE" in str(error) and "AUTHENTICATIONFAILED" not in str(error), error)
    check("the moved account does not notice", imap(proxy).noop()[0] == "OK")
    check("the proxy stops in order", proxy.stop() == 0)


main()
sys.exit(exit_code())
