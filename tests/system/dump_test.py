#!/usr/bin/env python3
"""`plan dump` as an operator runs it, on the real dumps of ../shared/data/dumps: JSON, exit codes, memory, and that a dump which
is only read stays as it was. Prints `ok NAME`, `FAILED NAME` or `skipped NAME: why`."""

import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DUMPS = ROOT.parent / "shared" / "data" / "dumps"
MEMORY_KIB_MAX = 64 * 1024


def run(*arguments):
    return subprocess.run([os.environ["PLAN"], "dump", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def digest_of(folder):
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes() + str(path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def inspect_says_what_is_expected(_):
    members = {"name": "name", "letter": "letter", "schema": "schema", "records": "records", "key_bytes": "keyBytes",
               "value_bytes": "valueBytes", "sha256": "sha256", "record_stream_sha256": "recordStreamSha256"}
    dumps = sorted(path for path in DUMPS.iterdir() if path.is_dir() and path.name != "0.16.15-damaged")
    for dump in dumps:
        expected = json.loads(dump.with_name(dump.name + ".expected.json").read_text())["files"]
        done = run("inspect", dump, "--format", "json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)["files"]
        assert len(found) == len(expected), dump
        for ours, known in zip(found, sorted(expected, key=lambda file: file["name"])):
            for name, theirs in members.items():
                assert ours[name] == known[theirs], (dump.name, known["name"], name)
    assert len(dumps) >= 20


def grades_come_with_exit_codes(folder):
    dump = folder / "dump"
    shutil.copytree(DUMPS / "0.16.15-sqlite-small", dump)
    bare = run("verify", dump, "--format", "json")
    assert bare.returncode == 0 and json.loads(bare.stdout)["grade"] == "unprovable"
    assert run("manifest", dump).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["dump", "dump.manifest.json"]
    for arguments in (["verify", dump], ["verify", dump, "--format", "json"], ["verify", f"{dump}/"]):
        done = run(*arguments)
        assert done.returncode == 0 and b"proved" in done.stdout, done.stdout
    file = dump / "subspace_l"
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    done = run("verify", dump, "--format", "json")
    assert done.returncode == 1 and json.loads(done.stdout)["grade"] == "damaged"
    grades = {file["letter"]: file["grade"] for file in json.loads(done.stdout)["files"]}
    assert grades["p"] == "proved"
    assert run("verify", folder / "nothing").returncode == 1


def a_part_and_a_loss_have_exit_codes_of_their_own(folder):
    dump = folder / "dump"
    shutil.copytree(DUMPS / "0.16.15-sqlite-small", dump)
    part = run("select", dump, "--only", "data", "--output", folder / "part")
    assert part.returncode == 2 and b"would dangle: p without t" in part.stdout, part.stdout
    assert run("select", dump, "--only", "data", "--partial", "--output", folder / "meant").returncode == 0
    whole = run("repair", dump, "--output", folder / "whole")
    assert whole.returncode == 0 and b"nothing is known to be lost" in whole.stdout, whole.stdout
    blobs = dump / "subspace_t"
    blobs.chmod(0o600)
    blobs.write_bytes(blobs.read_bytes()[:-30])
    lossy = run("repair", dump, "--output", folder / "lossy", "--format", "json")
    assert lossy.returncode == 2 and not json.loads(lossy.stdout)["is_whole"], lossy.stdout
    for command in (["verify"], ["inspect"], ["manifest"], ["repair", "--output", folder / "none"], ["convert", "--output", folder / "none"]):
        (folder / "empty").mkdir(exist_ok=True)
        done = run(command[0], folder / "empty", *command[1:])
        assert done.returncode == 1 and done.stderr, (command, done.stdout)
        assert not (folder / "none").exists()


def reading_changes_nothing(folder):
    dump = folder / "dump"
    shutil.copytree(DUMPS / "0.15.5-sqlite-small", dump)
    before = digest_of(dump)
    for arguments in (["inspect"], ["verify"], ["list"], ["list", "--what", "messages"], ["get", "--account", "alice", "--message", "1"],
                      ["select", "--account", "bob", "--output", folder / "bob"], ["convert", "--checksums", "--output", folder / "sealed"],
                      ["repair", "--output", folder / "repaired"]):
        done = run(arguments[0], dump, *arguments[1:])
        assert done.returncode == 0, (arguments, done.stderr)
        assert digest_of(dump) == before, arguments
    assert run("diff", dump, folder / "sealed").returncode == 0
    assert run("diff", dump, folder / "repaired").returncode == 0
    assert run("diff", dump, folder / "bob").returncode == 2
    assert (folder / "bob").stat().st_mode & 0o077 == 0


def a_message_comes_out_byte_for_byte(folder):
    dump = DUMPS / "0.16.15-rocksdb-full"
    truth = json.loads(dump.with_name(dump.name + ".expected.json").read_text())["truth"]["perAccount"]
    largest = max(truth["alice"]["emails"], key=lambda email: email["size"])
    for email in [largest] + [email for email in truth["alice"]["emails"] if email["headerBytesBeforeBlob"]][:2]:
        done = run("get", dump, "--account", "alice", "--message", email["id"])
        assert done.returncode == 0 and hashlib.sha256(done.stdout).hexdigest() == email["sha256"], email["id"]
        target = folder / email["id"]
        done = run("get", dump, "--account", "alice@example.org", "--message", email["id"], "--output", target, "--format", "json")
        assert json.loads(done.stdout)["sha256"] == email["sha256"] and target.stat().st_size == email["size"]
    assert run("get", dump, "--account", "alice", "--message", "999", "--output", folder / "no").returncode == 1
    with open("/dev/full", "wb") as full:
        for arguments in (["get", dump, "--account", "alice", "--message", largest["id"]], ["list", dump], ["get", "--help"]):
            done = subprocess.run([os.environ["PLAN"], "dump", *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, check=False)
            assert done.returncode == 1 and b"stdout cannot be written" in done.stderr, (arguments, done)
    assert not (folder / "no").exists()
    copy = folder / "copy"
    shutil.copytree(dump, copy)
    copy.chmod(0o700)
    done = run("get", copy, "--account", "alice", "--message", largest["id"], "--output", copy / "7.eml")
    assert done.returncode == 1 and b"output-in-dump" in done.stderr and not (copy / "7.eml").exists(), done.stderr


def memory_stays_bounded(folder):
    """A dump with a value of 400 MB, which no command may hold."""
    zeros = bytes(65536)
    with open(folder / "plain", "wb") as plain:
        length, value = 6400 * 65536, b""
        while length >= 128:
            value += bytes([length & 127 | 128])
            length >>= 7
        plain.write(b"{t\x06\0\0\0" + b"\x20" + bytes(32) + value + bytes([length]))
        for _ in range(6400):
            plain.write(zeros)
    dump = folder / "dump"
    dump.mkdir()
    subprocess.run(["lz4", "-q", "-B4", "--no-frame-crc", folder / "plain", dump / "subspace_t"], check=True)
    (folder / "plain").unlink()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert before < MEMORY_KIB_MAX, "something ran before that takes more"
    assert run("verify", dump, "--format", "json").returncode == 1  # zeros are not what their hash says
    assert run("select", dump, "--only", "t", "--partial", "--output", folder / "part").returncode == 0
    assert run("convert", dump, "--end-marks", "--partial", "--output", folder / "sealed").returncode == 0
    assert run("diff", folder / "part", folder / "sealed").returncode == 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak <= MEMORY_KIB_MAX, f"{peak} KiB"


def main():
    if "PLAN" not in os.environ:
        print("skipped plan dump: PLAN is not set")
        return 0
    if not DUMPS.exists():
        print("skipped plan dump: this clone has no ../shared/data/dumps")
        return 0
    failed = 0
    # The one that measures runs first: the peak of children only grows.
    for test in (memory_stays_bounded, inspect_says_what_is_expected, grades_come_with_exit_codes, reading_changes_nothing,
                 a_part_and_a_loss_have_exit_codes_of_their_own,
                 a_message_comes_out_byte_for_byte):
        name = "plan dump: " + test.__name__.replace("_", " ")
        if test is memory_stays_bounded and not shutil.which("lz4"):
            print(f"skipped {name}: lz4 is not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="plan-dump-") as folder:
            try:
                test(pathlib.Path(folder))
                print(f"ok {name}")
            except (AssertionError, KeyError, ValueError, OSError) as why:
                failed += 1
                print(f"FAILED {name}: {str(why)[:500]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
