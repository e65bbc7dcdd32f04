#!/usr/bin/env python3
"""A long list of accounts in a plan: `plan fmt` says that a csv file is read faster, in both languages, and `plan fmt --accounts`
makes it; a short list is left alone. `plan init` names the csv file beside the list."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

PLAN = os.environ.get("PLAN", "")
GOLDEN = pathlib.Path(__file__).resolve().parents[4] / "tests" / "golden" / "lower" / "two-waves"
HINT = "a list of accounts is read several times faster from a file: plan fmt --accounts accounts.csv"


def plan(folder, *words):
    return subprocess.run([PLAN, *words], cwd=folder, capture_output=True, text=True, timeout=60)


def written(folder, name, count):
    """A formatted plan whose list has that many accounts."""
    accounts = "".join(f"\n    - user{i:05}@example.org" for i in range(count))
    yaml = folder / "list.yaml"
    yaml.write_text((GOLDEN / "plan.yaml").read_text().replace("  from: {passwd_file: /etc/dovecot/users}", "  from:" + accounts))
    assert accounts in yaml.read_text()
    done = plan(folder, "fmt", yaml.name, "--to", "dsl" if name.endswith(".plan") else "yaml")
    assert done.returncode == 0, done
    (folder / name).write_text(done.stdout)
    yaml.unlink()
    return folder / name


def main():
    with tempfile.TemporaryDirectory() as parent:
        parent = pathlib.Path(parent)
        made = plan(parent, "init", "--output", "init.yaml")
        check("plan init says that a csv file is read faster", made.returncode == 0
              and "{csv: accounts.csv}" in (text := (parent / "init.yaml").read_text()) and "faster where the list is long" in text, made)
        for name, names_it in [("migration.yaml", "csv: accounts.csv"), ("migration.plan", 'csv = "accounts.csv"')]:
            folder = parent / name.replace(".", "-")
            folder.mkdir()
            written(folder, name, 1000)
            short = plan(folder, "fmt", "--check", name)
            check(f"{name}: nothing is said of a list of a thousand", short.returncode == 0 and not short.stderr, short)
            file = written(folder, name, 1001)
            for words in (["--check"], []):
                long = plan(folder, "fmt", *words, name)
                check(f"{name}: {' '.join(['plan fmt', *words])} says it of a longer one", long.returncode == 0 and HINT in long.stderr
                      and "a list of 1,001 items" in long.stderr and not long.stdout, long)
            before = file.read_text()
            moved = plan(folder, "fmt", name, "--accounts", "accounts.csv")
            rows = (folder / "accounts.csv").read_text().split() if moved.returncode == 0 else []
            check(f"{name}: plan fmt --accounts moves the list", rows == ["address", *(f"user{i:05}@example.org" for i in range(1001))]
                  and names_it in (after := file.read_text()) and "user00500@" not in after and "user00500@" in before, (moved, rows[:3]))
            after = plan(folder, "fmt", "--check", name)
            check(f"{name}: and nothing is said any more", after.returncode == 0 and not after.stderr, after)
    return exit_code()


if __name__ == "__main__":
    if not PLAN:
        print("skipped long_list_test.py: PLAN names no program")
        sys.exit(0)
    sys.exit(main())
