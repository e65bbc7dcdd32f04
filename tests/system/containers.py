"""Containers without docker: a mount namespace each, in which the other server's folders are empty, and a program `docker` that
runs commands there as `docker exec` does. It takes only what plan says to it, and writes down what ran where."""

import os
import pathlib
import subprocess

DOCKER = """#!/bin/sh
# docker inspect --type container --format {{.State.Running}} NAME
# docker exec --env LC_ALL=C [--interactive] NAME PROGRAM...
here=@FOLDER@
if [ "$1 $2 $3 $4 $5" = "inspect --type container --format {{.State.Running}}" ]; then
  [ -e "$here/$6.pid" ] && echo true && exit 0
  echo "Error: No such container: $6" >&2; exit 1
fi
[ "$1 $2 $3" = "exec --env LC_ALL=C" ] || { echo "unknown flag: $*" >&2; exit 125; }
shift 3
if [ "$1" = --interactive ]; then shift; else exec < /dev/null; fi
name=$1; shift
[ -e "$here/$name.pid" ] || { echo "Error response from daemon: No such container: $name" >&2; exit 1; }
echo "$1" >> "$here/$name.log"
exec env LC_ALL=C nsenter --target "$(cat "$here/$name.pid")" --mount --root -- "$@"
"""


class Containers:
    """`hidden`: by the name of each container the folders that are none of it."""

    def __init__(self, folder, hidden):
        self.folder = pathlib.Path(folder)
        self.hidden = hidden
        self.processes = []

    def start(self):
        self.folder.mkdir(mode=0o755)
        docker = self.folder / "docker"
        docker.write_text(DOCKER.replace("@FOLDER@", str(self.folder)))
        docker.chmod(0o755)
        for name, folders in self.hidden.items():
            hide = "; ".join(f"mount -t tmpfs -o mode=755 none {folder}" for folder in folders)
            process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                        f"set -e; {hide}; echo; exec sleep infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.processes.append(process)
            if process.stdout.readline() != b"\n":
                raise SystemExit(f"the container {name} does not start")
            (self.folder / f"{name}.pid").write_text(f"{process.pid}\n")

    def programs(self):
        """What ran in each."""
        logs = {name: self.folder / f"{name}.log" for name in self.hidden}
        return {name: {os.path.basename(line) for line in log.read_text().split()} if log.exists() else set() for name, log in logs.items()}

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()
