#!/usr/bin/env python3
"""The quickstart's migration with a proxy whose control port is HTTPS and has no Unix socket, judged by the oracle. On the way:
somebody else answers on the control port, and the target, which has no DNS, refuses a reload whole."""

import base64
import json
import subprocess
import tempfile
import urllib.request

import in_namespace

in_namespace.enter()

import judged_move  # noqa: E402
import quickstart  # noqa: E402
import world  # noqa: E402

CONTROL = f"{world.PROXY}:8443"


def control_over_https(migration):
    """Before the proxy starts: its configuration and the plan name the HTTPS port, and nothing else."""
    config = migration.work / "proxy" / "proxy.toml"
    lines = [f'https = "{CONTROL}"' if line.startswith("unix = ") else line for line in config.read_text().splitlines()]
    config.write_text("\n".join(lines) + "\n")
    plan = migration.work / "migration.yaml"
    plan.write_text(plan.read_text().replace("control: unix:proxy/control.sock,", f'control: "https://{CONTROL}", pin: !lock certificate,'))


def restart_proxy(migration, certificate):
    """With another certificate on the control port, as somebody in between would show."""
    process = migration.world.processes["proxy"]
    process.terminate()
    process.wait(20)
    tls = migration.world.tls
    config = migration.work / "proxy" / "proxy.toml"
    lines = [line for line in config.read_text().splitlines() if not line.endswith("# of the control port")]
    if certificate:
        at = lines.index("[control]") + 1
        lines[at:at] = [f'{key} = "{tls / certificate}.{end}"  # of the control port' for key, end in (("certificate", "crt"), ("key", "key"))]
    config.write_text("\n".join(lines) + "\n")
    migration.start_proxy()


def enable_pyzor(migration, is_enabled):
    """What an administrator may do at any time; the target looks up Pyzor's server at each reload."""
    facts = migration.facts()["target"]
    login = base64.b64encode(f"{facts['admin']}:{facts['admin_password']}".encode()).decode()
    body = {"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"],
            "methodCalls": [["x:SpamPyzor/set", {"update": {"singleton": {"enable": is_enabled}}}, "0"]]}
    request = urllib.request.Request(facts["url"] + "/jmap/", json.dumps(body).encode(),
                                     {"Authorization": f"Basic {login}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, context=migration.world.client_tls(), timeout=30) as answer:
        return answer.read().decode()


def main():
    report = in_namespace.Report()
    folder = tempfile.mkdtemp(prefix="plan-https-")
    migration = quickstart.Migration(folder)
    prepare = migration.prepare_work_folder

    def prepare_for_https():
        prepare()
        control_over_https(migration)

    migration.prepare_work_folder = prepare_for_https

    def plan(*arguments):
        return migration.plan(*arguments, show=False, accept=range(256))

    try:
        migration.start()
        migration.start_traffic()
        fetched = plan("fetch")
        lock = (migration.work / "migration.lock").read_text()
        report.check("fetch pins the certificate of the control port", fetched.returncode == 0 and "certificate proxy.edge1 " in lock,
                     fetched.stderr + lock)
        report.check("there is no Unix socket", not (migration.work / "proxy" / "control.sock").exists())

        restart_proxy(migration, "target")
        again = plan("fetch")
        report.check("another certificate there is not taken silently", again.returncode == 1 and "[identity-changed]" in again.stderr and
                     "proxy.edge1" in again.stderr and (migration.work / "migration.lock").read_text() == lock, again.stderr)
        applied = plan("apply", "--yes")
        report.check("apply tells it nothing and does nothing", applied.returncode == 1 and "[certificate-mismatch]" in applied.stderr,
                     applied.stderr[-3000:])
        restart_proxy(migration, None)

        with open(migration.folder / "apply.log", "w", encoding="utf-8") as log:
            apply = subprocess.Popen([quickstart.PLAN, "apply", "migration.yaml", "--yes"], cwd=migration.work,
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            judged_move.wait_for_first_step(migration.work)
            second = plan("apply", "--yes")
            report.check("a second run in the same folder is refused before it looks at anything", second.returncode == 1 and
                         "[run-in-progress]" in second.stderr and not second.stdout, second.stdout[-1000:] + second.stderr)
            code = apply.wait()
        judged_move.check_exit(report, migration, "apply moves every account and waits for the last word", code)
        judged_move.judge(report, migration)

        seen = enable_pyzor(migration, True)
        plan("approve", "finalize")
        refused = plan("apply", "--yes")
        report.check("a target without DNS refuses the reload whole: the run stops and names the object", refused.returncode == 1 and
                     "[reload-refused]" in refused.stderr and "SpamPyzor" in refused.stderr and "std/" in refused.stderr and
                     "help:" in refused.stderr, seen + refused.stderr[-4000:])
        kept = plan("verify")
        report.check("and nothing is lost by it", kept.returncode == 0, kept.stdout + kept.stderr)
        enable_pyzor(migration, False)
        code = migration.finalize("migration.yaml", "--yes")
        report.check("mended, the same command goes on to the end", code == 0, f"exit code {code}")
    finally:
        report.clean_up(folder, migration)
    report.exit()


if __name__ == "__main__":
    main()
