"""The long parts of the test suite; see tests/long."""

import os
import subprocess
import sys

import suite

PARALLEL_UNITS = ["unit_engine", "unit_proxy", "unit_net", "unit_dump"]


def units(preset):
    return suite.targets_of(preset, r"unit_\w+")


def part_asan(count):
    names = units("asan")
    folder = suite.build("asan", names, count)
    if folder:
        suite.at_once(suite.unit_jobs(folder, names, "asan", {"ASAN_OPTIONS": "detect_leaks=1"}), count)


def part_tsan(count):
    names = [n for n in units("tsan") if n in PARALLEL_UNITS]
    folder = suite.build("tsan", names, count)
    if folder:
        # Tests fork to kill a child, which goes on with threads; damage is read in one thread, and slowly.
        sanitizer = f"halt_on_error=1 report_mutex_bugs=0 die_after_fork=0 suppressions={suite.ROOT / 'tests' / 'tsan.suppressions'}"
        environment = {"TSAN_OPTIONS": sanitizer, "GTEST_FILTER": "-DumpDamage.*"}
        suite.at_once(suite.unit_jobs(folder, names, "tsan", environment), count)


def part_clang(count):
    names = units("clang")
    folder = suite.build("clang", ["plan", *names], count)
    if folder:
        suite.at_once(suite.unit_jobs(folder, names, "clang"), count)


def part_tidy(count):
    folder = suite.BUILD / "clang"
    suite.run(["cmake", "--preset", "clang", "-B", folder], stdout=subprocess.DEVNULL)
    files = suite.run(["git", "ls-files", "compiler/*.cpp", "runtime/*.cpp"], stdout=subprocess.PIPE, text=True).stdout.split()
    for file in files:
        done = suite.run(["clang-tidy-16", "-p", folder, "--quiet", file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode:
            suite.say(done.stdout[-3000:])
        count.add(f"tidy {file}", "passed" if done.returncode == 0 else "failed")


def part_dump(count):
    """200,000 flipped bytes anywhere in a dump, and store moves killed at every pass; tests/run takes a sample of both."""
    folder = suite.build("release", ["unit_dump", "plan"], count)
    if not folder:
        return
    suite.run_gtest(folder / "unit_dump", count, "dump", {"PLAN_LONG": "1", "GTEST_FILTER": "DumpDamage.*"}, seconds_max=7200)
    script = suite.ROOT / "tests" / "crash" / "store_move_kill_test.py"
    suite.run_script([sys.executable, script], count, script.relative_to(suite.ROOT), {"PLAN": str(folder / "plan"), "PLAN_LONG": "1"})


def part_cyrus(count):
    """All of ../shared/data/mail into a Cyrus, which syncs its disk for each message; tests/run takes a part of it."""
    folder = suite.build("release", ["unit_archive"], count)
    if folder:
        suite.run_gtest(folder / "unit_archive", count, "cyrus", {"PLAN_LONG": "1", "GTEST_FILTER": "CyrusTarget.*"}, 3600)


def part_language(count):
    """What reading 100 MB costs of the plan language, YAML and CSV, whatever they are made of, and how its time grows; tests/run reads 1 MB."""
    folder = suite.build("release", ["unit_syntax"], count)
    if folder:
        suite.run_gtest(folder / "unit_syntax", count, "language", {"PLAN_LONG": "1", "GTEST_FILTER": "LanguageMemory.*"}, 3600)


def part_calendars(count):
    """Calendars and contacts of a real Radicale through the whole program, with the minutes in which a sweep waits, and killed at
    every kill point of theirs; tests/run moves them by the same drivers in one process."""
    folder = suite.build("release", ["plan"], count)
    if folder:
        for script in ("tests/system/dav_move.py", "tests/crash/dav_kills.py"):
            suite.run_script([sys.executable, script], count, script, {"PLAN": str(folder / "plan")})


def part_containers(count):
    """A whole migration whose source is in containers; tests/run tries the source's drivers in them."""
    folder = suite.build("release", ["plan"], count)
    if folder:
        script = "tests/system/container_move.py"
        suite.run_script([sys.executable, script], count, script, {"PLAN": str(folder / "plan")})


def part_stalwart(count):
    """A whole migration whose source is an old Stalwart, killed and resumed, with one account that goes back."""
    folder = suite.build("release", ["plan"], count)
    if folder:
        script = "tests/system/old_stalwart_move.py"
        suite.run_script([sys.executable, script], count, script, {"PLAN": str(folder / "plan")})


def part_simulation(count):
    """The engine on the simulator with ten times the seeds of tests/run."""
    folder = suite.build("release", ["crash_simulation", "crash_engine"], count)
    if folder:
        suite.run_gtest(folder / "crash_simulation", count, "simulation",
                        {"PLAN_RUNS": "20000", "PLAN_FIRST_SEED": "100000", "GTEST_FILTER": "Simulation.every*"}, 7200)
        suite.run_gtest(folder / "crash_engine", count, "crash", {"PLAN_LONG_TESTS": "1"}, 7200)


def part_kills(count):
    """The reference migration on real servers once for every kill point and victim."""
    folder = suite.build("release", ["plan"], count)
    if folder:
        suite.run_script([sys.executable, "tests/crash/kill_matrix.py"], count, "tests/crash/kill_matrix.py",
                         {"PLAN": str(folder / "plan")}, 24 * 3600)


def part_hour(count):
    """Random kills every few seconds for an hour, or for PLAN_MINUTES."""
    minutes = os.environ.get("PLAN_MINUTES", "60")
    folder = suite.build("release", ["plan"], count)
    if folder:
        suite.run_script([sys.executable, "tests/crash/random_kills.py", "--minutes", minutes], count, "tests/crash/random_kills.py",
                         {"PLAN": str(folder / "plan")}, float(minutes) * 60 + 3600)


def part_fuzz(count):
    suite.FUZZ_SEED = 0
    suite.FUZZ_SECONDS = int(os.environ.get("PLAN_FUZZ_SECONDS", "600"))
    suite.part_fuzz(count)


if __name__ == "__main__":
    suite.BUDGET_SECONDS = 10 ** 9
    suite.DEFAULT_PARTS = ["asan", "tsan", "clang", "tidy", "dump", "cyrus", "calendars", "containers", "stalwart", "language",
                           "simulation", "kills", "hour", "fuzz"]
    suite.PARTS = {"asan": part_asan, "tsan": part_tsan, "clang": part_clang, "tidy": part_tidy, "dump": part_dump, "cyrus": part_cyrus, "calendars": part_calendars,
                   "containers": part_containers, "stalwart": part_stalwart, "language": part_language, "simulation": part_simulation, "kills": part_kills, "hour": part_hour, "fuzz": part_fuzz}
    sys.exit(suite.main())
