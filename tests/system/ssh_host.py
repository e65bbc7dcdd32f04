"""A real sshd for the source's machine, and a view of this machine in which the source is not: what still works there goes
over SSH."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

SSHD = "/usr/sbin/sshd"
# Where Dovecot, Postfix and plan's own files are on the source.
SOURCE_FOLDERS = ["/etc/postfix", "/etc/dovecot", "/var/spool/postfix", "/var/lib/postfix", "/run/dovecot", "/var/lib/plan"]


def missing():
    """Why the test cannot be run here; empty when it can."""
    absent = [name for name, path in {"openssh-server": SSHD, "openssh-client": shutil.which("ssh-keygen") or "/nonexistent"}.items()
              if not pathlib.Path(path).exists()]
    return f"{', '.join(absent)} is not installed" if absent else ""


def make_key(file):
    file.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "plan test", "-f", file], check=True)
    return file


def fingerprint(file):
    """As `ssh-keygen -lf` shows it, without `SHA256:`."""
    shown = subprocess.run(["ssh-keygen", "-lf", f"{file}.pub"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return shown.split()[1].removeprefix("SHA256:")


class SshServer:
    """Lets root in with the Ed25519 key `client_key`; nothing else."""

    def __init__(self, folder, address, port=22):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700)
        self.address, self.port = address, port
        self.client_key = make_key(self.folder / "client")
        self.host_key = make_key(self.folder / "host")
        (self.folder / "authorized_keys").write_text((self.folder / "client.pub").read_text())
        self.log = self.folder / "sshd.log"
        self.process = None

    def start(self):
        os.makedirs("/run/sshd", exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(f"Port {self.port}\nListenAddress {self.address}\nHostKey {self.host_key}\n"
                          f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n"
                          "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                          "MaxStartups 100\nMaxSessions 50\nLogLevel VERBOSE\n"
                          # The shell of each command reads what is in its home: not what somebody has on this machine.
                          f"SetEnv HOME={self.folder}\n")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config, "-E", self.log], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((self.address, self.port), 1) as connection:
                    if connection.recv(8).startswith(b"SSH-2.0-"):
                        return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"sshd does not answer:\n{self.log.read_text(errors='replace')}")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def logins(self):
        return self.log.read_text(errors="replace").count("Accepted publickey for root")

    def change_host_key(self):
        """As after the machine was set up anew, or when somebody else answers."""
        self.stop()
        make_key(self.host_key)
        self.start()


def without_source(command):
    """The command line in a mount namespace of its own, where the folders of the source are empty."""
    hide = "; ".join(f"mount -t tmpfs -o mode=755 none {folder}" for folder in SOURCE_FOLDERS)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'set -e; {hide}; exec "$@"', "sh", *map(str, command)]
