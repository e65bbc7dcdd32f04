#!/usr/bin/env python3
"""`plan admin describe`: what a person has to know of a type before writing an object of it. No server is asked."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
from checks import check, exit_code  # noqa: E402

PLAN = os.environ.get("PLAN", "")


def main():
    if not PLAN:
        print("skipped admin_describe_test.py: PLAN does not name the program")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        project = bad_input_test.Project(folder)

        def describe(*words):
            return subprocess.run([PLAN, "admin", "describe", *words], cwd=project.folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        route = describe("MtaRoute").stdout
        lines = {line.split()[0]: line for line in route.splitlines() if line.startswith("    ") and line[4] != " "}
        check("what a create must give is said", "has to be given" in lines["address"] and "given" not in lines["port"], route)
        check("what cannot be changed later is said", "fixed at creation" in lines["name"], route)
        check("a default is shown", lines["port"].endswith("default 25"), route)
        check("the words of an enumeration are listed", "      one of smtp, lmtp\n" in route, route)
        check("types that stand only inside it follow, once", route.count("\nx:SecretKeyOptional (inside others)\n") == 1
              and "filePath" in route, route)
        account = describe("Account").stdout
        check("of hundreds of words some are shown, and the number of the others", " more (--format json has all)" in account
              and max(map(len, account.splitlines())) < 700, account)
        told = json.loads(describe("MtaRoute", "--format", "json").stdout)
        relay = next(variant for variant in told["variants"] if variant["@type"] == "Relay")
        known = {one["name"]: one for one in relay["properties"]}
        check("JSON has it too", known["address"]["required"] and not known["port"]["required"]
              and known["protocol"]["values"] == ["smtp", "lmtp"] and known["address"]["values"] == [], told)
        check("the words that the keys of a map may be are listed", "      keys: one of " in account and "maxDiskQuota" in account,
              account)
        settings = describe("SystemSettings").stdout
        check("and the types that a map holds", "\nx:Service (inside others)\n" in settings, settings)
        users = json.loads(describe("Account", "--format", "json").stdout)["variants"][0]["properties"]
        quotas = next(one for one in users if one["name"] == "quotas")
        check("JSON has the keys too", "maxDiskQuota" in quotas["keys"] and quotas["values"] == [], quotas)
        types = describe()
        names = [line.split()[0] for line in types.stdout.splitlines()]
        check("without a type the types are listed, not those inside others", types.returncode == 0
              and {"Account", "Domain", "MtaRoute"} <= set(names) and names == sorted(names)
              and "SecretKeyOptional" not in names, types)
        told = json.loads(describe("--format", "json").stdout)
        check("and in JSON", [one["type"] for one in told["types"]] == names, told)
        words = describe("MtaProtocol")
        check("an enumeration by itself can be asked for", words.returncode == 0 and "lmtp" in words.stdout, words)
        near = describe("MtaRout")
        check("a name that is near is proposed", near.returncode == 1 and "MtaRoute" in near.stderr, near)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
