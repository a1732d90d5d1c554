# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole programs under each runner: their time, and whether they did what they do natively."""
import dataclasses
import hashlib
import os
import resource
import select
import signal
import statistics
import subprocess
import time

from benchmark.cores import PLACES, placed
from benchmark.figures import Series

C_SOURCE = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **values) {
  for (int i = 0; i < count; ++i) printf("%s %zu\\n", values[i], strlen(values[i]));
  return EXIT_SUCCESS;
}
"""
MAKEFILE = """all: $(patsubst %.in,%.out,$(wildcard *.in))
%.out: %.in
\t@tr a-z A-Z < $< > $@
"""
LONG_AGO = 1_000_000_000
NO_TIME = "not measured: no time left"


@dataclasses.dataclass
class Workload:
    name: str
    command: list
    directory: str
    made: tuple = ()  # what it makes: removed before each run, compared after it
    sort: bool = False  # whether its output has no order


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def make_small_files(directory, count):
    os.mkdir(directory)
    for number in range(count):
        below = os.path.join(directory, f"directory-{number // 100:02}")
        if number % 100 == 0:
            os.mkdir(below)
        path = os.path.join(below, f"file-{number:04}")
        write(path, f"file number {number}\n" * (1 + number % 20))
        os.utime(path, (LONG_AGO, LONG_AGO))


def prepare(bench):
    """Makes what the workloads work on; returns them."""
    git, compiled, archived, built = (bench.path(name) for name in ("git", "compiled", "archived", "built"))
    make_small_files(git, 5000)
    run = lambda *words: subprocess.run(words, cwd=git, env=bench.environment, check=True, capture_output=True)
    run("git", "init", "-q")
    run("git", "add", ".")
    run("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "files")
    make_small_files(archived, 5000)
    os.mkdir(compiled)
    write(os.path.join(compiled, "program.c"), C_SOURCE)
    os.mkdir(built)
    write(os.path.join(built, "Makefile"), MAKEFILE)
    for number in range(200):
        write(os.path.join(built, f"{number}.in"), f"text number {number}\n")
    return [
        Workload("git status, 5,000 files", ["/usr/bin/git", "status"], git),
        Workload("find /usr/share", ["/usr/bin/find", "/usr/share"], bench.work, sort=True),
        Workload("gcc, a small file", ["/usr/bin/gcc", "-o", "program", "program.c"], compiled, made=("program",)),
        Workload("python3, three imports", ["/usr/bin/python3", "-c", "import json, http.server, sqlite3"], bench.work),
        Workload("tar c, 5,000 small files", ["/usr/bin/tar", "c", "."], archived),
        Workload("make -j2, 200 targets", ["/usr/bin/make", "-j2"], built, made=tuple(f"{number}.out" for number in range(200))),
    ]


def fingerprint(workload, output, status):
    """What came of a run, to be compared."""
    with open(output, "rb") as file:
        data = file.read()
    digest = hashlib.sha256(b"".join(sorted(data.splitlines(True))) if workload.sort else data)
    digest.update(str(status).encode())
    for name in workload.made:
        with open(os.path.join(workload.directory, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def processor_time():
    """Seconds that all children took that have ended: a daemon of pseudo's or fakeroot's is no child."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def await_end(process, limit):
    """As process.wait(timeout=limit), which looks only every 50 ms."""
    descriptor = os.pidfd_open(process.pid)
    try:
        if not select.select([descriptor], [], [], limit)[0]:
            raise subprocess.TimeoutExpired(process.args, limit)
    finally:
        os.close(descriptor)


def run_once(bench, workload, runner, limit):
    """(milliseconds, milliseconds of processors, fingerprint), or an error as text."""
    for name in workload.made:
        path = os.path.join(workload.directory, name)
        if os.path.exists(path):
            os.unlink(path)
    output, errors = bench.path("output"), bench.path("errors")
    with open(output, "wb") as file, open(errors, "wb") as error_file:
        command = runner.command(workload.command, bench.work)
        used = processor_time()
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=workload.directory, env=bench.environment | runner.environment, stdin=subprocess.DEVNULL,
                                   stdout=file, stderr=error_file, start_new_session=True)
        try:
            await_end(process, limit)
            status = process.wait()
        except subprocess.TimeoutExpired:
            # Politely first: a sandbox whose launcher is killed goes on.
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(timeout=3)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            process.wait()
            return f"over {limit * 1000:,} ms"
        taken = (time.perf_counter() - begin) * 1000
        used = (processor_time() - used) * 1000
    if status in (126, 127):
        with open(errors, encoding="utf-8", errors="replace") as file:
            return f"exit status {status}: {file.read(200).strip()}"
    try:
        return taken, used, fingerprint(workload, output, status)
    except FileNotFoundError as error:
        return f"exit status {status}, {error.strerror}: {error.filename}"


class Race:
    """A workload under all runners in turns."""

    def __init__(self, bench, workload, limit):
        self._bench, self._workload, self._limit = bench, workload, limit
        self._series = {runner.name: Series() for runner in bench.present}
        self._processor_times = {runner.name: [] for runner in bench.present}
        self._errors = {}
        self._fingerprints = {}

    def run_round(self, counts):
        for runner in self._bench.present:
            if runner.name in self._errors:
                continue
            if self._bench.is_out_of_time():
                if not self._series[runner.name].rounds:
                    self._errors[runner.name] = NO_TIME
                continue
            result = run_once(self._bench, self._workload, runner, self._limit)
            if isinstance(result, str):
                self._errors[runner.name] = result
                continue
            taken, used, fingerprint_now = result
            self._fingerprints.setdefault(runner.name, fingerprint_now)
            if counts:
                self._series[runner.name].add_round([taken])
                self._processor_times[runner.name].append(used)

    def summaries(self):
        results = {}
        for name, series in self._series.items():
            if name in self._errors:
                results[name] = {"error": self._errors[name]}
            elif series.rounds:
                results[name] = series.summary()
                results[name]["processor time"] = statistics.median(self._processor_times[name])
                results[name]["as natively"] = self._fingerprints[name] == self._fingerprints.get("native")
        return results


def measure(bench, workloads, place, advance):
    """results["workloads"][workload][place][runner], milliseconds"""
    results = bench.results.setdefault("workloads", {})
    budget = bench.time_left() / 2 if place == next(iter(PLACES)) else bench.time_left()
    with placed(place):
        for runner in bench.present:
            bench.prepare(runner)
        for workload in workloads:
            race = Race(bench, workload, bench.rounds(4, 60))
            end = time.monotonic() + (budget / len(workloads) if bench.quick else 60)
            for turn in range(bench.rounds(6, 16)):
                # The first round only warms up, where there is time for it.
                race.run_round(counts=turn > 0 or bench.quick)
                if time.monotonic() > end and turn >= bench.rounds(0, 3):
                    break
            results.setdefault(workload.name, {})[place] = race.summaries()
            advance()
        for runner in bench.present:
            bench.clean_up(runner)


def steps(bench):
    workloads = []

    def prepare_all(advance):
        workloads.extend(prepare(bench))
        advance()

    yield "files for the workloads", prepare_all
    for place in PLACES:
        yield f"workloads, {PLACES[place]}", lambda advance, place=place: measure(bench, workloads, place, advance)
