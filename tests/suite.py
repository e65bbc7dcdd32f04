"""Builds and runs the parts of the test suite, counts every single test, and says what was skipped and why.

The last line is `N passed, N failed, N skipped`; the exit code is 1 when something failed.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("PLAN_BUILD_ROOT", ROOT / "build"))
FUZZ_SECONDS = int(os.environ.get("PLAN_FUZZ_SECONDS", "30"))
FUZZ_SEED = int(os.environ.get("PLAN_FUZZ_SEED", "1"))  # 0: another one each time
# Not 0: the same first inputs of a target each time, so many. What is learnt from comparisons depends on addresses and stays out.
FUZZ_RUNS = int(os.environ.get("PLAN_FUZZ_RUNS", "0"))
# Memory of one input, all that the target keeps included. That it takes at most a second of the processor, with the sanitizers on,
# is looked at by the target itself (tests/fuzz/measured_input.cpp).
FUZZ_MEMORY_MIB = 256
# A target that tries fewer inputs, beyond those of its corpus, shows nothing. It gives way to whatever else the machine does,
# and is tried once more, without giving way, before it is said to have failed.
FUZZ_INPUTS_A_SECOND = 2
FUZZ_ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=10"}
# The whole run stays below an hour on a bare machine of two cores. What does not fit any more is skipped by name, never
# failed by the clock.
BUDGET_SECONDS = int(os.environ.get("PLAN_TEST_SECONDS", "3300"))
STARTED = time.monotonic()
# What the sanitizers watch on every run; the rest of the unit tests run under them in tests/long. They are built by clang, which
# takes arguments from the left where g++ takes them from the right: what depends on that is seen here and in no release build.
ASAN_UNITS = ["unit_ir", "unit_syntax", "unit_facts", "unit_flow", "unit_lower", "unit_net", "unit_proxy", "unit_archive",
              "unit_store", "unit_dump"]
# Test programs at once: one more than cores, since most of them wait for real servers for some of their time.
AT_ONCE = int(os.environ.get("PLAN_TEST_JOBS", (os.cpu_count() or 1) + 1))
SYSTEMS_AT_ONCE = int(os.environ.get("PLAN_TEST_SYSTEMS", "2"))
# What takes longest begins first, so that the last to end is short.
LONG_FIRST = ["crash_simulation", "unit_dump", "replay", "unit_compile", "kill_test.py", "store_move_kill_test.py", "source_test.py",
              "rollback_test.py", "ssh_migration_test.py", "migration_test.py"]

# Tests that another part runs, where what they need is there: those of tests/system/source_test.py.
ELSEWHERE = {"unit_server": "RealSource*"}


class Count:
    """What the tests came to. A program of the pool counts and speaks into one of its own, which is added when it has ended."""

    def __init__(self, is_shown=False):
        self.passed = self.failed = 0
        self.skipped = []
        self.failures = []
        self.text = []
        self.is_shown = is_shown

    def say(self, text):
        if self.is_shown:
            say(text)
        else:
            self.text.append(text)

    def take(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        for text in other.text:
            self.say(text)

    def add(self, name, state, why=""):
        if state == "passed":
            self.passed += 1
        elif state == "skipped":
            self.skipped.append((name, why))
        else:
            self.failed += 1
            self.failures.append(name)


def time_left():
    return BUDGET_SECONDS - (time.monotonic() - STARTED)


def say(text):
    print(text, flush=True)


def run(arguments, **options):
    return subprocess.run([str(a) for a in arguments], cwd=ROOT, **options)


def at_once(jobs, count, workers=AT_ONCE):
    """Runs `(name, function of a Count)` pairs beside each other; what each one says comes out whole, when it has ended."""
    def rank(job):
        return LONG_FIRST.index(job[0]) if job[0] in LONG_FIRST else len(LONG_FIRST)

    def one(job):
        own = Count()
        job[1](own)
        return own

    with concurrent.futures.ThreadPoolExecutor(max_workers=workers) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, job) for job in sorted(jobs, key=rank)]):
            count.take(done.result())


def unit_jobs(folder, names, label=None, environment=None):
    environment = {"PLAN_UNIT_SERVER": str(folder / "unit_server"), **(environment or {})}
    return [(name, lambda own, name=name: run_gtest(folder / name, own, label or name.partition("_")[0], environment)) for name in names]


def script_jobs(folder, scripts):
    def job(script, own):
        command = [sys.executable, script] if script.suffix == ".py" else ["bash", script]
        run_script(command, own, script.relative_to(ROOT), {"PLAN": str(folder / "plan"), "PLAN_UNIT_SERVER": str(folder / "unit_server")})
    return [(script.name, lambda own, script=script: job(script, own)) for script in scripts]


def build(preset, targets, count, seconds=None):
    """Builds targets; nothing (and a test failed) when it does not compile, nothing (and a test skipped) when `seconds` are
    over first."""
    began = time.monotonic()
    folder = BUILD / preset
    for step in (["cmake", "--preset", preset, "-B", folder, "-DPLAN_TESTS=ON"], ["ninja", "-C", folder, *targets]):
        try:
            done = run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            count.add(f"build {preset}", "skipped", f"not built within {seconds:.0f} s; tests/long has no such bound")
            return None
        if done.returncode != 0:
            count.say(done.stdout[-6000:])
            count.add(f"build {preset}", "failed")
            return None
    count.say(f"built {preset} in {time.monotonic() - began:.0f} s")
    count.add(f"build {preset}", "passed")
    return folder


def targets_of(preset, pattern):
    """Names of the test binaries this build would make, from the generated build file."""
    folder = BUILD / preset
    run(["cmake", "--preset", preset, "-B", folder, "-DPLAN_TESTS=ON"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listed = run(["ninja", "-C", folder, "-t", "targets", "all"], stdout=subprocess.PIPE, text=True).stdout
    return sorted({m[1] for m in re.finditer(r"^(%s): phony" % pattern, listed, re.M)} |
                  {m[1] for m in re.finditer(r"^(%s): CXX_EXECUTABLE" % pattern, listed, re.M)})


def run_gtest(binary, count, label, environment=None, seconds_max=1500):
    # The XML report has the reasons of skipped tests, the JSON report has not.
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        began = time.monotonic()
        arguments = [f"--gtest_output=xml:{report.name}", "--gtest_brief=1"]
        if binary.name in ELSEWHERE:
            arguments.append(f"--gtest_filter=-{ELSEWHERE[binary.name]}")
        try:
            done = run([binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                       timeout=seconds_max, env={**os.environ, **(environment or {})})
            output, code = done.stdout, done.returncode
        except subprocess.TimeoutExpired as late:
            output, code = (late.stdout or b"").decode(errors="replace") + f"\nran for more than {seconds_max} s", -1
        try:
            tests = list(xml.etree.ElementTree.parse(report.name).iter("testcase"))
        except xml.etree.ElementTree.ParseError:
            tests = []
    failed_here = 0
    for test in tests:
        name = f"{label} {test.get('classname')}.{test.get('name')}"
        skipped = test.find("skipped")
        if test.find("failure") is not None:
            count.add(name, "failed")
            failed_here += 1
        elif skipped is not None or test.get("status") == "notrun":
            why = (skipped.get("message", "") if skipped is not None else "it is disabled").strip().splitlines()
            count.add(name, "skipped", why[-1] if why else "it does not say why")
        else:
            count.add(name, "passed")
    if code != 0 and not failed_here:
        count.add(f"{label} {binary.name}", "failed")
        failed_here = 1
    if failed_here:
        count.say(output[-8000:])
    count.say(f"{label} {binary.name}: {len(tests)} tests in {time.monotonic() - began:.1f} s{', FAILED' if failed_here else ''}")


def part_floors(count):
    done = run([sys.executable, "tests/floors.py"], stdout=subprocess.PIPE, text=True)
    say(done.stdout.rstrip())
    count.add("floors", "passed" if done.returncode == 0 else "failed")


def part_format(count):
    files = run(["git", "ls-files", "*.h", "*.cpp"], stdout=subprocess.PIPE, text=True).stdout.split()
    done = run(["clang-format-14", "--dry-run", "-Werror", *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        say("\n".join(line for line in done.stdout.splitlines() if "error:" in line)[:2000])
    count.add("format", "passed" if done.returncode == 0 else "failed")


def units_of_release():
    return targets_of("release", r"(?:unit|crash)_\w+|replay")


def asan_units():
    return [u for u in targets_of("asan", r"unit_\w+") if u in ASAN_UNITS]


def part_unit(count):
    units = units_of_release()
    if not units:  # a build without tests is no success
        count.add("unit tests in the build", "failed")
    folder = build("release", ["plan", *units], count)
    if folder:
        at_once(unit_jobs(folder, units) + script_jobs(folder, sorted((ROOT / "tests" / "unit").rglob("*_test.py"))), count)


def part_asan(count):
    units = asan_units()
    if time_left() < 300:
        count.add("asan", "skipped", "the hour is over; tests/long runs it")
        return
    folder = build("asan", units, count, time_left() - 120)
    if folder:
        at_once(unit_jobs(folder, units, "asan", {"ASAN_OPTIONS": "detect_leaks=1"}), count)


def may_fix_addresses():
    """Whether a program may ask for the same addresses each time: some containers do not let it."""
    return subprocess.run(["setarch", "--addr-no-randomize", "true"], stderr=subprocess.DEVNULL).returncode == 0


def corpus_of(name):
    return ROOT / "tests" / "fuzz" / name.removeprefix("fuzz_") / "corpus"


def inputs_tried(done):
    """How many inputs a target says that it has tried."""
    inputs = re.search(r"^Done (\d+) runs", done.stdout, re.M)
    return int(inputs[1]) if inputs else 0


def inputs_needed(name):
    seeds = len(list(corpus_of(name).iterdir())) if corpus_of(name).exists() else 0
    more = FUZZ_INPUTS_A_SECOND * FUZZ_SECONDS
    return min(seeds + more, FUZZ_RUNS) if FUZZ_RUNS else seeds + more


def fuzz_once(folder, name, gives_way):
    found = folder / "found" / name
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    corpus = corpus_of(name)
    with tempfile.TemporaryDirectory() as grown:
        repeatable = [f"-runs={FUZZ_RUNS}", "-use_cmp=0"] if FUZZ_RUNS else []
        fixed = ["setarch", "--addr-no-randomize"] if repeatable and may_fix_addresses() else []
        # Only what nobody else wants of the processor: it runs beside whole mail systems.
        idle = ["chrt", "--idle", "0"] if gives_way else []
        return run([*idle, *fixed, folder / name, grown, *([corpus] if corpus.exists() else []), f"-seed={FUZZ_SEED}",
                    *repeatable, f"-max_total_time={FUZZ_SECONDS}", "-timeout=300", "-report_slow_units=300",
                    f"-rss_limit_mb={FUZZ_MEMORY_MIB}", f"-artifact_prefix={found}/"],
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                   env={**os.environ, **FUZZ_ENVIRONMENT})


def fuzz(folder, name):
    """One target for FUZZ_SECONDS; nothing when that would be beyond the hour. What it finds stays in found/NAME of the build.
    The seed is fixed, tests/long draws its own."""
    if time_left() < FUZZ_SECONDS:
        return None
    done = fuzz_once(folder, name, gives_way=True)
    if done.returncode == 0 and inputs_tried(done) < inputs_needed(name) and time_left() >= FUZZ_SECONDS:
        done = fuzz_once(folder, name, gives_way=False)
    return done


def check_measured_input(folder, count):
    """Whether an input that costs too much of the processor is found by a target, and none that waits or that was the first."""
    for what, is_too_much in (("busy", True), ("busy in a thread", True), ("busy once", False), ("asleep", False)):
        with tempfile.TemporaryDirectory() as place:
            seeds = pathlib.Path(place) / "corpus"
            seeds.mkdir()
            (seeds / "input").write_text(what)
            done = run([folder / "measured_input_check", seeds, "-runs=1", "-timeout=300", f"-artifact_prefix={place}/"],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                       env={**os.environ, **FUZZ_ENVIRONMENT})
            is_kept = any(one.name.startswith("crash-") for one in pathlib.Path(place).iterdir())
        is_told = done.returncode != 0 and is_kept and "s of processor time" in done.stdout
        is_right = is_told if is_too_much else done.returncode == 0
        if not is_right:
            count.say(done.stdout[-4000:])
        count.add(f"fuzz measures an input that is {what}", "passed" if is_right else "failed")


def part_fuzz(count):
    fuzzers = targets_of("asan", r"fuzz_\w+")
    if time_left() < 300:
        count.add("fuzz", "skipped", "the hour is over; tests/long runs it")
        return
    folder = build("asan", [*fuzzers, "measured_input_check"], count, time_left() - 60)
    if folder is None:
        return
    check_measured_input(folder, count)
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = dict(zip(fuzzers, pool.map(lambda name: fuzz(folder, name), fuzzers)))
    for name, done in runs.items():
        if done is None:
            count.add(f"fuzz {name}", "skipped", "the hour is over; tests/long runs it")
            continue
        tried, needed = inputs_tried(done), inputs_needed(name)
        is_fine = done.returncode == 0 and tried >= needed
        count.say(f"fuzz {name}: {tried} runs{'' if is_fine else f', at least {needed} are needed, FAILED'}")
        if not is_fine:
            count.say(done.stdout[-4000:])
        count.add(f"fuzz {name}", "passed" if is_fine else "failed")


def run_script(command, count, name, environment, seconds=1500):
    """A test program of its own: every line `ok NAME`, `FAILED NAME` or `skipped NAME: why` is one test."""
    began = time.monotonic()
    try:
        done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds,
                   env={**os.environ, **environment})
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = (late.stdout or b"").decode(errors="replace") + f"\nran for more than {seconds:.0f} s", -1
    results = re.findall(r"^(ok|FAILED|skipped) (.*)$", output, re.M)
    for state, what in results:
        count.add(f"{name}: {what}", {"ok": "passed", "FAILED": "failed", "skipped": "skipped"}[state])
    has_failed = any(state == "FAILED" for state, _ in results)
    if (code != 0 and not has_failed) or not results:
        count.add(f"{name} (exit code {code}, {len(results)} results)", "failed")
        has_failed = True
    if has_failed:
        # What failed first may have scrolled out of the end of a long output.
        for line in re.findall(r"^FAILED .*(?:\n  .*){0,12}", output[:-8000], re.M):
            count.say(line)
        count.say(output[-8000:])
    count.say(f"{name}: {len(results)} tests in {time.monotonic() - began:.1f} s{', FAILED' if has_failed else ''}")


def part_system(count):
    folder = build("release", ["plan", "unit_server"], count)
    if folder:
        # Each is a whole mail system under traffic, with accounts held for seconds; most of the time they wait.
        at_once(script_jobs(folder, [*sorted((ROOT / "tests" / "system").glob("*_test.*")),
                                     *sorted((ROOT / "tests" / "crash").glob("*_test.py"))]), count, SYSTEMS_AT_ONCE)


def part_system_and_fuzz(count):
    """Both beside each other: the ones wait, the others calculate and give way."""
    def fuzz_beside():
        own = Count()
        part_fuzz(own)
        return own

    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.submit(fuzz_beside)
        part_system(count)
        count.take(beside.result())


def part_build(count):
    """All that the other parts need, so that the time of the tests is that of the tests."""
    build("release", ["plan", *units_of_release()], count)
    build("asan", [*asan_units(), *targets_of("asan", r"fuzz_\w+"), "measured_input_check"], count, time_left() - 1200)


PARTS = {"floors": part_floors, "format": part_format, "build": part_build, "unit": part_unit, "system": part_system,
         "asan": part_asan, "fuzz": part_fuzz, "system+fuzz": part_system_and_fuzz}


DEFAULT_PARTS = ["floors", "format", "build", "unit", "asan", "system+fuzz"]


def main():
    wanted = sys.argv[1:] or DEFAULT_PARTS
    count = Count(is_shown=True)
    spent = {}
    for name in wanted:
        if name not in PARTS:
            raise SystemExit(f"tests/run: there is no part {name}; parts are {', '.join(PARTS)}")
        say(f"--- {name}")
        began = time.monotonic()
        PARTS[name](count)
        spent[name] = time.monotonic() - began
        say(f"--- {name} took {spent[name]:.0f} s")
    for name, why in count.skipped:
        say(f"skipped: {name}: {why}")
    for name in count.failures:
        say(f"failed: {name}")
    say(f"the build took {spent.get('build', 0):.0f} s, the tests {sum(spent.values()) - spent.get('build', 0):.0f} s")
    say(f"{count.passed} passed, {count.failed} failed, {len(count.skipped)} skipped")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
