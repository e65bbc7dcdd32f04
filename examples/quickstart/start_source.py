#!/usr/bin/env python3
"""Starts only the source of the quickstart (a real Dovecot and Postfix with mail) inside the current namespaces and
waits for its standard input to end: `unshare --net --mount --pid --fork --mount-proc python3 start_source.py FOLDER`.
The system tests use it."""

import json
import pathlib
import sys

import people
import world


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mail").mkdir(exist_ok=True)
    folder.chmod(0o755)
    w = world.World(folder)
    w.network()
    w.certificates()
    accounts, aliases = people.prepare_accounts()
    manifest = people.write_mail(folder)
    with open(folder / "manifest.jsonl", "w", encoding="utf-8") as file:
        for record in manifest:
            file.write(json.dumps(record) + "\n")
    w.source(accounts, aliases)
    print("ready", flush=True)
    sys.stdin.read()
    w.stop()


if __name__ == "__main__":
    main()
