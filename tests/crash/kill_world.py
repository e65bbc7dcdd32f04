"""The reference migration for the tests that kill: a real Dovecot and Postfix with four accounts under traffic, the target,
the proxy, and the quickstart's oracle as the judge. See kill_test.py, kill_matrix.py, random_kills.py."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import in_namespace  # noqa: E402

in_namespace.enter()

import oracle  # noqa: E402
import people  # noqa: E402
import quickstart  # noqa: E402

ACCOUNTS = {"alice": 300, "bob": 0, "dave": 40, "judy": 35}
people.PEOPLE[:] = [a for a in people.PEOPLE if a.name in ACCOUNTS]
for account in people.PEOPLE:
    account.messages = ACCOUNTS[account.name]

PLAN = quickstart.PLAN


def kill_points():
    """The names that a move of accounts comes by, from the one place where all stand. Those of a store have a test of their own
    (store_move_kill_test.py), and so have those of calendars, which these accounts have not (dav_move_test.cpp)."""
    text = (ROOT / "runtime" / "engine" / "kill_points.def").read_text()
    return [n for n in re.findall(r'^PLAN_KILL_POINT_ENTRY\("([^"]+)"', text, re.M) if not n.startswith("dump.") and ".dav-" not in n]


def write_evidence(name, value):
    folder = os.environ.get("PLAN_EVIDENCE")
    if folder:
        pathlib.Path(folder, f"{name}.json").write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


class Migration(quickstart.Migration):
    """The reference migration, with commands that are killed on the way and servers that are killed beside it."""

    def __init__(self, report):
        super().__init__(tempfile.mkdtemp(prefix="plan-kill-"), interval=0.15)
        self.report = report
        self.kills = {}  # by kill point
        self.server_kills = {}
        self.last_output = ""

    def run(self, *arguments, kill_point=None, timeout=900):
        """Exit code of one command of plan; -9 when it was killed at the point."""
        environment = dict(os.environ)
        if kill_point:
            environment["PLAN_KILL_POINT"] = kill_point
        done = subprocess.run([PLAN, *arguments], cwd=self.work, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
        self.last_output = done.stdout
        if done.returncode == -signal.SIGKILL and kill_point:
            name = kill_point.split(":")[0]
            self.kills[name] = self.kills.get(name, 0) + 1
        return done.returncode

    def run_past(self, stop_point, victim, *arguments):
        """Runs the command; when it comes by the point (name:pass) it stands still while the server is killed and started."""
        with open(self.folder / "plan.log", "ab") as log:
            process = subprocess.Popen([PLAN, *arguments], cwd=self.work, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT, env={**os.environ, "PLAN_STOP_POINT": stop_point})
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        has_stood = os.WIFSTOPPED(status)
        if has_stood:
            self.kill_server(victim)
            process.send_signal(signal.SIGCONT)
            _, status = os.waitpid(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, has_stood

    def killed(self, arguments, places, accept):
        """The command once for each place (point, pass); it dies there, and the next goes on. Ends early when one ends by itself
        with a code that is accepted, and says so."""
        for name, number in places:
            code = self.run(*arguments, kill_point=f"{name}:{number}")
            if code == -signal.SIGKILL:
                continue
            self.report_unless(code in accept, f"plan {arguments[0]} goes on until {name}:{number}", code)
            return False
        return True

    def until(self, arguments, code, tries=12, note=""):
        """The command again and again, as an operator does it, until it ends with that exit code."""
        for _ in range(tries):
            if self.run(*arguments) == code or (note and note in self.last_output):
                return True
            time.sleep(2)
        return False

    def journal_lost(self):
        """Is it refused to move accounts that have moved, when .plan is gone? The oracle looks at their mail later."""
        kept, lock = self.work / ".plan.kept", self.work / "migration.lock"
        was_locked = lock.read_bytes()
        (self.work / ".plan").rename(kept)
        try:
            self.run("fetch")
            code = self.run("apply", "migration.yaml", "--yes")
            return code == 1 and "[moved-already]" in self.last_output, f"exit code {code}\n{self.last_output[-3000:]}"
        finally:
            shutil.rmtree(self.work / ".plan", ignore_errors=True)
            kept.rename(self.work / ".plan")
            lock.write_bytes(was_locked)

    def report_unless(self, is_right, name, seen):
        if not is_right:
            self.report.check(name, False, f"{seen}\n{self.last_output[-3000:]}")
        return is_right

    def users_at_work(self, names):
        """What a person does by hand: deletes, moves and flags; the way back and the second move carry it."""
        for name in names:
            hand = self.hand(name)
            gone = hand.delete("INBOX")
            there = hand.move("INBOX", "Moved", skip={gone})
            hand.flag("INBOX", "\\Answered", skip={gone, there})
            hand.close()

    def kill_server(self, name):
        """kill -9 of a server's own process, and its start as a supervisor would do it."""
        process = self.world.processes[name]
        process.kill()
        process.wait()
        time.sleep(0.3)
        {"proxy": self.start_proxy, "target": self.start_target, "dovecot": self.start_dovecot}[name]()
        self.server_kills[name] = self.server_kills.get(name, 0) + 1

    def start_dovecot(self):
        """Its children may hold the ports for a moment after the master was killed."""
        for _ in range(40):
            process = self.world.spawn("dovecot", "dovecot", "-F")
            time.sleep(0.5)
            if process.poll() is None:
                break
        self.world.wait_greeting("dovecot", quickstart.world.SOURCE, 143, b"* OK")

    def facts(self):
        return {**super().facts(), "postfix_log": str(self.folder / "postfix.log")}

    def judged(self, name, seconds=150):
        """Both queues run dry, and the oracle finds every message once where its reader looks."""
        is_dry = self.report.check(f"{name}: both queues run dry", self.settle(seconds))
        (rows, wrong), facts = self.judge()
        print(oracle.table(rows, facts["holds"]))
        for row in rows:
            for identity in row["redelivered"]:
                print(f"{row['account']}: {identity} was delivered again by the servers themselves, of which one was killed over its answer")
        is_right = self.report.check(f"{name}: nothing lost, nothing twice", not wrong, "\n".join(wrong[:40]))
        return is_dry and is_right, rows

    def end(self):
        self.report.clean_up(self.folder, self)


class ServerKiller(threading.Thread):
    """Kills servers now and then while something else runs."""

    def __init__(self, migration, rng, least, most, servers):
        super().__init__(daemon=True)
        self.migration, self.rng, self.least, self.most, self.servers = migration, rng, least, most, servers
        self.stopping = threading.Event()
        self.is_resting = False
        self.failure = None

    def run(self):
        while not self.stopping.wait(self.rng.uniform(self.least, self.most)):
            if self.is_resting:
                continue
            try:
                self.migration.kill_server(self.rng.choice(self.servers))
            except SystemExit as failure:  # a server that does not come back
                self.failure = str(failure)
                return

    def end(self):
        self.stopping.set()
        self.join()
        return self.failure
