#!/usr/bin/env python3
"""Passes the lines of a benchmark on and objects to one that is no figure: `tests/bench/run` pipes through this."""

import json
import sys

KEYS = ["figure", "value", "unit", "better", "peer", "peer_value", "ratio", "goal"]


def what_is_wrong(line):
    try:
        figure = json.loads(line)
    except ValueError as mistake:
        return f"no JSON: {mistake}"
    if not isinstance(figure, dict) or sorted(figure) != sorted(KEYS):
        return f"has not exactly the keys {', '.join(KEYS)}"
    if figure["better"] not in ("lower", "higher"):
        return f"better is {figure['better']!r}"
    if figure["goal"] in (None, ""):
        return "there is no goal"
    if not isinstance(figure["value"], (int, float)):
        return f"value is {figure['value']!r}"
    return None


def main():
    is_wrong = False
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
        if wrong := what_is_wrong(line):
            print(f"tests/bench/run: {wrong}: {line.strip()[:300]}", file=sys.stderr)
            is_wrong = True
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
