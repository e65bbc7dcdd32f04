#!/usr/bin/env python3
"""The quickstart's migration with a source that plan reaches over SSH only: the folders of Dovecot and Postfix are hidden from
every `plan` process. Judged by the oracle; then the host key of the source changes."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import in_namespace
import ssh_host

in_namespace.enter()
if why := ssh_host.missing():
    print(f"skipped ssh_migration_test.py: {why}")
    sys.exit(0)

import judged_move  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402


def hide_source_from_plan(folder):
    """From here on `plan` is a wrapper that sees no file of the source."""
    wrapper = pathlib.Path(folder) / "plan-elsewhere"
    words = " ".join(f"'{word}'" for word in ssh_host.without_source([os.path.abspath(quickstart.PLAN)]))
    wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    wrapper.chmod(0o755)
    quickstart.PLAN = str(wrapper)


def reach_source_over_ssh(migration, server):
    shutil.copy(server.client_key, migration.work / "secrets" / "id_ed25519")
    plan = migration.work / "migration.yaml"
    # The key is named as the plan's folder has it, wherever plan is started.
    plan.write_text(plan.read_text().replace("\nsource:\n", "\nhosts:\n  source: {ssh: \"root@${addresses.source}\", "
                                             "key: !secret file:secrets/id_ed25519}\n\nsource:\n", 1) +
                    # Each command is a round trip; what is tried here is the way, not the speed of this machine.
                    "\nmove: {hold_bound: 60s}\n")


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-ssh-")
    migration = quickstart.Migration(folder)
    server = ssh_host.SshServer(pathlib.Path(folder) / "ssh", world.SOURCE)

    def plan(*arguments):
        return migration.plan(*arguments, show=False, accept=range(256))

    try:
        migration.start()
        server.start()
        reach_source_over_ssh(migration, server)
        local = plan("diff", "--format", "json")
        report.check("without a lock nothing is reached", local.returncode == 1 and server.logins() == 0, local.stdout + local.stderr)
        hide_source_from_plan(folder)
        migration.start_traffic()
        fetched = plan("fetch")
        pin = ssh_host.fingerprint(server.host_key)
        report.check("fetch pins the host key that sshd has", fetched.returncode == 0 and
                     f"host-key source {pin}\n" in (migration.work / "migration.lock").read_text(), fetched.stderr)
        report.check("fetch shows the key, to be compared", f"SHA256:{pin}" in fetched.stderr, fetched.stderr)
        again = plan("fetch")
        report.check("a second fetch says that nothing has changed", "nothing has changed" in again.stderr, again.stderr)

        server.change_host_key()
        lock = (migration.work / "migration.lock").read_bytes()
        logins = server.logins()
        refused = plan("fetch")
        report.check("another host key is not taken silently", refused.returncode == 1 and "identity-changed" in refused.stderr and
                     pin in refused.stderr and "--accept-new-keys" in refused.stderr, refused.stderr)
        report.check("and the lock is as it was", (migration.work / "migration.lock").read_bytes() == lock)
        diff = plan("diff")
        report.check("diff does not log in there either", "host-key-changed" in diff.stdout + diff.stderr and
                     server.logins() == logins, diff.stdout[-3000:] + diff.stderr)
        accepted = plan("fetch", "--accept-new-keys")
        report.check("the operator takes it by name", accepted.returncode == 0 and
                     f"host-key source {ssh_host.fingerprint(server.host_key)}\n" in
                     (migration.work / "migration.lock").read_text(), accepted.stderr)

        checked = plan("check")
        report.check("check finds nothing wrong", checked.returncode == 0, checked.stdout + checked.stderr)
        unasked = plan("apply")
        report.check("apply with nobody to ask does nothing and ends with 2", unasked.returncode == 2 and
                     "nothing was done" in unasked.stderr, unasked.stderr[-2000:])
        # From another folder: keys, secrets, sockets and commands are looked for beside the plan.
        laptop = migration.folder / "laptop"
        shutil.copytree(migration.work, laptop, ignore=shutil.ignore_patterns("*.sock"))
        with open(migration.folder / "apply.log", "w", encoding="utf-8") as log:
            apply = subprocess.Popen([quickstart.PLAN, "apply", str(migration.work / "migration.yaml"), "--yes"], cwd="/",
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            judged_move.wait_for_first_step(migration.work)
            second = subprocess.run([quickstart.PLAN, "apply", "--yes"], cwd=laptop, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, check=False)
            report.check("a second run from another machine is refused, with the name of the first", second.returncode == 1 and
                         "[lease-taken]" in second.stdout and f"process {apply.pid}" in second.stdout and
                         "--take-over" in second.stdout, second.stdout[-3000:])
            code = apply.wait()
        judged_move.check_exit(report, migration, "apply moves every account over SSH, from any folder, and waits for the last word", code)
        judged_move.judge(report, migration)
        code = migration.finalize("migration.yaml", "--yes")
        report.check("the approved last stage ends well over SSH too", code == 0, f"exit code {code}")
    finally:
        report.clean_up(folder, migration, server)
    report.exit()


if __name__ == "__main__":
    main()
