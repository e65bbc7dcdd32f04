#!/usr/bin/env python3
"""Checks every #include of ours against the table of floors (design.md section 3, docs/architecture.md).

Prints the offending line and the rule; ends with `N passed, N failed`, N being files. Also refuses heavy headers outside
the one place that may have them, and names that say nothing.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GROUND = ["compiler/source", "compiler/ir", "compiler/schema"]
FRONT = GROUND + ["compiler/syntax", "compiler/facts"]
MIDDLE = FRONT + ["compiler/check", "compiler/flow", "compiler/lower", "compiler/diff"]
LOWER_RUNTIME = ["runtime/net", "runtime/secret", "runtime/store", "runtime/report"]
DRIVER = GROUND + LOWER_RUNTIME + ["runtime/step"]
FLOORS = {
    "compiler/source": ["compiler/source"],
    "compiler/ir": ["compiler/source", "compiler/ir"],
    "compiler/schema": GROUND,
    "compiler/syntax": FRONT, "compiler/facts": FRONT,
    "compiler/check": MIDDLE, "compiler/flow": MIDDLE, "compiler/lower": MIDDLE, "compiler/diff": MIDDLE,
    "compiler": MIDDLE + ["compiler", "embedded"],
    "runtime/net": GROUND + ["runtime/net", "runtime/secret"],
    "runtime/secret": GROUND + ["runtime/secret", "runtime/net"],
    "runtime/store": GROUND + ["runtime/store"],
    "runtime/report": GROUND + ["runtime/report", "runtime/net"],
    "runtime/step": DRIVER,
    "runtime/server": DRIVER + ["runtime/server"],
    "runtime/proxy": DRIVER + ["runtime/proxy"],
    "runtime/archive": DRIVER + ["runtime/archive"],
    "runtime/dump": DRIVER + ["runtime/dump"],
    "runtime/rehearsal": DRIVER + ["runtime/rehearsal", "embedded"],
    "runtime/engine": DRIVER + ["runtime/engine", "embedded"],
    "runtime/command": None,  # may see everything
}
# header pattern -> the files that may include it
HEAVY = {
    r"yaml-cpp/": ["compiler/syntax/yaml_events.cpp"],
    r"boost/spirit": ["compiler/syntax/grammar.cpp"],
    r"nlohmann/": ["compiler/ir/json.cpp"],
    r"boost/asio": ["runtime/net/asio.h", "runtime/net/asio.cpp"],
    r"boost/beast": ["runtime/net/http_server.cpp"],
    r"curl/": ["runtime/net/http_client.cpp"],
    r"expat\.h": ["runtime/net/dav/xml.cpp"],
    r"CLI/": ["runtime/command/arguments.cpp"],
    r"libssh2": ["runtime/net/ssh_host.cpp"],
    r"sqlite3\.h": ["runtime/store/"],
    r"rocksdb/": ["runtime/store/"],
    r"lz4\.h|xxhash\.h": ["runtime/dump/"],
    r"libpq-fe\.h": ["runtime/store/postgresql.cpp"],
    r"mysql\.h": ["runtime/store/mariadb.cpp"],
    r"toml\+\+|toml\.hpp": ["runtime/proxy/"],
}
EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|manager)(_|\.|$)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def floor_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def check(path):
    problems = []
    relative = path.relative_to(ROOT).as_posix()
    if any(EMPTY_NAMES.search(part) for part in relative.split("/")):
        problems.append(f"{relative}:1: a name that says nothing")
    allowed = FLOORS.get(floor_of(relative), [])
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, header = match.groups()
        if kind == '"':
            if "/" not in header:
                problems.append(f"{relative}:{number}: includes {header} without its path from the root")
                continue
            floor = "embedded" if header.startswith("embedded/") else floor_of(header)
            if allowed is not None and floor not in allowed:
                problems.append(f"{relative}:{number}: includes {header}; {floor_of(relative)} may see only {', '.join(allowed)}")
        for pattern, places in HEAVY.items():
            if re.match(pattern, header) and not any(relative == p or (p.endswith("/") and relative.startswith(p)) for p in places):
                problems.append(f"{relative}:{number}: includes {header}, which only {', '.join(places)} may")
    return problems


def main():
    passed = failed = 0
    for folder in ("compiler", "runtime"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            problems = check(path)
            passed, failed = passed + (not problems), failed + bool(problems)
            for problem in problems:
                print(problem)
    print(f"floors: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
