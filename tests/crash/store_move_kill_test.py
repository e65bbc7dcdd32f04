#!/usr/bin/env python3
"""`plan apply` of a store plan killed with -9 at its durable points, and its rollback too; the same command goes on each time,
and the two stores are compared record by record at the end. tests/run kills at every fifth pass of the points inside dump and
import and at every pass of the engine's; PLAN_LONG=1 (tests/long) at every one. Prints `ok NAME`, `FAILED NAME`, `skipped ...`."""

import json
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import store_server  # noqa: E402

ENGINE_POINTS = ["journal.after-intent", "driver.after-apply", "driver.after-verify", "journal.after-outcome"]
PARTS = "dump.part-durable"
UNDO_POINTS = ["journal.after-undo-intent", "driver.after-undo", "journal.after-undone"]
IS_LONG = os.environ.get("PLAN_LONG") == "1"
KILLED = -9


def begin(folder, name, is_by_server=False):
    work = folder / name
    work.mkdir()
    server = store_server.Server(work)
    (work / "new.json").write_text(json.dumps({"@type": "Sqlite", "path": f"{work}/new.sqlite3"}))
    by = f"by: server, config: {work}/new.json, " if is_by_server else ""
    server.write_plan(f'  - {{of: target, subspaces: all, to: "target:{work}/dump", when: stopped}}',
                      f"store: {{{by}to: {{sqlite: {work}/new.sqlite3}}}}")
    done = server.plan("fetch")
    assert done.returncode == 0, done.stdout
    return server


def is_moved(server, before):
    """Nothing when the move is whole; else what is wrong."""
    work = server.work
    if server.serves() != "Sqlite" or json.loads(server.config.read_text())["path"] != str(work / "new.sqlite3"):
        return "the server does not serve from the new store"
    if server.digest() != before:
        return "the old store was changed"
    compared = server.plan("dump", "import", f"sqlite:{work}/new.sqlite3", work / "dump", "--compare")
    if compared.returncode != 0:
        return compared.stdout
    with sqlite3.connect(f"file:{work}/new.sqlite3?mode=ro", uri=True) as base:
        notes = base.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'plan_import'").fetchone()[0]
    base.close()
    return "a note of the import is left" if notes else ""


def killed_at(folder, point, number, is_by_server=False):
    """False: this point is not passed so often."""
    server = begin(folder, "move", is_by_server)
    try:
        before = server.digest()
        first = server.plan("apply", "migration.yaml", "--yes", variables={"PLAN_KILL_POINT": f"{point}:{number}"})
        if first.returncode != KILLED:
            assert first.returncode == 0, f"{point}:{number}: {first.returncode}\n{first.stdout}"
            return False
        again = server.plan("apply", "migration.yaml", "--yes")
        assert again.returncode == 0, f"killed at {point}:{number}, then {again.returncode}\n{again.stdout}"
        wrong = is_moved(server, before)
        assert not wrong, f"killed at {point}:{number}: {wrong}"
        return True
    finally:
        server.end()
        shutil.rmtree(server.work)


def undo_killed_at(folder, point, number):
    server = begin(folder, "back")
    try:
        before, config = server.digest(), server.config.read_bytes()
        moved = server.plan("apply", "migration.yaml", "--yes")
        assert moved.returncode == 0, moved.stdout
        back = ["rollback", "--to", "before-stop", "--yes"]
        first = server.plan(*back, variables={"PLAN_KILL_POINT": f"{point}:{number}"})
        if first.returncode != KILLED:
            assert first.returncode == 0, f"{point}:{number}: {first.returncode}\n{first.stdout}"
            return False
        again = server.plan(*back)
        assert again.returncode == 0, f"killed at {point}:{number}, then {again.returncode}\n{again.stdout}"
        assert server.serves() == "Sqlite" and server.config.read_bytes() == config, f"{point}:{number}: not the old server"
        assert server.digest() == before, f"{point}:{number}: the old store was changed"
        assert not (server.work / "new.sqlite3").exists(), f"{point}:{number}: the new store was left"
        return True
    finally:
        server.end()
        shutil.rmtree(server.work)


def at_all(folder, points, kill, step, least):
    kills = 0
    for point in points:
        number = 1
        while kill(folder, point, number):
            kills += 1
            number += step
    assert kills >= least, f"only {kills} kills: too few points were reached to mean anything"


def apply_goes_on_behind_every_step(folder):
    at_all(folder, ENGINE_POINTS, killed_at, 1 if IS_LONG else 2, 10)


def apply_goes_on_inside_dump_and_import(folder):
    at_all(folder, [PARTS], killed_at, 1 if IS_LONG else 5, 7)


def apply_goes_on_with_the_servers_own_import(folder):
    """Killed before and behind every effect: what the server's program imported twice would be twice there."""
    at_all(folder, ["journal.after-intent", "driver.after-apply"], lambda *at: killed_at(*at, is_by_server=True), 1 if IS_LONG else 2, 5)


def rollback_goes_on(folder):
    at_all(folder, UNDO_POINTS, undo_killed_at, 1 if IS_LONG else 2, 5)


def main():
    if "PLAN" not in os.environ or not store_server.STORE.exists():
        print("skipped store move, killed: " + ("PLAN is not set" if "PLAN" not in os.environ else "this clone has no ../shared/data/stores"))
        return 0
    failed = 0
    for test in (apply_goes_on_behind_every_step, apply_goes_on_inside_dump_and_import, apply_goes_on_with_the_servers_own_import,
                 rollback_goes_on):
        name = "store move, killed: " + test.__name__.replace("_", " ")
        with tempfile.TemporaryDirectory(prefix="plan-store-") as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {name}", flush=True)
            except (AssertionError, KeyError, ValueError, OSError, sqlite3.Error) as why:
                failed += 1
                print(f"FAILED {name}: {str(why)[:4000]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
