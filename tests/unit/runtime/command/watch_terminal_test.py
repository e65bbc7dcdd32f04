#!/usr/bin/env python3
"""`plan watch` in a terminal: a pseudo-terminal in front of it, and behind it a journal of a run that goes on as long as this
program holds its lock. What is waited for is what stands on the screen, never a time."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAN = os.environ.get("PLAN", "")
PATIENCE = 120  # seconds until something that must come is given up


class Journal:
    """A run of a plan with two waves that has moved one account and holds another."""

    def __init__(self, folder):
        bad_input_test.Project(folder)
        drawn = subprocess.run([PLAN, "graph", "--format", "json", str(folder / "migration.yaml")], stdout=subprocess.PIPE, text=True)
        document = drawn.stdout.strip()
        (folder / ".plan").mkdir(exist_ok=True)
        self.path = folder / ".plan" / "journal.sqlite"
        self.lock = open(str(self.path) + ".lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(document.encode()).hexdigest()
        self.database = sqlite3.connect(self.path)
        self.database.executescript((ROOT / "runtime" / "engine" / "schema.sql").read_text())
        self.database.execute("PRAGMA application_id = 0x504C4A31")
        self.database.execute("PRAGMA user_version = 1")
        now = int(time.time() * 1000)
        self.database.execute("INSERT INTO graph VALUES (?, ?)", (digest, document.encode()))
        self.database.execute("INSERT INTO run VALUES (1, 'r1', 'example.org to Stalwart', ?, '', 0, 0, ?, NULL, 'b', 1, '')",
                              (digest, now - 120_000))
        for step, outputs in (("create", {"account_id": "i"}), ("copy", {"bytes": 60 << 20, "messages": 1234}), ("release", {})):
            self.step(digest, "alice@example.org", step, now, outputs)
        self.step(digest, "bob@example.org", "copy", now, {"bytes": 1 << 20, "messages": 5})
        self.step(digest, "bob@example.org", "hold", now, {})
        self.database.execute("INSERT INTO hold VALUES (1, 'alice@example.org', ?, 'b', 20000, 0, ?, 1)", (now - 60_000, now - 58_500))
        self.database.execute("INSERT INTO hold VALUES (2, 'bob@example.org', ?, 'b', 20000, 0, NULL, 0)", (now - 1_000,))
        self.database.commit()
        running = {"event": "step-progress", "step": "account/bob@example.org/delta", "done": 30, "total": 60, "unit": "messages"}
        (folder / ".plan" / "events.jsonl").write_text(json.dumps(running) + "\n")

    def step(self, graph, account, name, now, outputs):
        self.database.execute(
            "INSERT INTO step VALUES (?, 2, '', ?, ?, 1, '', 0, NULL, ?, NULL, NULL, NULL, NULL, NULL, ?, ?, 1)",
            (f"account/{account}/{name}", graph, account, json.dumps(outputs, separators=(",", ":")), now - 90_000, now - 59_000))

    def end(self):
        self.database.execute("UPDATE hold SET ended_ms = begun_ms + 1500, is_committed = 1 WHERE ended_ms IS NULL")
        self.database.execute("UPDATE run SET state = 1, ended_ms = started_ms + 125000")
        self.database.commit()
        self.lock.close()


class Terminal:
    def __init__(self, folder, rows, columns):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen([PLAN, "watch", "--interval", "1", "--plan", str(folder / "migration.yaml")], stdin=slave,
                                        stdout=slave, stderr=slave, env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, is_reached):
        """What came since the last call, up to where `is_reached` is true of it."""
        text = ""
        deadline = time.monotonic() + PATIENCE
        while not is_reached(text) and time.monotonic() < deadline:
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                text += os.read(self.master, 65536).decode()
            except OSError:  # nobody has the other end any more
                break
        self.text += text
        return text

    def ended(self):
        rest = self.read_until(lambda _: self.process.poll() is not None)
        rest += self.read_until(lambda text: not select.select([self.master], [], [], 0.5)[0])
        return rest, self.process.wait(timeout=PATIENCE)


def pictures(text):
    """The pictures that were drawn, one over the other: as lines without colours."""
    parts = re.split(r"\x1b\[[0-9]*A\x1b\[J|\x1b\[H\x1b\[J", text)
    return [re.sub(r"\x1b\[[0-9;]*m", "", part).replace("\r", "").splitlines() for part in parts]


def is_whole(text):
    shown = pictures(text)
    return len(shown) >= 3 and len(shown[-2]) >= 5


def test_a_run(folder):
    journal = Journal(folder)
    terminal = Terminal(folder, 24, 100)
    drawn = terminal.read_until(is_whole)
    lines = pictures(drawn)[-2] if is_whole(drawn) else pictures(drawn)[-1]
    text = "\n".join(lines)
    check("the first line says what runs, and for how long", lines[0].startswith("example.org to Stalwart: running for "), lines)
    check("waves are drawn with how far they are", re.search(r"^wave canary +\[#+\] 1 of 1 moved$", text, re.M) and "wave rest" in text, lines)
    check("accounts are counted", re.search(r"^\[#*\.*\] 1 of [0-9]+ accounts moved$", text, re.M), lines)
    check("rates and the time left are told", re.search(r"accounts a minute, .*/s copied; about .* left$", text, re.M), lines)
    check("who is held is named, with since when", re.search(r"^held  bob@example.org  [0-9.]+ ", text, re.M), lines)
    check("what runs is shown with its progress", "runs  account/bob@example.org/delta: 30 of 60 (50 %) messages" in text, lines)
    check("each picture is drawn over the one before", re.search(r"\x1b\[[0-9]+A\x1b\[J", drawn), drawn)
    check("no line is wider than the terminal", all(len(line) < 100 for line in lines), lines)

    terminal.resize(8, 50)
    narrow = terminal.read_until(lambda text: "\x1b[H\x1b[J" in text and is_whole(text))
    shown = pictures(narrow[narrow.find("\x1b[H\x1b[J"):])[1:]
    check("a smaller terminal is drawn anew from its top", "\x1b[H\x1b[J" in narrow, narrow)
    check("and nothing in it is wider or longer than the terminal",
          shown and all(len(picture) < 8 and all(len(line) < 50 for line in picture) for picture in shown), shown)

    terminal.resize(40, 120)
    wide = terminal.read_until(lambda text: "\x1b[H\x1b[J" in text and is_whole(text[text.find("\x1b[H\x1b[J"):]))
    check("a larger one shows all again", "held  bob@example.org" in wide, wide)

    journal.end()
    last, code = terminal.ended()
    check("it ends with the run, and says how", "example.org to Stalwart: finished after 2 min 5 s" in last, last)
    check("its exit code is that of the run", code == 0, code)
    check("and the cursor is left below the last picture", last.endswith("\n"), last)


def test_an_interrupt(folder):
    journal = Journal(folder)
    terminal = Terminal(folder, 24, 100)
    terminal.read_until(lambda text: "held  bob@example.org" in text)
    os.write(terminal.master, b"\x03")
    last, code = terminal.ended()
    check("Ctrl-C ends the looking, not the run", code == 0, (code, last))
    check("the journal is as it was", journal.database.execute("SELECT state FROM run").fetchall() == [(0,)])


def main():
    if not PLAN:
        sys.exit("PLAN must name the program")
    for test in (test_a_run, test_an_interrupt):
        with tempfile.TemporaryDirectory() as folder:
            test(pathlib.Path(folder))
    sys.exit(exit_code())


if __name__ == "__main__":
    main()
