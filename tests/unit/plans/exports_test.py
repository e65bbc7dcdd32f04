#!/usr/bin/env python3
"""The exports in plans/: each is run over a database with the tables of its panel, and writes what plan reads.

The databases are SQLite; `mysql` and `psql` are small programs of this test that print rows as the real ones do.
"""

import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]

SHIM = """#!{python}
import sqlite3, sys
words = sys.argv[1:]
query = words[words.index("-c" if "-c" in words else "-e") + 1]
name = next(w for w in words if w in ("postfixadmin", "vmail", "modoboa", "dbispconfig"))
for row in sqlite3.connect("{folder}/" + name + ".sqlite").execute(query):
    print("\\t".join("NULL" if one is None else str(one).replace("\\\\", "\\\\\\\\").replace("\\n", "\\\\n") for one in row))
"""

PANELS = {
    "mail-in-a-box": ("users", """
        create table users (id integer primary key, email text unique, password text, extra, privileges text, quota text);
        create table aliases (id integer primary key, source text unique, destination text, permitted_senders text);
        create table auto_aliases (id integer primary key, source text unique, destination text, permitted_senders text);
        insert into users (email, password, quota) values ('alice@example.org', '{SHA512-CRYPT}$6$a$b', '2G'),
            ('bob@example.org', '{SHA512-CRYPT}$6$c$d', '0');
        insert into aliases (source, destination) values ('info@example.org', 'alice@example.org,bob@example.org'),
            ('send@example.org', ''), ('@example.net', '@example.org'), ('@example.org', 'bob@example.org');
        insert into auto_aliases (source, destination) values ('abuse@example.org', 'alice@example.org'),
            ('info@example.org', 'nobody@example.org'), ('bob@example.org', 'nobody@example.org');
        """,
        ["alice@example.org:{SHA512-CRYPT}$6$a$b::::::userdb_quota_storage_size=2G", "bob@example.org:{SHA512-CRYPT}$6$c$d::::::"],
        ["@example.net @example.org", "@example.org bob@example.org", "abuse@example.org alice@example.org",
         "alice@example.org alice@example.org", "bob@example.org bob@example.org",
         "info@example.org alice@example.org,bob@example.org"]),
    "postfixadmin": ("postfixadmin", """
        create table mailbox (username text, password text, quota integer, active integer);
        create table alias (address text, goto text, active integer);
        create table alias_domain (alias_domain text, target_domain text, active integer);
        insert into mailbox values ('alice@example.org', '$6$a$b', 1024000, 1), ('bob@example.org', '{SSHA512}xyz', 0, 0),
            ('old@example.org', '5f4dcc3b5aa765d61d8327deb882cf99', -1, 1);
        insert into alias values ('alice@example.org', 'alice@example.org,alice#example.org@autoreply.example.org', 1),
            ('info@example.org', 'alice@example.org, bob@example.org', 1), ('gone@example.org', 'bob@example.org', 0),
            ('@example.org', 'bob@example.org', 1);
        insert into alias_domain values ('example.net', 'example.org', 1), ('example.com', 'example.org', 0);
        """,
        ["alice@example.org:$6$a$b::::::userdb_quota_storage_size=1024000 ", "bob@example.org:{SSHA512}xyz::::::nologin",
         "old@example.org:{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99::::::"],
        ["@example.org bob@example.org", "alice@example.org alice@example.org",
         "info@example.org alice@example.org,bob@example.org", "@example.net @example.org"]),
    "iredmail": ("vmail", """
        create table mailbox (username text, password text, quota integer, active integer);
        create table forwardings (address text, forwarding text, is_maillist integer, active integer);
        create table alias_domain (alias_domain text, target_domain text, active integer);
        insert into mailbox values ('alice@example.org', '{SSHA512}abc', 2048, 1), ('bob@example.org', '{BLF-CRYPT}$2y$x', 0, 0);
        insert into forwardings values ('alice@example.org', 'alice@example.org', 0, 1), ('alice@example.org', 'out@example.com', 0, 1),
            ('bob@example.org', 'bob@example.org', 0, 1), ('info@example.org', 'alice@example.org', 0, 1),
            ('example.org', 'bob@example.org', 0, 1), ('mlmmj@example.org', 'mlmmj@example.org', 1, 1),
            ('gone@example.org', 'bob@example.org', 0, 0);
        insert into alias_domain values ('example.net', 'example.org', 1);
        """,
        ["alice@example.org:{SSHA512}abc::::::userdb_quota_storage_size=2048M ", "bob@example.org:{BLF-CRYPT}$2y$x::::::nologin"],
        ["alice@example.org alice@example.org,out@example.com", "bob@example.org bob@example.org",
         "@example.org bob@example.org", "info@example.org alice@example.org", "@example.net @example.org"]),
    "modoboa": ("modoboa", """
        create table core_user (id integer, password text, is_active integer, is_local integer);
        create table admin_domain (id integer, name text);
        create table admin_mailbox (address text, domain_id integer, user_id integer, quota integer);
        create table admin_alias (id integer, address text, enabled integer, expire_at text);
        create table modoboa_admin_aliasrecipient (alias_id integer, address text);
        create table admin_domainalias (name text, target_id integer, enabled integer);
        insert into core_user values (1, '{SHA512-CRYPT}$6$a$b', 1, 1), (2, '{PLAIN}x', 0, 1), (3, '', 1, 0);
        insert into admin_domain values (1, 'example.org');
        insert into admin_mailbox values ('alice', 1, 1, 100), ('bob', 1, 2, 0), ('ldap', 1, 3, 0);
        insert into admin_alias values (1, 'alice@example.org', 1, null), (2, 'info@example.org', 1, null),
            (3, 'old@example.org', 1, '2001-01-01'), (4, 'off@example.org', 0, null), (5, '@example.org', 1, '9999-01-01');
        insert into modoboa_admin_aliasrecipient values (1, 'alice@example.org'), (2, 'alice@example.org'), (2, 'bob@example.org'),
            (3, 'bob@example.org'), (4, 'bob@example.org'), (5, 'bob@example.org');
        insert into admin_domainalias values ('example.net', 1, 1), ('example.com', 1, 0);
        """,
        ["alice@example.org:{SHA512-CRYPT}$6$a$b::::::userdb_quota_storage_size=100M ", "bob@example.org:{PLAIN}x::::::nologin"],
        ["@example.org bob@example.org", "alice@example.org alice@example.org",
         "info@example.org alice@example.org,bob@example.org", "@example.net @example.org"]),
    "ispconfig": ("dbispconfig", """
        create table mail_user (email text, password text, quota integer, access text, postfix text, cc text);
        create table mail_forwarding (source text, destination text, type text, active text);
        insert into mail_user values ('alice@example.org', '$6$rounds=5000$a$b', 1073741824, 'y', 'y', ''),
            ('bob@example.org', '$1$c$d', -1, 'n', 'y', 'out@example.com, x@example.com');
        insert into mail_forwarding values ('info@example.org', 'alice@example.org' || char(10) || 'bob@example.org', 'alias', 'y'),
            ('@example.net', '@example.org', 'aliasdomain', 'y'), ('@example.org', 'bob@example.org', 'catchall', 'y'),
            ('gone@example.org', 'bob@example.org', 'alias', 'n');
        """,
        ["alice@example.org:$6$rounds=5000$a$b::::::userdb_quota_storage_size=1073741824 ", "bob@example.org:$1$c$d::::::nologin"],
        ["@example.net @example.org", "@example.org bob@example.org", "info@example.org alice@example.org,bob@example.org",
         "bob@example.org bob@example.org,out@example.com,x@example.com"]),
}


def script_of(kind):
    """The last word of `export: command` in a plan: a block of text that is indented by eight."""
    text = (ROOT / "plans" / f"{kind}.yaml").read_text()
    block = text.split("      - |\n", 1)[1].split("\ntarget:", 1)[0]
    return "".join(line[8:] if line.strip() else "\n" for line in block.splitlines(True))


def lines(path):
    return path.read_text().splitlines()


def run(kind, folder):
    name, tables, users, aliases = PANELS[kind]
    database = folder / f"{name}.sqlite"
    with sqlite3.connect(database) as connection:
        connection.executescript(tables)
    for program in ("mysql", "runuser"):
        (folder / program).write_text(SHIM.format(python=sys.executable, folder=folder))
        (folder / program).chmod(0o755)
    out = folder / "export"
    script = script_of(kind)
    check(f"{kind}: the script is where the plan reads its files", "folder=/var/lib/plan-export " in script, script)
    script = (script.replace("/var/lib/plan-export", str(out)).replace("group=dovecot", f"group={os.getgid()}")
              .replace("/home/user-data/mail/users.sqlite", str(database)))
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def export():
        return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True)

    done = export()
    check(f"{kind}: it runs", done.returncode == 0 and not done.stderr, done)
    if done.returncode != 0:
        return
    check(f"{kind}: the users file", lines(out / "users") == users, (out / "users").read_text())
    check(f"{kind}: the aliases", lines(out / "aliases") == aliases, (out / "aliases").read_text())
    check(f"{kind}: nobody else reads the hashes", (out / "users").stat().st_mode & 0o007 == 0, oct((out / "users").stat().st_mode))
    before = [(out / one).stat().st_ino for one in ("users", "aliases")]
    check(f"{kind}: what is the same is left alone",
          export().returncode == 0 and [(out / one).stat().st_ino for one in ("users", "aliases")] == before)
    with sqlite3.connect(database) as connection:
        table = re.search(r"create table (\w+)", tables).group(1)
        connection.execute(f"drop table {table}")
    broken = export()
    check(f"{kind}: a database that does not answer empties nothing",
          broken.returncode != 0 and lines(out / "users") == users and lines(out / "aliases") == aliases, broken)


def main():
    if not shutil.which("bash") or not shutil.which("awk"):
        print("skipped exports_test.py: no bash or awk")
        return 0
    exported = {path.stem for path in (ROOT / "plans").glob("*.yaml") if "  export:" in path.read_text()}
    check("every plan with an export is tried", exported == set(PANELS), exported)
    for kind in sorted(PANELS):
        if kind == "mail-in-a-box" and not shutil.which("sqlite3"):
            print("skipped mail-in-a-box: no sqlite3")
            continue
        with tempfile.TemporaryDirectory() as folder:
            run(kind, pathlib.Path(folder))
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
