# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a call costs by number of threads, size of message, live objects and sandboxes; and the server's memory."""
import statistics
import subprocess

from benchmark.bench import asked
from benchmark.contest import Contest
from benchmark.cores import PLACES
from benchmark.latency import DEPTH

THREADS = [1, 2, 4, 8]
CALLS_BEFORE_THREADS = 100
# The largest packet of the kernel's holds 200,000; the call goes on in several.
SIZES = [1, 256, 4096, 16_384, 65_536, 200_000, 1_000_000, 4_000_000, 16_000_000]
LARGEST_PACKET = 200_000
OBJECTS = [1, 100, 1_000, 4_000, 8_000, 30_000, 100_000]
SANDBOXES = [1, 10, 100, 1_000]
# Other sandboxes than the one that is measured.
LAUNCHERS = [0, 1, 10, 100, 1_000]


def measure_threads(bench, place, advance):
    """results["threads"][place][runner][threads] = {"median", "round_medians"} in calls of open and close a second"""
    samples = {}
    with bench.probes(place) as probes, bench.call_probes(place) as call_probes:
        everyone = probes | {f"call alone, {kind}": probe for kind, probe in call_probes.items()}
        orders = {name: (probe, "throughput", bench.file_at(DEPTH)) for name, probe in everyone.items()}
        for name, command in (("bare loop", "bare-throughput"), ("SEQPACKET ping-pong", "seqpacket-throughput")):
            orders[name] = (call_probes["plain"], command)
        for probe in everyone.values():
            # A process opens its kept sessions before it has threads, as it does while it starts.
            asked(probe, "stat", bench.file_at(DEPTH), CALLS_BEFORE_THREADS)
        for _ in range(bench.rounds(2, 10)):
            for threads in THREADS:
                for name, order in orders.items():
                    rate = asked(*order, threads, bench.rounds(60, 200))
                    samples.setdefault(name, {}).setdefault(str(threads), []).append(rate)
                advance()
    results = bench.results.setdefault("threads", {})[place] = {}
    for name, by_threads in samples.items():
        for threads, rates in by_threads.items():
            failed = next((rate for rate in rates if isinstance(rate, dict)), None)
            values = [rate[0] for rate in rates if not isinstance(rate, dict)]
            results.setdefault(name, {})[threads] = failed or {"median": statistics.median(values), "round_medians": values}


def measure_sizes(bench, advance):
    """results["size"][size][subject], on one core"""
    results = bench.results.setdefault("size", {})
    with bench.call_probes("one core") as probes:
        for size in SIZES:
            count = max(1, min(50, 4_000_000 // size))
            contest = Contest()
            if size <= LARGEST_PACKET:
                contest.add("SEQPACKET ping-pong", probes["plain"], "seqpacket", size, count)
                contest.add("STREAM ping-pong", probes["plain"], "stream", size, count)
            for kind, probe in probes.items():
                contest.add(f"call, {kind}", probe, "echo", size, count)
            results[str(size)] = contest.hold(bench.rounds(4, 30), advance)


def measure_objects(bench, advance):
    """results["objects"][count] = {"one": ..., "many": ...} for stat, and "memory", KiB an object"""
    results = bench.results.setdefault("objects", {})
    with bench.call_probes("one core", count=2) as probes:
        few, many = probes["plain"]
        order = ("stat", bench.file_at(DEPTH), 100)
        many.ask(*order)
        before = many.ask("memory")[0]
        for count in OBJECTS:
            held = asked(many, "objects", bench.path("tree"), count, timeout=120)
            if isinstance(held, dict):
                results[str(count)] = held
                advance()
                break
            contest = Contest()
            contest.add("one", few, *order)
            contest.add("many", many, *order)
            results[str(count)] = contest.hold(bench.rounds(10, 40), advance)
            results[str(count)]["memory"] = (many.ask("memory")[0] - before) / count


def measure_sandboxes(bench, advance):
    """results["sandboxes"][count] = {"one": ..., "many": ...}, "memory": KiB a sandbox; one server, calls to all in turn"""
    results = bench.results.setdefault("sandboxes", {})
    with bench.call_probes("one core") as probes:
        probe = probes["plain"]
        before = probe.ask("sandbox-memory", 1, timeout=120)[0]
        for count in SANDBOXES:
            memory = asked(probe, "sandbox-memory", count, timeout=120)
            if isinstance(memory, dict):
                results[str(count)] = memory
                break
            contest = Contest()
            contest.add("one", probe, "sandbox-stat", 1, 100, bench.file_at(DEPTH))
            contest.add("many", probe, "sandbox-stat", count, 100, bench.file_at(DEPTH))
            results[str(count)] = contest.hold(bench.rounds(10, 40), advance)
            if count > 1:
                results[str(count)]["memory"] = (memory[0] - before) / (count - 1)


def measure_launchers(bench, advance):
    """results["launchers"][count][door]: stat by each door while so many other sandboxes, with launchers of their own, are idle"""
    results = bench.results.setdefault("launchers", {})
    doors = [runner for runner in bench.present if runner.kind == "door"]
    others = []
    with bench.probes("one core", doors) as probes:
        try:
            for count in LAUNCHERS[:3] if bench.quick else LAUNCHERS:
                while len(others) < count:
                    runner = doors[len(others) % len(doors)]
                    others.append(subprocess.Popen(runner.command(["/bin/cat"], bench.work), env=bench.environment | runner.environment,
                                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
                contest = Contest()
                for name, probe in probes.items():
                    contest.add(name, probe, "stat", bench.file_at(DEPTH), 100)
                results[str(count)] = contest.hold(bench.rounds(5, 30), advance)
        finally:
            for other in others:
                other.stdin.close()
            for other in others:
                other.wait()


def measure_memory_over_time(bench, advance):
    """results["memory after calls"]: KiB of the server before and after so many calls"""
    count = bench.rounds(200_000, 10_000_000)
    with bench.call_probes("one core") as probes:
        probe = probes["plain"]
        part = min(count, 100_000)
        orders = [("null", part), ("open", bench.file_at(DEPTH), part // 10), ("stat", bench.file_at(DEPTH), part // 10)]
        for order in orders:
            probe.ask(*order, timeout=120)
        before = probe.ask("memory")[0]
        for _ in range(count // part):
            probe.ask(*orders[0], timeout=120)
            advance()
        for order in orders[1:]:
            probe.ask(*order, timeout=120)
        bench.results["memory after calls"] = {"calls": count, "before": before, "after": probe.ask("memory")[0]}


def steps(bench):
    for place in PLACES:
        yield f"threads, {PLACES[place]}", lambda advance, place=place: measure_threads(bench, place, advance)
    yield "size of messages", lambda advance: measure_sizes(bench, advance)
    yield "live objects", lambda advance: measure_objects(bench, advance)
    yield "sandboxes", lambda advance: measure_sandboxes(bench, advance)
    yield "sandboxes with launchers of their own", lambda advance: measure_launchers(bench, advance)
    yield "memory after many calls", lambda advance: measure_memory_over_time(bench, advance)
