"""LDAP directories for the test of exports: a real slapd on a socket of its own, with the attributes that the plans ask for."""

import pathlib
import shutil
import subprocess
import time
import urllib.parse

SCHEMA = pathlib.Path("/etc/ldap/schema")
PASSWORD = "reader's word"
ATTRIBUTE = ("attributetype ( 1.3.6.1.4.1.32473.1.{number} NAME '{name}' EQUALITY caseIgnoreIA5Match "
             "SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )\n")
CLASS = "objectclass ( 1.3.6.1.4.1.32473.2.{number} NAME '{name}' SUP top {form} MAY ( {may} ) )\n"
# More than slapd gives in an answer when nothing is said about it.
MANY = [f"user{number:04}@example.net" for number in range(620)]


def of_iredmail():
    on = {"accountStatus": "active"}
    all_on = ["mail", "deliver", "forward", "imap"]

    def user(name, services=tuple(all_on), **values):
        return (name, ["inetOrgPerson", "mailUser"],
                {"cn": name, "sn": "x", "uid": name, "mail": name, "enabledService": list(services), **on, **values})

    def other(kind, name, services, **values):
        return name, [kind], {"mail": name, "enabledService": services, **on, **values}

    entries = [
        user("alice@example.org", userPassword="{SSHA}abc", mailQuota="1073741824", shadowAddress=["al@example.org", "alice@example.net"],
             memberOfGroup="team@example.org"),
        user("bob@example.org", userPassword="{CRYPT}$6$a$b", mailQuota="0",
             mailForwardingAddress=["bob@example.org", "out@example.com"], memberOfGroup=["team@example.org", "both@example.org"]),
        user("carol@example.org", ["mail", "deliver"], userPassword="{SSHA512}xyz", mailForwardingAddress="out@example.com"),
        user("off@example.org", userPassword="{SSHA}off", accountStatus="disabled"),
        user("@example.org", mailForwardingAddress="bob@example.org"),
        other("mailAlias", "info@example.org", ["mail", "deliver"], mailForwardingAddress=["alice@example.org", "bob@example.org"],
              shadowAddress="hello@example.org"),
        other("mailAlias", "both@example.org", ["mail", "deliver"], mailForwardingAddress="alice@example.org"),
        other("mailList", "team@example.org", ["mail", "deliver"]),
        other("mailList", "mlmmj@example.org", ["mail", "deliver", "mlmmj"]),
        other("mailExternalUser", "guest@example.com", ["mail", "deliver"], memberOfGroup="team@example.org"),
        *(user(name, userPassword="{SSHA}abc") for name in MANY),
    ]
    users = sorted(["alice@example.org:{SSHA}abc::::::userdb_quota_storage_size=1073741824 ", "bob@example.org:{CRYPT}$6$a$b::::::",
                    "carol@example.org:{SSHA512}xyz::::::", "off@example.org:{SSHA}off::::::nologin",
                    *(f"{name}:{{SSHA}}abc::::::" for name in MANY)])
    aliases = sorted(["@example.org bob@example.org", "al@example.org alice@example.org", "alice@example.net alice@example.org",
                      "alice@example.org alice@example.org", "bob@example.org bob@example.org,out@example.com",
                      "both@example.org alice@example.org", "carol@example.org carol@example.org",
                      "hello@example.org info@example.org", "info@example.org alice@example.org,bob@example.org",
                      "team@example.org alice@example.org,bob@example.org,guest@example.com", *(f"{name} {name}" for name in MANY)])
    return entries, users, aliases


def of_postfix_book():
    def user(name, **values):
        return name, ["inetOrgPerson", "PostfixBookMailAccount"], {"cn": name, "sn": "x", "mail": name, "mailEnabled": "TRUE", **values}

    entries = [
        user("alice@example.org", userPassword="{SSHA}abc", mailAlias=["al@example.org", "@example.com"], mailQuota="10240",
             mailGroupMember="team@example.org"),
        user("bob@example.org", userPassword="{SASL}bob@EXAMPLE.ORG", mailGroupMember="team@example.org"),
        user("jos\u00e9@example.org", userPassword="{SSHA}j"),
        user("off@example.org", userPassword="{SSHA}off", mailEnabled="FALSE", mailAlias="gone@example.org"),
        *(user(name, userPassword="{SSHA}abc") for name in MANY),
    ]
    users = sorted(["alice@example.org:{SSHA}abc::::::userdb_quota_storage_size=10485760 ", "bob@example.org:{SASL}bob@EXAMPLE.ORG::::::",
                    "jos\u00e9@example.org:{SSHA}j::::::", "off@example.org:{SSHA}off::::::nologin",
                    *(f"{name}:{{SSHA}}abc::::::" for name in MANY)])
    aliases = ["@example.com alice@example.org", "al@example.org alice@example.org", "team@example.org alice@example.org,bob@example.org"]
    return entries, users, aliases


KINDS = {
    "iredmail-ldap": (["accountStatus", "domainStatus", "enabledService", "mailQuota", "shadowAddress", "mailForwardingAddress",
                       "memberOfGroup"], {"mailUser": "AUXILIARY", "mailAlias": "STRUCTURAL", "mailList": "STRUCTURAL",
                                          "mailExternalUser": "STRUCTURAL"}, of_iredmail),
    "dovecot-ldap": (["mailEnabled", "mailQuota", "mailAlias", "mailGroupMember"], {"PostfixBookMailAccount": "AUXILIARY"},
                     of_postfix_book),
}


def missing():
    absent = [name for name in ("slapd", "slapadd", "ldapsearch") if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")]
    return f"{', '.join(absent)} is not installed" if absent or not SCHEMA.is_dir() else ""


class Directory:
    """A directory with the entries of `kind`; `users` and `aliases` are what the export makes of it."""

    def __init__(self, kind, folder):
        attributes, classes, entries_of = KINDS[kind]
        self.folder = folder
        self.process = None
        entries, self.users, self.aliases = entries_of()
        base = "ou=people,dc=example,dc=org"
        uri = "ldapi://" + urllib.parse.quote(str(folder / "slapd.socket"), safe="")
        reader = "cn=reader,dc=example,dc=org"
        schema = "".join(ATTRIBUTE.format(number=number, name=name) for number, name in enumerate(attributes, 1))
        may = " $ ".join([*attributes, "mail", "userPassword"])
        schema += "".join(CLASS.format(number=number, name=name, form=form, may=may)
                          for number, (name, form) in enumerate(classes.items(), 1))
        (folder / "own.schema").write_text(schema)
        (folder / "data").mkdir()
        self.reader = reader
        self.configure(reader)
        self.add(base, reader, entries)
        self.start(uri)
        (folder / "dovecot-ldap.conf").write_text(f"# of Dovecot\nuris = {uri}\nauth_bind = yes\ndn = {reader}\ndnpass = {PASSWORD}\n"
                                                  f"base = {base}\npass_attrs = mail=user,userPassword=password\n")
        (folder / "password").write_text(PASSWORD + "\n")
        self.paths = {"/etc/dovecot/dovecot-ldap.conf": folder / "dovecot-ldap.conf", "/etc/plan-ldap-password": folder / "password",
                      "ldap://127.0.0.1": uri}
        self.uri = uri

    def configure(self, hashes_for, limit="unlimited"):
        includes = "".join(f"include {SCHEMA}/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        (self.folder / "slapd.conf").write_text(
            f"{includes}include {self.folder}/own.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {self.folder}/slapd.pid\n"
            f"sizelimit {limit}\ndatabase mdb\nmaxsize 67108864\nsuffix dc=example,dc=org\ndirectory {self.folder}/data\n"
            f'access to attrs=userPassword by dn.exact="{hashes_for}" read by anonymous auth by * none\naccess to * by * read\n')

    def add(self, base, reader, entries):
        blocks = ["dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n",
                  f"dn: {base}\nobjectClass: organizationalUnit\nou: people\n",
                  f"dn: {reader}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {PASSWORD}\n"]
        for name, kinds, values in entries:
            rows = [("objectClass", kind) for kind in kinds]
            for key, value in values.items():
                rows += [(key, one) for one in ([value] if isinstance(value, str) else value)]
            rdn = "cn" if "cn" in values else "mail"
            blocks.append(f"dn: {rdn}={name},{base}\n" + "".join(f"{key}: {value}\n" for key, value in rows))
        (self.folder / "people.ldif").write_text("\n".join(blocks), encoding="utf-8")
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", self.folder / "slapd.conf", "-l", self.folder / "people.ldif"], check=True,
                       stdout=subprocess.DEVNULL)

    def start(self, uri):
        self.process = subprocess.Popen(["/usr/sbin/slapd", "-h", uri, "-f", self.folder / "slapd.conf", "-d", "0"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            asked = subprocess.run(["ldapsearch", "-LLL", "-x", "-H", uri, "-s", "base", "-b", "dc=example,dc=org"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if b"dc: example" in asked.stdout:
                return
            time.sleep(0.05)
        raise SystemExit("FAILED slapd does not answer")

    def hide_hashes(self):
        self.stop()
        self.configure("cn=somebody else,dc=example,dc=org")
        self.start(self.uri)

    def cut_answers(self):
        """As slapd does when nobody said anything about it."""
        self.stop()
        self.configure(self.reader, "500")
        self.start(self.uri)

    def break_it(self):
        self.stop()

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None
