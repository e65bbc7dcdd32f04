#!/usr/bin/env python3
"""A double of the server's own program on SQLite stores, as ../shared/data/transcripts/dumps.jsonl shows 0.16.15:
`--version`, `--export`, `--import`, `--console`, and a start that serves until it is told to end.

What a test wants it to do wrong stands, one word a line, in the file `faults` beside its configuration:
  half-import   imports every second record and ends with 0
  half-export   writes every second record and ends with 0
  no-import     ends with 1 after the first file
  killed-import is gone (kill -9) in the middle of subspace p

A SQLite file `blobs.sqlite3` beside its configuration is the blob store that the settings name, as S3 would be: an export reads
blobs from there. An import puts them into the data store all the same, as the real one does when all files come in one run.
"""

import base64
import json
import os
import pathlib
import signal
import sqlite3
import struct
import sys
import time

FAMILIES = {"data": "aiunp", "registry": "sbgd", "blob": "tk", "changelog": "l", "queue": "eq", "report": "hr",
            "telemetry": "ox", "tasks": "f"}
KEY_ONLY, COUNTERS = "ib", "nuy"
SCHEMA = 6
LEASE = b"\xff\xff\xff\xff\x00\x01"


def fail(text, code=1):
    print(text, file=sys.stderr)
    sys.exit(code)


def xxh32(data, seed=0):
    """Of fewer than 16 bytes, which is all that a frame's header needs."""
    p2, p3, p5 = 2246822519, 3266489917, 374761393
    value = (seed + p5 + len(data)) & 0xFFFFFFFF
    for byte in data:
        value = (value + byte * p5) & 0xFFFFFFFF
        value = ((value << 11 | value >> 21) * 2654435761) & 0xFFFFFFFF
    value ^= value >> 15
    value = value * p2 & 0xFFFFFFFF
    value ^= value >> 13
    value = value * p3 & 0xFFFFFFFF
    return value ^ value >> 16


def leb(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def lz4_block(data):
    out, at = bytearray(), 0
    while at < len(data):
        token = data[at]
        at += 1
        literals = token >> 4
        if literals == 15:
            while True:
                literals += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        out += data[at:at + literals]
        at += literals
        if at >= len(data):
            break
        offset = data[at] | data[at + 1] << 8
        at += 2
        length = (token & 15) + 4
        if token & 15 == 15:
            while True:
                length += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        for _ in range(length):
            out.append(out[-offset])
    return bytes(out)


def content_of(path):
    data = path.read_bytes()
    if data[:4] != b"\x04\x22\x4d\x18":
        fail(f'Failed to read magic marker from "{path}": WrongMagicNumber')
    at, content = 7, b""
    while at + 4 <= len(data):
        length = struct.unpack_from("<I", data, at)[0]
        at += 4
        if length == 0:
            break
        block = data[at:at + (length & 0x7FFFFFFF)]
        content += block if length >> 31 else lz4_block(block)
        at += length & 0x7FFFFFFF
    return content


def records_of(content):
    at = 6
    def length():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(content):
        size = length()
        key = content[at:at + size]
        at += size
        size = length()
        yield key, content[at:at + size]
        at += size


class Store:
    def __init__(self, config):
        try:
            self.config = json.loads(pathlib.Path(config).read_text())
        except FileNotFoundError:
            # Bootstrap mode: an empty store in memory, and only this banner says so.
            print("Stalwart started in bootstrap mode, temporary password: x", file=sys.stderr)
            self.config = {"@type": "Sqlite", "path": ":memory:"}
        except ValueError:
            fail(f"Startup failed: Failed to parse data store settings at {config}")
        if self.config.get("@type") != "Sqlite":
            fail("Startup failed: this double knows SQLite only")
        self.faults = set()
        faults = pathlib.Path(config).parent / "faults"
        if faults.exists():
            self.faults = set(faults.read_text().split())
        self.base = sqlite3.connect(self.config["path"])
        blobs = pathlib.Path(config).parent / "blobs.sqlite3"
        self.blobs = sqlite3.connect(blobs) if blobs.exists() else self.base
        self.base.execute("PRAGMA journal_mode=WAL")
        for letter in "afjwkmpsgeqrhltoxzdibnuy":
            kind = "" if letter in KEY_ONLY else ", v INTEGER NOT NULL DEFAULT 0" if letter in COUNTERS else ", v BLOB NOT NULL"
            self.base.execute(f"CREATE TABLE IF NOT EXISTS {letter} (k BLOB PRIMARY KEY{kind})")
        self.base.execute("INSERT OR REPLACE INTO g VALUES (?, ?)", (LEASE, struct.pack(">Q", int(time.time())) + b"fake-host"))
        self.base.commit()

    def schema(self):
        row = self.base.execute("SELECT v FROM p WHERE k = x'00'").fetchone()
        return None if row is None else struct.unpack(">I", row[0])[0]

    def close(self):
        self.base.commit()
        self.base.close()


def export(store, folder):
    folder = pathlib.Path(folder)
    types = os.environ.get("EXPORT_TYPES")
    names = list(FAMILIES) if types is None else [name.strip() for name in types.split(",")]
    for name in names:
        if name not in FAMILIES:
            fail(f"Backup failed: Unknown family {name}.")
    folder.mkdir(parents=True, exist_ok=True)
    if store.schema() is None:
        fail("Could not retrieve database schema version.")
    for letter in "".join(FAMILIES[name] for name in dict.fromkeys(names)):
        print(f"Exporting database to {folder}/subspace_{letter}.")
        content = b"{" + letter.encode() + struct.pack("<I", SCHEMA)
        columns = "k" if letter in KEY_ONLY else "k, v"
        base = store.blobs if letter == "t" else store.base
        for number, row in enumerate(base.execute(f"SELECT {columns} FROM {letter} ORDER BY k")):
            if "half-export" in store.faults and letter == "p" and number % 2:
                continue
            value = b"" if letter in KEY_ONLY else struct.pack("<q", row[1]) if letter in COUNTERS else row[1]
            if letter == "t":
                value = lz4_block(value[4:-1]) if value[-1:] == b"\xa1" else value[:-1]
            content += leb(len(row[0])) + row[0] + leb(len(value)) + value
        out = b"\x04\x22\x4d\x18\x60\x40" + bytes([xxh32(b"\x60\x40") >> 8 & 255])
        for at in range(0, len(content), 65536):
            block = content[at:at + 65536]
            out += struct.pack("<I", len(block) | 1 << 31) + block
        (folder / f"subspace_{letter}").write_bytes(out)


def stored(content):
    """A blob as 0.16 keeps it: LZ4, here as one run of literals."""
    count, out = len(content), b""
    if count < 15:
        out = bytes([count << 4])
    else:
        out, count = b"\xf0", count - 15
        while count >= 255:
            out += b"\xff"
            count -= 255
        out += bytes([count])
    return struct.pack("<I", len(content)) + out + content + b"\xa1"


def load(store, path):
    for file in sorted(pathlib.Path(path).iterdir()):
        if not file.is_file():
            continue
        print(f"Importing database dump from {file}.")
        content = content_of(file)
        letter, schema = chr(content[1]), struct.unpack_from("<I", content, 2)[0]
        if schema != SCHEMA:
            fail(f'Invalid database schema version in "{file}": Expected {SCHEMA}, found {schema}')
        if store.base.execute(f"SELECT 1 FROM {letter} LIMIT 1").fetchone():
            store.base.commit()
            fail(f'Cannot import "{file}": the target database already contains data')
        for number, (key, value) in enumerate(records_of(content)):
            if "half-import" in store.faults and letter == "p" and number % 2:
                continue
            if "killed-import" in store.faults and letter == "p" and number == 100:
                store.base.commit()
                os.kill(os.getpid(), signal.SIGKILL)
            if letter in KEY_ONLY:
                store.base.execute(f"INSERT OR REPLACE INTO {letter} VALUES (?)", (key,))
            elif letter in COUNTERS:
                store.base.execute(f"INSERT INTO {letter} VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = v + ?2",
                                   (key, struct.unpack("<q", value)[0]))
            else:
                store.base.execute(f"INSERT OR REPLACE INTO {letter} VALUES (?, ?)", (key, stored(value) if letter == "t" else value))
        store.base.commit()
        if "no-import" in store.faults:
            fail("Failed to wait for task: task 5 panicked")


def console(store):
    while True:
        line = sys.stdin.readline()
        if not line:
            time.sleep(0.1)  # the real one goes round for ever at the end of its input
            continue
        words = line.split()
        if words[:1] in (["exit"], ["quit"]):
            return
        if words[:1] == ["put"]:
            key = base64.b64decode(words[1].removeprefix("base64:"))
            value = base64.b64decode(words[2].removeprefix("base64:")) if len(words) > 2 else b""
            print(f"Putting key: {list(key)}")
            store.base.execute(f"INSERT OR REPLACE INTO {chr(key[0])} VALUES (?, ?)", (key[1:], value))


def serve(config):
    """Serves: the process stays, its store open, until SIGTERM. Only 0.16's own checks of a start."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = json.loads(pathlib.Path(config).read_text())
    if settings.get("@type") == "Sqlite":
        base = sqlite3.connect(f"file:{settings['path']}?mode=ro", uri=True)
        if base.execute("SELECT v FROM p WHERE k = x'00'").fetchone() is None:
            fail("Migration aborted: the store has no schema version", 101)
    print("serving", settings.get("@type"), flush=True)
    while True:
        time.sleep(0.05)


def main():
    if "CONFIG_PATH" in os.environ:
        serve(os.environ["CONFIG_PATH"])  # arguments are not even looked at
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("0.16.15")
        return
    options = {}
    while arguments:
        name = arguments.pop(0).lstrip("-")
        options[name] = arguments.pop(0) if arguments else ""
    if "config" not in options:
        print("Missing '--config' argument for import/export.")
        return
    if not {"export", "import", "console"} & set(options):
        serve(options["config"])
    store = Store(options["config"])
    if "export" in options:
        export(store, options["export"])
    elif "import" in options:
        load(store, options["import"])
    else:
        console(store)
    store.close()


if __name__ == "__main__":
    main()
