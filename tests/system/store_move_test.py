#!/usr/bin/env python3
"""Plans about a store, run by `plan apply` against a server that is stopped and started by commands: SQLite to a real
PostgreSQL and back, a failed import, the server's own program (a double) that cannot be trusted, the lease. Prints
`ok NAME`, `FAILED NAME` or `skipped NAME: why`."""

import json
import os
import pathlib
import sqlite3
import stat
import sys
import tempfile

sys.dont_write_bytecode = True
import ssh_host  # noqa: E402
import store_server  # noqa: E402

FULL = '  - {{of: target, subspaces: all, to: "target:{work}/dumps/full", when: stopped{by}}}'
PASSWORD = "a password that only one file may have"


def expect(condition, *seen):
    if not condition:
        raise AssertionError("\n".join(str(one) for one in seen))


def fetched(server, unchecked=""):
    """`unchecked`: what nobody can measure here, which `plan check` has to say."""
    done = server.plan("fetch")
    expect(done.returncode == 0, done.stdout)
    done = server.plan("check")
    expect(done.returncode == (4 if unchecked else 0) and unchecked in done.stdout, done.returncode, done.stdout)


def filled(server, *store):
    done = server.plan("dump", "inspect", *store, "--format", "json", variables={"PLAN_STORE_PASSWORD": PASSWORD})
    expect(done.returncode == 0, done.stdout)
    return json.loads(done.stdout)["filled"]


def goes_to_postgresql_and_back(folder):
    server = store_server.Server(folder)
    database = store_server.Postgres(folder / "postgres")
    try:
        database.query("postgres", f"CREATE ROLE mail LOGIN PASSWORD '{PASSWORD}'")
        database.query("postgres", "CREATE DATABASE mail OWNER mail")
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "password").chmod(0o600)
        server.write_plan(FULL.format(work=folder, by="") + f'\n  - {{of: target, subspaces: [k, t], to: "target:{folder}/dumps/part", when: stopped}}',
                          f"store: {{to: {{postgresql: {{host: 127.0.0.1, port: {database.port}, database: mail, user: mail, "
                          "password: !secret file:password}}}")
        store = f"postgresql://mail@127.0.0.1:{database.port}/mail"
        fetched(server)
        lock = (folder / "migration.lock").read_text()
        expect("version target.stalwart 0.16.15" in lock and "target.store.schema 6" in lock, lock)
        before, config = server.digest(), server.config.read_bytes()

        shown = server.plan("diff")
        expect(shown.returncode == 2, shown.stdout)
        for words in ("nobody is served until", "MiB", "about", "the server is stopped, its store is only read"):
            expect(words in shown.stdout, words, shown.stdout)
        expect(server.serves() == "Sqlite", "diff changed something")

        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0, done.stdout)
        expect(server.serves() == "PostgreSql", done.stdout)
        expect(server.digest() == before, "the old store was changed")
        expect(not pathlib.Path(f"{server.config}.plan-lease").exists(), "the lease was not given back")
        compared = server.plan("dump", "import", store, folder / "dumps/full", "--compare", variables={"PLAN_STORE_PASSWORD": PASSWORD})
        expect(compared.returncode == 0, compared.stdout)
        for dump in ("full", "part"):
            verified = server.plan("dump", "verify", folder / "dumps" / dump)
            expect(verified.returncode == 0 and "proved" in verified.stdout, verified.stdout)
        kept = json.loads(server.config.read_text())
        expect(kept["authSecret"]["@type"] == "File" and stat.S_IMODE(server.config.stat().st_mode) == 0o640, kept)
        expect(pathlib.Path(kept["authSecret"]["filePath"]).read_text() == PASSWORD, "the server could not log in")
        for file in [folder / "migration.lock", *(folder / ".plan").rglob("*")]:
            expect(not file.is_file() or PASSWORD.encode() not in file.read_bytes(), f"{file} has the password")

        again = server.plan("apply", "migration.yaml", "--yes")
        expect(again.returncode == 0 and server.serves() == "PostgreSql", again.stdout)

        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0, back.stdout)
        expect(server.serves() == "Sqlite" and server.config.read_bytes() == config, back.stdout)
        expect(server.digest() == before, "the old store was changed")
        expect(filled(server, store) == "", "the new store was not emptied")
    finally:
        server.end()
        database.end()


def goes_to(folder, kind, place, store):
    """To another kind of store by a plan, with the password in a file, and back."""
    server = store_server.Server(folder)
    try:
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "password").chmod(0o600)
        server.write_plan(FULL.format(work=folder, by=""), f"store: {{to: {place}}}")
        fetched(server)
        before, config = server.digest(), server.config.read_bytes()
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0 and server.serves() == kind, done.stdout)
        expect(server.digest() == before, "the old store was changed")
        compared = server.plan("dump", "import", store, folder / "dumps/full", "--compare", variables={"PLAN_STORE_PASSWORD": PASSWORD})
        expect(compared.returncode == 0, compared.stdout)
        exported = server.plan("dump", "export", store, folder / "dumps/again", variables={"PLAN_STORE_PASSWORD": PASSWORD})
        expect(exported.returncode == 0, exported.stdout)
        same = server.plan("dump", "diff", folder / "dumps/full", folder / "dumps/again")
        expect(same.returncode == 0, same.stdout)
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and server.serves() == "Sqlite" and server.config.read_bytes() == config, back.stdout)
        expect(server.digest() == before, "the old store was changed")
    finally:
        server.end()


def goes_to_mariadb_and_back(folder):
    database = store_server.Maria(folder / "maria")
    try:
        database.query(f"CREATE DATABASE mail; CREATE USER mail@127.0.0.1 IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON mail.* TO mail@127.0.0.1")
        goes_to(folder, "MySql", f"{{mysql: {{host: 127.0.0.1, port: {database.port}, database: mail, user: mail, "
                "password: !secret file:password}}", f"mysql://mail@127.0.0.1:{database.port}/mail")
    finally:
        database.end()


def goes_to_rocksdb_and_back(folder):
    os.environ["PLAN_ROCKSDB_LIBRARY"] = str(store_server.rocksdb_library())
    goes_to(folder, "RocksDb", f"{{rocksdb: {folder}/rocks}}", f"rocksdb:{folder}/rocks")


def over_ssh(folder):
    """The same on another machine, as far as plan can tell: service, transfers, configuration and lease go over SSH."""
    server = store_server.Server(folder)
    door = ssh_host.SshServer(folder / "ssh", "127.0.0.1", store_server.free_port())
    database = store_server.Postgres(folder / "postgres")
    try:
        door.start()
        database.query("postgres", f"CREATE ROLE mail LOGIN PASSWORD '{PASSWORD}'")
        database.query("postgres", "CREATE DATABASE mail OWNER mail")
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "password").chmod(0o600)
        server.write_plan(FULL.format(work=folder, by=""),
                          f"store: {{to: {{postgresql: {{host: 127.0.0.1, port: {database.port}, database: mail, user: mail, "
                          "password: !secret file:password}}}", over_ssh=door)
        fetched(server)
        expect(ssh_host.fingerprint(door.host_key) in (folder / "migration.lock").read_text(), "the host key is not in the lock")
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0 and server.serves() == "PostgreSql", done.stdout)
        expect(door.logins() > 0, "nothing went over SSH")
        store = f"postgresql://mail@127.0.0.1:{database.port}/mail"
        compared = server.plan("dump", "import", store, folder / "dumps/full", "--compare", variables={"PLAN_STORE_PASSWORD": PASSWORD})
        expect(compared.returncode == 0, compared.stdout)
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and server.serves() == "Sqlite", back.stdout)
        expect(filled(server, store) == "", "the new store was not emptied")
        door.change_host_key()
        refused = server.plan("diff")
        expect("host-key-changed" in refused.stdout, refused.stdout)
    finally:
        server.end()
        database.end()
        door.stop()


def what_came_after_the_start_is_not_thrown_away(folder):
    """A store that a server has written into holds mail that is nowhere else: the way back leaves it."""
    server = store_server.Server(folder)
    new = folder / "new.sqlite3"
    try:
        server.write_plan(FULL.format(work=folder, by=""), f"store: {{to: {{sqlite: {new}}}}}")
        fetched(server)
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0, done.stdout)
        server.control("stop")
        with sqlite3.connect(new) as base:
            base.execute("INSERT INTO l VALUES (x'00000001000000000000ffff', x'00')")
        base.close()
        server.control("start")
        server.wait_until_serving()
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and "stays as it is" in back.stdout, back.stdout)
        expect("l" in filled(server, f"sqlite:{new}"), "the new store was emptied")
        expect(json.loads(server.config.read_text())["path"] == str(server.store), server.config.read_text())
    finally:
        server.end()


def a_failed_import_leaves_the_old_server(folder):
    server = store_server.Server(folder)
    database = store_server.Postgres(folder / "postgres")
    try:
        # It can log in and look, and may not make a table: seen only when it tries.
        database.query("postgres", "CREATE ROLE nobody LOGIN")
        (database.work / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
        database.query("postgres", "SELECT pg_reload_conf()")
        database.query("postgres", "CREATE DATABASE mail")
        server.write_plan(FULL.format(work=folder, by=""),
                          f"store: {{to: {{postgresql: {{host: 127.0.0.1, port: {database.port}, database: mail, user: nobody}}}}}}")
        fetched(server)
        before, config = server.digest(), server.config.read_bytes()
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode not in (0, 70) and "permission denied" in done.stdout, done.returncode, done.stdout)
        expect(not server.is_running(), "a server on which store?")
        # Whoever starts it now by hand gets the old one.
        expect(server.digest() == before and server.config.read_bytes() == config, "something of the old server was changed")
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and server.serves() == "Sqlite", back.stdout)
        expect(server.digest() == before, "the old store was changed")
    finally:
        server.end()
        database.end()


def a_store_that_is_not_empty_is_seen_before_the_stop(folder):
    server = store_server.Server(folder)
    try:
        server.write_plan(FULL.format(work=folder, by=""), f"store: {{to: {{sqlite: {folder}/full.sqlite3}}}}")
        fetched(server)
        with sqlite3.connect(folder / "full.sqlite3") as base:
            base.execute("CREATE TABLE p (k BLOB PRIMARY KEY, v BLOB NOT NULL)")
            base.execute("INSERT INTO p VALUES (x'01', x'02')")
        base.close()
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 1 and "has rows of the subspaces p" in done.stdout, done.returncode, done.stdout)
        expect(server.serves() == "Sqlite", "the server was stopped for nothing")
    finally:
        server.end()


def by_the_servers_own_program(folder):
    server = store_server.Server(folder)
    new, wanted = folder / "new.sqlite3", folder / "new.json"
    try:
        wanted.write_text(json.dumps({"@type": "Sqlite", "path": str(new)}))
        server.write_plan(FULL.format(work=folder, by=", by: server"),
                          f"store: {{by: server, config: {wanted}, to: {{sqlite: {new}}}}}")
        fetched(server)
        # Its environment would make the real program ignore its arguments and start.
        done = server.plan("apply", "migration.yaml", "--yes", variables={"CONFIG_PATH": str(server.config), "EXPORT_TYPES": ""})
        expect(done.returncode == 0 and server.serves() == "Sqlite", done.stdout)
        expect(server.config.read_bytes() == wanted.read_bytes(), "the configuration is another one")
        with sqlite3.connect(f"file:{new}?mode=ro", uri=True) as base:
            keys = base.execute("SELECT count(*) FROM g WHERE substr(k, 1, 4) <> x'ffffffff'").fetchone()[0]
        base.close()
        expect(keys > 0, "nobody could log in: the registry's keys are missing")
        compared = server.plan("dump", "import", f"sqlite:{new}", folder / "dumps/full", "--compare")
        expect(compared.returncode == 0, compared.stdout)
    finally:
        server.end()


def blobs_in_a_store_of_their_own_stay_there(folder):
    """As with S3: our reader refuses before anything is stopped, the server's program dumps them, and the move leaves them."""
    server = store_server.Server(folder)
    new, wanted = folder / "new.sqlite3", folder / "new.json"
    try:
        server.control("stop")
        with sqlite3.connect(folder / "blobs.sqlite3") as base:
            base.execute("ATTACH ? AS store", (str(server.store),))
            base.execute("CREATE TABLE t AS SELECT k, v FROM store.t")
            blobs = base.execute("SELECT count(*) FROM t").fetchone()[0]
            base.execute("DELETE FROM store.t")
        base.close()
        expect(blobs > 0, "the store had no blobs")
        server.control("start")
        server.wait_until_serving()
        wanted.write_text(json.dumps({"@type": "Sqlite", "path": str(new)}))
        move = f"store: {{by: server, config: {wanted}, to: {{sqlite: {new}}}}}"
        server.write_plan(FULL.format(work=folder, by=""), move)
        fetched(server, "not measured: the size of the blobs")
        refused = server.plan("apply", "migration.yaml", "--yes")
        expect(refused.returncode == 1 and "blobs-elsewhere" in refused.stdout, refused.returncode, refused.stdout)
        expect(server.serves() == "Sqlite" and not (folder / "dumps").exists(), "the server was stopped for nothing")
        server.write_plan(FULL.format(work=folder, by=", by: server"), move)
        fetched(server, "not measured: the size of the blobs")
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0 and server.config.read_bytes() == wanted.read_bytes(), done.stdout)
        listed = json.loads(server.plan("dump", "inspect", folder / "dumps/full", "--format", "json").stdout)
        expect([file["records"] for file in listed["files"] if file["letter"] == "t"] == [blobs], listed)
        seen = filled(server, f"sqlite:{new}")
        expect("p" in seen and "k" in seen and "t" not in seen, seen)
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and server.serves() == "Sqlite", back.stdout)
        expect(not new.exists() or filled(server, f"sqlite:{new}") == "", "the new store was not emptied")
    finally:
        server.end()


def its_exit_code_is_not_trusted(folder):
    for fault, words in (("half-export", "comparing the server's own export"), ("half-import", "comparing what the server imported"),
                         ("no-import", "the server's import ended with 1")):
        work = folder / fault
        work.mkdir()
        server = store_server.Server(work)
        new, wanted = work / "new.sqlite3", work / "new.json"
        try:
            wanted.write_text(json.dumps({"@type": "Sqlite", "path": str(new)}))
            server.write_plan(FULL.format(work=work, by=", by: server"),
                              f"store: {{by: server, config: {wanted}, to: {{sqlite: {new}}}}}")
            fetched(server)
            (work / "faults").write_text(fault)
            done = server.plan("apply", "migration.yaml", "--yes")
            expect(done.returncode not in (0, 70) and words in done.stdout, fault, done.returncode, done.stdout)
            expect(not server.is_running(), "a server was started on what is not proved")
            back = server.plan("rollback", "--to", "before-stop", "--yes")
            expect(back.returncode == 0 and server.serves() == "Sqlite", fault, back.stdout)
            expect(not new.exists() or filled(server, f"sqlite:{new}") == "", fault, "the half of a store was left")
            (work / "faults").unlink()
            again = server.plan("apply", "migration.yaml", "--yes")
            expect(again.returncode == 0, fault, again.stdout)
        finally:
            server.end()


def its_import_killed_in_the_middle_leaves_the_old_server(folder):
    server = store_server.Server(folder)
    new, wanted = folder / "new.sqlite3", folder / "new.json"
    try:
        wanted.write_text(json.dumps({"@type": "Sqlite", "path": str(new)}))
        server.write_plan(FULL.format(work=folder, by=""), f"store: {{by: server, config: {wanted}, to: {{sqlite: {new}}}}}")
        fetched(server)
        before, config = server.digest(), server.config.read_bytes()
        (folder / "faults").write_text("killed-import")
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode not in (0, 70) and "the server's import ended with" in done.stdout, done.returncode, done.stdout)
        expect("p" in filled(server, f"sqlite:{new}"), "it was not killed in the middle")
        # Whoever starts the server now by hand gets the old one, and no half of a new one.
        expect(server.digest() == before and server.config.read_bytes() == config, "something of the old server was changed")
        server.control("start")
        server.wait_until_serving()
        expect(server.serves() == "Sqlite" and server.digest() == before, "the old store does not start")
        server.control("stop")
        back = server.plan("rollback", "--to", "before-stop", "--yes")
        expect(back.returncode == 0 and server.serves() == "Sqlite", back.stdout)
        expect(server.digest() == before and server.config.read_bytes() == config, "the way back changed the old server")
        expect(not new.exists() or filled(server, f"sqlite:{new}") == "", "the half of a store was left")
        (folder / "faults").unlink()
        again = server.plan("apply", "migration.yaml", "--yes")
        expect(again.returncode == 0 and server.config.read_bytes() == wanted.read_bytes(), again.stdout)
        compared = server.plan("dump", "import", f"sqlite:{new}", folder / "dumps/full", "--compare")
        expect(compared.returncode == 0, compared.stdout)
    finally:
        server.end()


def only_dumps(folder):
    server = store_server.Server(folder)
    try:
        server.write_plan(FULL.format(work=folder, by=""))
        fetched(server)
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 0 and server.serves() == "Sqlite", done.stdout)
        expect((folder / "dumps/full.manifest.json").exists(), done.stdout)
        shown = server.plan("diff")
        expect(shown.returncode == 0 and "nothing to do" in shown.stdout, shown.returncode, shown.stdout)
    finally:
        server.end()


def another_run_keeps_this_one_out(folder):
    server = store_server.Server(folder)
    try:
        server.write_plan(FULL.format(work=folder, by=""))
        fetched(server)
        lease = pathlib.Path(f"{server.config}.plan-lease")
        lease.write_text("run-of-somebody\nbob@laptop, process 7, since 2026-08-14T09:12:00Z\n")
        done = server.plan("apply", "migration.yaml", "--yes")
        expect(done.returncode == 1 and "bob@laptop" in done.stdout, done.returncode, done.stdout)
        expect(server.serves() == "Sqlite" and not (folder / "dumps").exists(), "it went on all the same")
        done = server.plan("apply", "migration.yaml", "--yes", "--take-over")
        expect(done.returncode == 0 and not lease.exists(), done.returncode, done.stdout)
        refused = server.plan("rehearse")
        expect(refused.returncode == 1 and "not-rehearsed" in refused.stdout, refused.stdout)
    finally:
        server.end()


def main():
    if "PLAN" not in os.environ or not store_server.STORE.exists():
        print("skipped store move: " + ("PLAN is not set" if "PLAN" not in os.environ else "this clone has no ../shared/data/stores"))
        return 0
    failed = 0
    wanted = sys.argv[1:]
    for test in (goes_to_postgresql_and_back, goes_to_mariadb_and_back, goes_to_rocksdb_and_back, over_ssh, what_came_after_the_start_is_not_thrown_away, a_failed_import_leaves_the_old_server,
                 a_store_that_is_not_empty_is_seen_before_the_stop, by_the_servers_own_program,
                 blobs_in_a_store_of_their_own_stay_there, its_exit_code_is_not_trusted,
                 its_import_killed_in_the_middle_leaves_the_old_server, only_dumps, another_run_keeps_this_one_out):
        if wanted and test.__name__ not in wanted:
            continue
        name = "store move: " + test.__name__.replace("_", " ")
        if test is over_ssh and (os.geteuid() != 0 or ssh_host.missing()):
            print(f"skipped {name}: {ssh_host.missing() or 'needs root for sshd'}")
            continue
        if test in (goes_to_postgresql_and_back, over_ssh, a_failed_import_leaves_the_old_server) and not store_server.postgres_is_installed():
            print(f"skipped {name}: postgresql-15 is not installed")
            continue
        if test is goes_to_mariadb_and_back and store_server.maria_program() is None:
            print(f"skipped {name}: mariadb-server is not installed")
            continue
        if test is goes_to_rocksdb_and_back and store_server.rocksdb_library() is None:
            print(f"skipped {name}: no RocksDB library was fetched (scripts/fetch-rocksdb-library)")
            continue
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
