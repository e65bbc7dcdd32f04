#!/usr/bin/env python3
"""The quickstart's migration with a source whose Dovecot and Postfix are in a container each: every `plan` process sees no file of
theirs, and a `docker` of the test in its PATH. Judged by the oracle. Part `containers` of tests/long runs it."""

import os
import pathlib
import subprocess
import tempfile

import containers
import in_namespace
import ssh_host

in_namespace.enter()

import judged_move  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402


def main():
    report = in_namespace.Report()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="plan-containers-"))
    migration = quickstart.Migration(folder)
    boxes = containers.Containers(folder / "containers", {"dovecot-1": ["/etc/postfix", "/var/spool/postfix"],
                                                          "postfix-1": ["/etc/dovecot", "/run/dovecot"]})
    try:
        migration.start()
        boxes.start()
        wrapper = folder / "plan-elsewhere"
        words = " ".join(f"'{word}'" for word in ssh_host.without_source([os.path.abspath(quickstart.PLAN)]))
        wrapper.write_text(f'#!/bin/sh\nPATH={boxes.folder}:$PATH exec {words} "$@"\n')
        wrapper.chmod(0o755)
        quickstart.PLAN = str(wrapper)
        plan = migration.work / "migration.yaml"
        text = plan.read_text().replace("\nsource:\n", "\nsource:\n  dovecot: {container: dovecot-1}\n  postfix: {container: postfix-1}\n", 1)
        plan.write_text(text + "\nmove: {hold_bound: 60s}\n")  # what is tried is the way, not the speed of this machine
        migration.start_traffic()
        for command in ("fetch", "check"):
            done = migration.plan(command, show=False, accept=range(256))
            report.check(f"{command} ends well", done.returncode == 0, done.stdout + done.stderr)
        with open(folder / "apply.log", "w", encoding="utf-8") as log:
            code = subprocess.run([quickstart.PLAN, "apply", "--yes"], cwd=migration.work, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, check=False).returncode
        judged_move.check_exit(report, migration, "apply moves every account and waits for the last word", code)
        judged_move.judge(report, migration)
        code = migration.finalize("migration.yaml", "--yes")
        report.check("the approved last stage ends well", code == 0, f"exit code {code}")
        seen = boxes.programs()
        report.check("each server's programs ran in its own container", {"doveadm", "doveconf"} <= seen["dovecot-1"] and
                     {"postconf", "postqueue", "postmap"} <= seen["postfix-1"], seen)
        calls = sum(len(log.read_text().split()) for log in boxes.folder.glob("*.log"))
        print(f"{calls} programs in containers for {len(migration.states())} accounts at {world.SOURCE}")
    finally:
        boxes.stop()
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
