#!/usr/bin/env python3
"""The drivers of the source against a real Dovecot and Postfix: starts the quickstart's source in namespaces of its own and
runs the tests `RealSource*` of the binary unit_server there, first on the same machine, then over SSH, then with each of the two
servers in a container of its own; in both the binary sees none of the source's files. Prints `ok NAME`, `FAILED NAME` or `skipped NAME: why`."""

import hashlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import containers
import ssh_host

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUICKSTART = ROOT / "examples" / "quickstart"


def main():
    plan = os.environ.get("PLAN")
    binary = pathlib.Path(os.environ.get("PLAN_UNIT_SERVER") or (pathlib.Path(plan).parent / "unit_server" if plan else "/nonexistent"))
    for reason, missing in [("unit_server is not built", not binary.exists()), ("needs root", os.getuid() != 0),
                            ("dovecot is not installed", not shutil.which("doveadm")),
                            ("postfix is not installed", not shutil.which("postfix"))]:
        if missing:
            print(f"skipped the drivers of the source: {reason}")
            return 0
    if len(sys.argv) == 1:
        with tempfile.TemporaryDirectory(prefix="plan-source-") as folder:
            return subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation",
                                   "private", sys.executable, __file__, folder, str(binary)], check=False).returncode
    return inside(pathlib.Path(sys.argv[1]), sys.argv[2])


def inside(folder, binary):
    folder.chmod(0o755)
    source = subprocess.Popen([sys.executable, QUICKSTART / "start_source.py", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if source.stdout.readline().strip() != "ready":
        print("FAILED the source starts")
        return 1
    threading.Thread(target=sink, args=("10.9.0.1", 25, False), daemon=True).start()
    threading.Thread(target=sink, args=("127.0.0.1", 2424, True), daemon=True).start()
    certificate = ssl.PEM_cert_to_DER_cert((folder / "tls" / "source.crt").read_text())
    environment = {**os.environ, "PLAN_TEST_SOURCE": str(folder), "PLAN_TEST_CERTIFICATE": hashlib.sha256(certificate).hexdigest()}
    is_right = run_tests(folder, [binary], environment, "")
    if why := ssh_host.missing():
        print(f"skipped the drivers of the source over SSH: {why}")
    else:
        server = ssh_host.SshServer(folder / "ssh", "10.9.0.2")
        server.start()
        environment |= {"PLAN_TEST_SSH": "root@10.9.0.2", "PLAN_TEST_SSH_KEY": str(server.client_key),
                        "PLAN_TEST_SSH_HOST_KEY": ssh_host.fingerprint(server.host_key)}
        is_right &= run_tests(folder, ssh_host.without_source([binary]), environment, "over SSH: ")
        print(f"{'ok' if server.logins() else 'FAILED'} over SSH: sshd let plan in with its Ed25519 key")
        is_right &= server.logins() > 0
        server.stop()
    boxes = containers.Containers(folder / "containers", {"dovecot-1": ["/etc/postfix", "/var/spool/postfix"],
                                                          "postfix-1": ["/etc/dovecot", "/run/dovecot"]})
    boxes.start()
    for name in ("PLAN_TEST_SSH", "PLAN_TEST_SSH_KEY", "PLAN_TEST_SSH_HOST_KEY"):
        environment.pop(name, None)
    environment |= {"PLAN_TEST_CONTAINERS": "yes", "PATH": f"{boxes.folder}:{os.environ['PATH']}"}
    # What is about calls that fail, or waits for long, says nothing about containers. A Dovecot that is started in one would
    # have its socket where this Postfix does not see it.
    is_right &= run_tests(folder, ssh_host.without_source([binary]), environment, "in containers: ",
                          "-*.AHoldThatDies*:*.AWrongMaster*:*.TheDrain*:*.ASessionThatOutlived*")
    seen = boxes.programs()
    is_used = {"doveadm", "doveconf"} <= seen["dovecot-1"] and {"postconf", "postqueue", "postmap"} <= seen["postfix-1"]
    print(f"{'ok' if is_used else 'FAILED'} in containers: each server's programs ran in its own container")
    is_right &= is_used
    boxes.stop()
    source.stdin.close()
    source.wait(15)
    return 0 if is_right else 1


def run_tests(folder, command, environment, prefix, without=""):
    done = subprocess.run([*command, f"--gtest_filter={os.environ.get('PLAN_TEST_FILTER', 'RealSource*')}{without}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", env=environment, timeout=600, check=False)
    results = 0
    for line in done.stdout.splitlines():
        name = prefix + line[13:].split(" (")[0].removeprefix("RealSource.")
        if line.startswith("[       OK ]"):
            print(f"ok {name}")
            results += 1
        elif line.startswith("[  FAILED  ]") and " (" in line and "listed below" not in line:
            print(f"FAILED {name}")
            results += 1
    if done.returncode != 0 or "PLAN_TEST_VERBOSE" in os.environ:
        print(done.stdout)
        for log in ("dovecot.log", "postfix.log"):
            print(f"--- {log}\n" + "\n".join((folder / log).read_text(errors="replace").splitlines()[-40:]))
    if results == 0:
        print(f"FAILED {prefix}the binary ran (exit code {done.returncode})")
    return done.returncode == 0 and results > 0


def sink(address, port, is_lmtp):
    """A server that takes every message. By LMTP it hands the message on to Dovecot, three seconds after its end, or refuses it
    then for now, if its subject asks for that."""
    listener = socket.create_server((address, port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=sink_session, args=(connection, is_lmtp), daemon=True).start()


def sink_session(connection, is_lmtp):
    stream = connection.makefile("rwb")
    recipients = []

    def say(text):
        stream.write(text.encode() + b"\r\n")
        stream.flush()

    say("220 sink.test ready")
    for line in iter(stream.readline, b""):
        word = line.split()[0].upper().decode() if line.split() else ""
        if word in ("EHLO", "LHLO", "HELO"):
            say("250 sink.test")
        elif word == "DATA":
            say("354 go")
            content = []
            for part in iter(stream.readline, b".\r\n"):
                content.append(part[1:] if part.startswith(b".") else part)
            if is_lmtp:
                time.sleep(3)
                is_taken = b"Subject: refuse this later\r\n" not in content
                if is_taken:
                    hand_on(recipients, b"".join(content))
                for _ in recipients:
                    say("250 taken" if is_taken else "451 4.3.0 not now")
            else:
                say("250 taken")
            recipients = []
        elif word == "RCPT":
            recipients.append(line.decode().split("<")[1].split(">")[0])
            say("250 ok")
        elif word == "QUIT":
            say("221 bye")
            break
        else:
            say("250 ok")
    connection.close()


def hand_on(recipients, content):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/var/spool/postfix/private/dovecot-lmtp")
        stream = connection.makefile("rwb")
        stream.readline()
        for command in ["LHLO sink.test", "MAIL FROM:<>", *[f"RCPT TO:<{r}>" for r in recipients], "DATA"]:
            stream.write(command.encode() + b"\r\n")
            stream.flush()
            while stream.readline()[3:4] == b"-":
                pass
        stream.write(content + b".\r\n")
        stream.flush()
        for _ in recipients:
            stream.readline()


if __name__ == "__main__":
    sys.exit(main())
