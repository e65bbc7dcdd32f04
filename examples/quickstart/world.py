"""The world of the quickstart: addresses, names, certificates, a real Dovecot and a real Postfix.

Everything happens in a network, mount and process namespace of its own (see `run`), so the servers have their usual
ports and paths (/etc/postfix, /etc/dovecot) without touching those of the machine, and addresses that are not
loopback. Nothing of it is left when the namespace ends.
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

DOMAIN = "legacy.test"
PUBLIC = "mail.legacy.test"      # the name that clients use
TARGET = "10.9.0.1"
SOURCE = "10.9.0.2"
PROXY = "10.9.0.3"
OUTSIDE = [f"10.9.0.{n}" for n in range(50, 60)]  # senders on the "Internet"
NAMES = {"new.legacy.test": TARGET, "old.legacy.test": SOURCE, "edge1.legacy.test": PROXY}
MASTER = ("vmadmin", "master-secret")
PROXY_PORT_ON_SOURCE = 10025
VMAIL_UID = 5000


def say(text):
    print(text, file=sys.stderr, flush=True)


def call(*arguments, **options):
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"quickstart: {' '.join(map(str, arguments))}: {done.stdout.strip()}")
    return done.stdout


class World:
    """Starts and stops what the migration needs. `folder` is a work folder that is emptied first."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.processes = {}
        self.hosts = dict(NAMES)

    # --- network -------------------------------------------------------------------------------------------------
    def network(self):
        call("ip", "link", "set", "lo", "up")
        for address in [TARGET, SOURCE, PROXY, *OUTSIDE]:
            call("ip", "addr", "add", f"{address}/32", "dev", "lo")
        # Names: a private /etc/hosts. The public name moves by writing it anew (move-public-address).
        self.hosts_file = self.folder / "hosts"
        self.point_public_name_at(SOURCE)
        call("mount", "--bind", self.hosts_file, "/etc/hosts")

    def point_public_name_at(self, address):
        self.hosts[PUBLIC] = address
        lines = ["127.0.0.1 localhost\n"] + [f"{a} {n}\n" for n, a in self.hosts.items()]
        with open(self.hosts_file, "w", encoding="ascii") as file:
            file.writelines(lines)

    # --- certificates --------------------------------------------------------------------------------------------
    def certificates(self):
        tls = self.folder / "tls"
        tls.mkdir()
        call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-keyout", tls / "ca.key", "-out", tls / "ca.crt", "-subj", "/CN=Quickstart CA")
        for name, names in {"source": [PUBLIC, "old.legacy.test"], "target": [PUBLIC, "new.legacy.test"],
                            "proxy": [PUBLIC, "edge1.legacy.test"]}.items():
            call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", tls / f"{name}.key", "-out", tls / f"{name}.csr", "-subj", f"/CN={names[-1]}")
            extension = tls / f"{name}.ext"
            extension.write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n")
            call("openssl", "x509", "-req", "-in", tls / f"{name}.csr", "-CA", tls / "ca.crt", "-CAkey", tls / "ca.key",
                 "-CAcreateserial", "-days", "30", "-extfile", extension, "-out", tls / f"{name}.crt")
        self.tls = tls

    def client_tls_for_target(self):
        context = self.client_tls()
        context.check_hostname = False  # reached by its address
        return context

    def client_tls(self):
        return ssl.create_default_context(cafile=str(self.tls / "ca.crt"))

    # --- processes -----------------------------------------------------------------------------------------------
    def spawn(self, name, *arguments, **options):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=subprocess.STDOUT, start_new_session=True, **options)
        return self.processes[name]

    def wait_greeting(self, name, address, port, starts=b"", seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process = self.processes.get(name)
            if process is not None and process.poll() is not None:
                raise SystemExit(f"quickstart: {name} ended with {process.returncode}:\n{self.tail(name)}")
            try:
                with socket.create_connection((address, port), 2) as connection:
                    connection.settimeout(2)
                    if not starts or connection.recv(512).startswith(starts):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit(f"quickstart: {name} does not answer on {address}:{port}:\n{self.tail(name)}")

    def tail(self, name, lines=20):
        file = self.folder / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else "(no log)"

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # --- the source ----------------------------------------------------------------------------------------------
    def source(self, accounts, aliases):
        """A Dovecot and a Postfix as an operator has them: nothing in them knows of plan."""
        self._private_folders()
        self._dovecot(accounts)
        self._postfix(accounts, aliases)
        self.spawn("dovecot", "dovecot", "-F")
        self.spawn("postfix", "/usr/lib/postfix/sbin/master", "-c", "/etc/postfix", "-d")
        self.wait_greeting("dovecot", SOURCE, 143, b"* OK")
        self.wait_greeting("dovecot", SOURCE, 4190, b'"IMPLEMENTATION"')
        self.wait_greeting("postfix", SOURCE, 25, b"220")

    def _private_folders(self):
        for path in ["/etc/postfix", "/etc/dovecot", "/var/spool/postfix", "/var/lib/postfix", "/var/lib/dovecot", "/run/dovecot",
                     "/var/lib/plan"]:
            own = self.folder / "root" / path.strip("/")
            if path == "/etc/postfix" and pathlib.Path(path).exists():
                own.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(path, own, symlinks=True)  # dynamicmaps.cf, postfix-files: what the package brings
            else:
                own.mkdir(parents=True, exist_ok=True)
            os.makedirs(path, exist_ok=True)
            call("mount", "--bind", own, path)
        # The source is this machine with nothing but mail on it: a server of calendars that happens to be installed here is
        # none of the source's.
        for path in ["/etc/sogo", "/etc/radicale", "/etc/davical", "/var/lib/radicale", "/srv/radicale", "/var/www/nextcloud",
                     "/var/www/baikal", "/opt/mailcow-dockerized", "/home/user-data"]:
            if os.path.isdir(path):
                own = self.folder / "root" / path.strip("/")
                own.mkdir(parents=True, exist_ok=True)
                call("mount", "--bind", own, path)

    def _dovecot(self, accounts):
        etc = pathlib.Path("/etc/dovecot")
        (etc / "conf.d").mkdir()
        text = (HERE / "dovecot.conf").read_text()
        for key, value in {"ADDRESS": SOURCE, "TLS": self.tls, "FOLDER": self.folder, "UID": VMAIL_UID}.items():
            text = text.replace(f"@{key}@", str(value))
        (etc / "dovecot.conf").write_text(text)
        (etc / "users").write_text("".join(f"{a.address}:{a.hash_text}:::::: {a.extra}".rstrip() + "\n" for a in accounts))
        hash_text = call("openssl", "passwd", "-6", "-salt", "vmadminsalt", MASTER[1]).strip()
        (etc / "master-users").write_text(f"{MASTER[0]}:{{SHA512-CRYPT}}{hash_text}\n")
        for name in ("users", "master-users"):
            shutil.chown(etc / name, "root", "dovecot")
            (etc / name).chmod(0o640)
        os.chown(self.folder / "mail", VMAIL_UID, VMAIL_UID)

    def _postfix(self, accounts, aliases):
        etc = pathlib.Path("/etc/postfix")
        for name in ("main.cf", "master.cf"):
            text = (HERE / f"postfix-{name}").read_text()
            for key, value in {"ADDRESS": SOURCE, "TLS": self.tls, "FOLDER": self.folder, "DOMAIN": DOMAIN}.items():
                text = text.replace(f"@{key}@", str(value))
            (etc / name).write_text(text)
        (etc / "mailboxes").write_text("".join(f"{a.address} mailbox\n" for a in accounts))
        (etc / "senders").write_text("".join(f"{a.address} {a.address}\n" for a in accounts))
        (etc / "virtual").write_text("".join(f"{alias} {', '.join(to)}\n" for alias, to in aliases.items()))
        for table in ("mailboxes", "senders", "virtual"):
            call("postmap", f"hash:/etc/postfix/{table}")
        old = time.time() - 60  # a file younger than a second is taken for half written and read again and again
        for file in etc.iterdir():
            if file.is_file() and not file.is_symlink():
                os.utime(file, (old, old))
        spool = pathlib.Path("/var/spool/postfix")
        postfix = pwd.getpwnam("postfix").pw_uid
        for name in ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]:
            (spool / name).mkdir(mode=0o700)
            os.chown(spool / name, postfix, 0)
        for name, mode in {"maildrop": 0o730, "public": 0o710, "pid": 0o755}.items():
            (spool / name).mkdir()
            (spool / name).chmod(mode)
            if name != "pid":
                shutil.chown(spool / name, "postfix", "postdrop")
        os.chown("/var/lib/postfix", postfix, -1)
