"""One server with a SQLite store for tests of store plans: its configuration, its service commands, the plan beside it.
What each test needs of it differs little, so it is made here once. Used by store_move_test.py and the crash test."""

import hashlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("PLAN_SHARED", ROOT.parent / "shared"))
STORE = SHARED / "data" / "stores" / "0.16.15-sqlite-small.sqlite"
FAKE = ROOT / "tests" / "support" / "fake_stalwart.py"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")

# Started with setsid, so that it outlives the command that starts it, as a service does. The log is emptied before: what the last
# server said would count as ready.
SERVICE = """#!/bin/sh
pid=$(cat "{work}/server.pid" 2>/dev/null)
alive() {{ [ -n "$pid" ] && [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status"; }}
case $1 in
  start) alive || {{ : > "{work}/server.log"
    setsid "{python}" "{fake}" --config "{work}/config.json" >> "{work}/server.log" 2>&1 < /dev/null & echo $! > "{work}/server.pid"; }} ;;
  stop) alive && kill "$pid"; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do alive || break; sleep 0.1; done; true ;;
  running) alive ;;
  ready) grep -q serving "{work}/server.log" 2>/dev/null ;;
esac
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.config = self.work / "config.json"
        self.store = self.work / "old.sqlite3"
        shutil.copyfile(STORE, self.store)
        self.store.chmod(0o600)
        self.config.write_text(json.dumps({"@type": "Sqlite", "path": str(self.store)}))
        self.config.chmod(0o640)
        self.binary = self.work / "stalwart"
        self.binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
        self.service = self.work / "service"
        self.service.write_text(SERVICE.format(work=self.work, python=sys.executable, fake=FAKE))
        for program in (self.binary, self.service):
            program.chmod(0o755)
        self.control("start")
        self.wait_until_serving()

    def control(self, verb):
        return subprocess.run([self.service, verb], check=False).returncode

    def is_running(self):
        return self.control("running") == 0

    def wait_until_serving(self):
        for _ in range(200):
            if self.control("ready") == 0 and self.is_running():
                return
            time.sleep(0.05)
        raise OSError("the server does not start: " + (self.work / "server.log").read_text())

    def serves(self):
        """Type of the store that the running server started on, or nothing."""
        return (self.work / "server.log").read_text().split()[-1] if self.is_running() else None

    def digest(self):
        return hashlib.sha256(self.store.read_bytes()).hexdigest()

    def write_plan(self, dump, store="", name="Test", over_ssh=None):
        """`over_ssh`: a SshServer that lets plan into the server's machine."""
        service = ", ".join(f"{verb}: [{self.service}, {verb}]" for verb in ("stop", "start", "running"))
        hosts, program = "", ""
        if over_ssh is not None:
            hosts = f"hosts: {{target: {{ssh: \"root@{over_ssh.address}:{over_ssh.port}\", key: !secret file:{over_ssh.client_key}}}}}"
            program = f"  plan: {os.environ['PLAN']}"
        (self.work / "migration.yaml").write_text(f"""plan: 1
name: {name}
use: std/store-move
{hosts}
target:
{program}
  config: {self.config}
  binary: {self.binary}
  service: {{{service}}}
  ready: [{self.service}, ready]
  stop_within: 20s
  start_within: 20s
dump:
{dump}
{store}
rollback_points: [before-stop, before-start]
""")

    def plan(self, *arguments, variables=None):
        return subprocess.run([os.environ["PLAN"], *map(str, arguments)], cwd=self.work, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env={**os.environ, **(variables or {})})

    def end(self):
        self.control("stop")
        for _ in range(100):
            if not self.is_running():
                return
            time.sleep(0.05)
        os.kill(int((self.work / "server.pid").read_text()), signal.SIGKILL)


class Postgres:
    """PostgreSQL 15 on loopback with password logins; ended by its process id."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.work.mkdir()
        self.work.parent.chmod(0o755)
        user = pwd.getpwnam("postgres")
        os.chown(self.work, user.pw_uid, user.pw_gid)
        self.user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": self.user, "cwd": self.work}
        subprocess.run([POSTGRES / "initdb", "-D", self.work / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "-N"], check=True, **quiet)
        (self.work / "data" / "pg_hba.conf").write_text(
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.process = subprocess.Popen([POSTGRES / "postgres", "-D", self.work / "data", "-p", str(self.port), "-k", self.work,
                                         "-h", "127.0.0.1", "-F"], **quiet)
        for _ in range(200):
            if self.query("postgres", "SELECT 1").returncode == 0:
                return
            time.sleep(0.05)
        raise OSError("PostgreSQL does not start")

    def query(self, database, sql):
        return subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-Atqc", sql],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)


def maria_program():
    return next((program for program in (pathlib.Path("/usr/sbin/mariadbd"), pathlib.Path("/usr/libexec/mariadbd")) if program.exists()), None)


class Maria:
    """MariaDB on loopback; root comes in by the socket of the folder. Ended by its process id."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.work.mkdir()
        self.work.parent.chmod(0o755)
        self.port = free_port()
        self.socket = self.work / "socket"
        user = "root" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        with open(self.work / "log", "wb") as log:
            subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.work}/data", f"--user={user}", "--skip-test-db",
                            "--auth-root-authentication-method=normal"], check=True, stdout=log, stderr=log)
            self.process = subprocess.Popen([maria_program(), "--no-defaults", f"--datadir={self.work}/data", f"--user={user}",
                                             f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                                             "--skip-networking=0", f"--pid-file={self.work}/pid", "--innodb-flush-log-at-trx-commit=0",
                                             "--max-allowed-packet=256M"], stdout=log, stderr=log)
        for _ in range(600):
            if subprocess.run([*self.client(), "-e", "SELECT 1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0:
                return
            time.sleep(0.05)
        self.end()
        raise OSError("MariaDB does not start: " + (self.work / "log").read_text()[-2000:])

    def client(self):
        return ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B"]

    def query(self, sql):
        subprocess.run([*self.client(), "-e", sql], check=True, stdout=subprocess.DEVNULL)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def rocksdb_library():
    """What the unit tests have fetched, beside the program that is tested; nothing where they have not."""
    named = os.environ.get("PLAN_ROCKSDB_LIBRARY") or pathlib.Path(os.environ["PLAN"]).parent / "rocksdb-library" / "librocksdbjni-linux64.so"
    return pathlib.Path(named) if pathlib.Path(named).exists() else None


def postgres_is_installed():
    return (POSTGRES / "postgres").exists() and bool(shutil.which("psql"))
