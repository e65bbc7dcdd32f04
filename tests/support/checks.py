"""What a test program says of each thing that it looks at, in the lines that tests/suite.py reads."""

has_failed = False


def check(name, is_right, seen=""):
    global has_failed
    print(f"{'ok' if is_right else 'FAILED'} {name}", flush=True)
    if not is_right:
        has_failed = True
        print("  saw: " + str(seen).strip()[:3000].replace("\n", "\n  "), flush=True)
    return is_right


def exit_code():
    return 1 if has_failed else 0
