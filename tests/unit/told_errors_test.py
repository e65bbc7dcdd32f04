#!/usr/bin/env python3
"""tests/golden/errors against every errors.def: each code has its golden file and a test that reaches it, and none is left over."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "golden" / "errors"
LINE = re.compile(r'^PLAN_ERROR\(\w+,\s*"([a-z0-9-]+)",\s*"(.*)",\s*"(.*)"\)$')


def codes():
    """The remedy of each code."""
    found = {}
    for ground in ("compiler", "runtime"):
        for table in sorted((ROOT / ground).rglob("errors.def")):
            for line in table.read_text(encoding="utf-8").splitlines():
                if match := LINE.match(line):
                    found[match[1]] = match[3].replace('\\"', '"').replace("\\\\", "\\")
                elif line.startswith("PLAN_ERROR("):
                    found[f"{table}: {line}"] = ""
    return found


def asked():
    """The codes that a test compares with their file."""
    found = set()
    for path in [*(ROOT / "tests").rglob("*.cpp"), *(ROOT / "tests").rglob("*.py")]:
        found.update(re.findall(r'told_as\(\s*"([a-z0-9-]+)"', path.read_text(encoding="utf-8")))
    return found


def wrong_of(code, remedy, tested):
    file = FOLDER / f"{code}.txt"
    if not file.exists():
        return ["it has no golden file"]
    text = file.read_text(encoding="utf-8")
    wrong = [] if f"[{code}]" in text else ["its golden file is of another code"]
    wrong += [] if remedy in text else ["its golden file has no remedy, or an older one"]
    return wrong + ([] if code in tested else ["no test compares it with its golden file"])


def main():
    table, tested = codes(), asked()
    has_failed = False
    for code, remedy in table.items():
        wrong = wrong_of(code, remedy, tested)
        has_failed |= bool(wrong)
        print(f"{'FAILED' if wrong else 'ok'} {code}{': ' if wrong else ''}{'; '.join(wrong)}")
    left_over = sorted({file.stem for file in FOLDER.glob("*.txt")} - set(table))
    print(f"{'FAILED' if left_over else 'ok'} no file of a code that is no more{': ' if left_over else ''}{', '.join(left_over)}")
    return 1 if has_failed or left_over else 0


if __name__ == "__main__":
    sys.exit(main())
