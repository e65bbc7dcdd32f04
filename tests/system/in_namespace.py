"""Runs a test program in network, mount and process namespaces of its own, as the quickstart does."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def enter(needs=("dovecot", "postfix")):
    """Returns inside the namespaces; prints `skipped` lines and ends where they cannot be had."""
    if os.environ.get("PLAN_IN_NAMESPACE") == "1":
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(ROOT / "examples" / "quickstart"))
        return
    missing = [name for name in needs if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        why = f"{', '.join(missing)} is not installed" if missing else "needs root for namespaces"
        print(f"skipped {pathlib.Path(sys.argv[0]).name}: {why}")
        sys.exit(0)
    os.environ["PLAN_IN_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation",
                          "private", sys.executable, *sys.argv])


class Report:
    """One line a test, as tests/suite.py reads them."""

    def __init__(self):
        self.has_failed = False

    def check(self, name, is_right, seen=""):
        print(f"{'ok' if is_right else 'FAILED'} {name}", flush=True)
        if not is_right:
            self.has_failed = True
            print("  saw: " + str(seen).strip()[:4000].replace("\n", "\n  "), flush=True)
        return is_right

    def clean_up(self, folder, *started):
        """Stops what the test started, in this order, and removes its folder; PLAN_KEEP keeps that of a failed one."""
        for server in started:
            server.stop()
        if (self.has_failed or sys.exc_info()[0]) and os.environ.get("PLAN_KEEP"):
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def exit(self):
        sys.exit(1 if self.has_failed else 0)
