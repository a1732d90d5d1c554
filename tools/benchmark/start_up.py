# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long /bin/true takes under each runner, and what an idle sandbox of pola-run's takes."""
import os
import statistics
import subprocess
import time

from benchmark.cores import PLACES, placed
from benchmark.figures import Series


def run_once(bench, runner):
    """Milliseconds, or None where the exit status is not 0."""
    command = runner.command(["/bin/true"], bench.work)
    environment = bench.environment | runner.environment
    path = command[0] if "/" in command[0] else f"/usr/bin/{command[0]}"
    begin = time.perf_counter()
    child = os.posix_spawn(path, command, environment)
    status = os.waitpid(child, 0)[1]
    end = time.perf_counter()
    return (end - begin) * 1000 if status == 0 else None


def measure_start(bench, place, advance):
    """results["start"][place][runner], milliseconds"""
    series = {runner.name: Series() for runner in bench.present}
    failed = set()
    with placed(place):
        for runner in bench.present:
            bench.prepare(runner)
        for turn in range(bench.rounds(10, 100)):
            for runner in bench.present:
                taken = run_once(bench, runner)
                if taken is None:
                    failed.add(runner.name)
                elif turn > 0:
                    series[runner.name].add_round([taken])
            advance()
        for runner in bench.present:
            bench.clean_up(runner)
    bench.results.setdefault("start", {})[place] = {
        name: {"error": "it failed"} if name in failed else some.summary() for name, some in series.items()}


def processes_below(pid):
    """pid and all its descendants."""
    found = [pid]
    for process in found:
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found


def proportional_memory(pid):
    """KiB that the process has, shared pages counted in parts."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def measure_idle(bench, advance):
    """results["idle"][runner] = {"median": KiB of the launcher's, server's and init's processes of one of several idle sandboxes}"""
    results = bench.results["idle"] = {}
    count = bench.rounds(8, 40)
    for runner in bench.present:
        if runner.kind != "door" and runner.name != "bwrap":
            continue
        children = [subprocess.Popen(runner.command(["/bin/cat"], bench.work), env=bench.environment | runner.environment,
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(count)]
        time.sleep(0.5)
        try:
            # The last one of each tree is the program itself.
            totals = [sum(map(proportional_memory, processes_below(child.pid)[:-1])) for child in children]
            results[runner.name] = {"median": statistics.median(totals)}
        except PermissionError as error:
            # An ordinary user may not look into a process with other credentials.
            results[runner.name] = {"error": str(error)}
        for child in children:
            child.stdin.close()
            child.wait()
        advance()


def steps(bench):
    for place in PLACES:
        yield f"start of /bin/true, {PLACES[place]}", lambda advance, place=place: measure_start(bench, place, advance)
    yield "idle sandboxes", lambda advance: measure_idle(bench, advance)
