#!/usr/bin/env python3
"""The exports in plans/: each is run over a database with the tables of its panel, and writes what plan reads.

The databases are SQLite; `mysql`, `psql` and `docker` are small programs of this test that print rows as the real ones do. The
directories are in a real slapd.
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

import directories  # noqa: E402
from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]

SHIM = """#!{python}
import sqlite3, sys
words = sys.argv[1:]
query = words[words.index("-c" if "-c" in words else "-e") + 1]
name = next(w for w in words if w in ("postfixadmin", "vmail", "modoboa", "dbispconfig", "mailcow"))
connection = sqlite3.connect("{folder}/" + name + ".sqlite")
connection.create_function("unix_timestamp", 0, lambda: 1750000000)
for row in connection.execute(query):
    print("\\t".join("NULL" if one is None else str(one).replace("\\\\", "\\\\\\\\").replace("\\n", "\\\\n") for one in row))
"""

# Runs the container's own program with its arguments; the file that it prints is the one of that name in the test's folder.
DOCKER = """#!{python}
import os, pathlib, subprocess, sys
assert sys.argv[1] == "exec", sys.argv
words = sys.argv[2:]
if words[0] == "--env":
    assert words[1] == "MYSQL_PWD" and os.environ["MYSQL_PWD"] == "pass=word", words
    words = words[2:]
assert words[0] in ("mailserver", "mailcowdockerized-mysql-mailcow-1"), words
if words[1] == "mariadb":
    assert words[2] == "--user=cow", words
    sys.exit(subprocess.run(["{folder}/mysql", *words[2:]]).returncode)
words[-1] = "{folder}/" + os.path.basename(words[-1])
os.execvp(words[1], words[1:])
"""

MAILCOW_CONF = "# mailcow\nDBNAME=mailcow\nDBUSER=cow\nDBPASS=pass=word\nDBROOT=other\n"

# Sources whose accounts are in files of their own: the files, and what becomes of them.
FILES = {
    "docker-mailserver": ({
        "postfix-accounts.cf": "# accounts\n\nalice@example.org|{SHA512-CRYPT}$6$a$b\n"
                               "Bob@example.org|{SHA512-CRYPT}$6$c$d|userdb_mail=mbox:~/mail:INBOX=~/inbox\ncarol@example.org|x\n",
        "dovecot-quotas.cf": "alice@example.org:1G\nbob@example.org:500M\ncarol@example.org:0\n",
    }, ["alice@example.org:{SHA512-CRYPT}$6$a$b::::::userdb_quota_storage_size=1G ",
        "Bob@example.org:{SHA512-CRYPT}$6$c$d::::::userdb_quota_storage_size=500M userdb_mail=mbox:~/mail:INBOX=~/inbox",
        "carol@example.org:x::::::"]),
}

PANELS = {
    "mailcow": ("mailcow", """
        create table mailbox (username text, password text, quota integer, active integer, kind text, authsource text);
        create table alias (address text, goto text, active integer);
        create table alias_domain (alias_domain text, target_domain text, active integer);
        create table spamalias (address text, goto text, validity integer, permanent integer);
        insert into mailbox values ('alice@example.org', '{BLF-CRYPT}$2y$10$x', 3221225472, 1, '', 'mailcow'),
            ('bob@example.org', '{SSHA256}xyz', 0, 2, null, 'mailcow'), ('oidc@example.org', 'stale', 0, 1, '', 'keycloak'),
            ('room@example.org', 'x', 0, 1, 'location', 'mailcow');
        insert into alias values ('alice@example.org', 'alice@example.org', 1), ('info@example.org', 'alice@example.org,bob@example.org', 1),
            ('gone@example.org', 'bob@example.org', 0), ('drop@example.org', 'null@localhost', 1), ('@example.org', 'bob@example.org', 1),
            ('train@example.org', 'spam@localhost,alice@example.org', 2);
        insert into spamalias values ('x1@example.org', 'alice@example.org', 1750000100, 0),
            ('x2@example.org', 'alice@example.org', 1, 0), ('x3@example.org', 'bob@example.org', 0, 1);
        insert into alias_domain values ('example.net', 'example.org', 1), ('example.com', 'example.org', 0);
        """,
        ["alice@example.org:{BLF-CRYPT}$2y$10$x::::::userdb_quota_storage_size=3221225472 ", "bob@example.org:{SSHA256}xyz::::::nologin",
         "oidc@example.org:::::::"],
        ["@example.org bob@example.org", "alice@example.org alice@example.org", "info@example.org alice@example.org,bob@example.org",
         "train@example.org alice@example.org", "x1@example.org alice@example.org", "x3@example.org bob@example.org",
         "@example.net @example.org"]),
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


def words_of(kind):
    """The words in front of the script."""
    text = (ROOT / "plans" / f"{kind}.yaml").read_text()
    return re.findall(r"^      - \"?([^\s\"]+)\"?$", text.split("    command:\n", 1)[1].split("      - |\n", 1)[0], re.M)


def lines(path):
    return path.read_text().splitlines()


class Files:
    """Files that a program in a container shows, and how they stop to be there."""

    def __init__(self, kind, folder):
        self.folder = folder
        self.files, self.users = FILES[kind]
        self.aliases = None
        self.paths = {}
        for name, text in self.files.items():
            (folder / name).write_text(text)

    def break_it(self):
        (self.folder / next(iter(self.files))).unlink()

    def stop(self):
        pass


class Database:
    def __init__(self, kind, folder):
        name, self.tables, self.users, self.aliases = PANELS[kind]
        self.database = folder / f"{name}.sqlite"
        self.paths = {"/home/user-data/mail/users.sqlite": self.database, "/opt/mailcow-dockerized/mailcow.conf": folder / "mailcow.conf"}
        (folder / "mailcow.conf").write_text(MAILCOW_CONF)
        with sqlite3.connect(self.database) as connection:
            connection.executescript(self.tables)

    def break_it(self):
        with sqlite3.connect(self.database) as connection:
            table = re.search(r"create table (\w+)", self.tables).group(1)
            connection.execute(f"drop table {table}")

    def stop(self):
        pass


def source_of(kind, folder):
    for program, text in {"mysql": SHIM, "runuser": SHIM, "docker": DOCKER}.items():
        (folder / program).write_text(text.format(python=sys.executable, folder=folder))
        (folder / program).chmod(0o755)
    if kind in FILES:
        return Files(kind, folder)
    if kind in directories.KINDS:
        return directories.Directory(kind, folder)
    return Database(kind, folder)


def run(kind, folder):
    source = source_of(kind, folder)
    try:
        export_from(kind, folder, source)
    finally:
        source.stop()


def export_from(kind, folder, source):
    out = folder / "export"
    script = script_of(kind)
    check(f"{kind}: the script is where the plan reads its files", "/var/lib/plan-export" in script, script)
    script = re.sub(r"\bgroup=\w+", f"group={os.getgid()}", script.replace("/var/lib/plan-export", str(out)))
    script = re.sub(r'(FOLDER, GROUP = "[^"]*"), "dovecot"', rf"\1, {os.getgid()}", script)
    for path, own in source.paths.items():
        script = script.replace(path, str(own))
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def export():
        return subprocess.run([*words_of(kind), script], env=environment, capture_output=True, text=True)

    def is_as_wanted():
        return lines(out / "users") == source.users and (source.aliases is None or lines(out / "aliases") == source.aliases)

    done = export()
    check(f"{kind}: it runs", done.returncode == 0 and not done.stderr, done.stderr)
    if done.returncode != 0:
        return
    written = sorted(one.name for one in out.iterdir())
    check(f"{kind}: nothing else is left", written == (["users"] if source.aliases is None else ["aliases", "users"]), written)
    check(f"{kind}: the users file", lines(out / "users") == source.users, (out / "users").read_text())
    if source.aliases is not None:
        check(f"{kind}: the aliases", lines(out / "aliases") == source.aliases, (out / "aliases").read_text())
    check(f"{kind}: nobody else reads the hashes", (out / "users").stat().st_mode & 0o007 == 0, oct((out / "users").stat().st_mode))
    before = [(out / one).stat().st_ino for one in written]
    check(f"{kind}: what is the same is left alone", export().returncode == 0 and [(out / one).stat().st_ino for one in written] == before)
    if kind in directories.KINDS:
        source.hide_hashes()
        hidden = export()
        check(f"{kind}: a reader that is shown no hash is told", hidden.returncode != 0 and "userPassword" in hidden.stderr and
              is_as_wanted(), hidden.stderr)
        source.cut_answers()
        cut = export()
        check(f"{kind}: a directory that gives only some of its entries empties nothing", cut.returncode != 0 and
              "limit" in cut.stderr and is_as_wanted(), cut.stderr)
    source.break_it()
    broken = export()
    check(f"{kind}: a source that does not answer empties nothing", broken.returncode != 0 and is_as_wanted(), broken.stderr)


def main():
    if not shutil.which("bash") or not shutil.which("awk"):
        print("skipped exports_test.py: no bash or awk")
        return 0
    exported = {path.stem for path in (ROOT / "plans").glob("*.yaml") if "  export:" in path.read_text()}
    kinds = {*PANELS, *FILES, *directories.KINDS}
    check("every plan with an export is tried", exported == kinds, exported)
    for kind in sorted(kinds):
        if kind == "mail-in-a-box" and not shutil.which("sqlite3"):
            print("skipped mail-in-a-box: no sqlite3")
            continue
        if kind in directories.KINDS and (why := directories.missing()):
            print(f"skipped {kind}: {why}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            run(kind, pathlib.Path(folder))
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
