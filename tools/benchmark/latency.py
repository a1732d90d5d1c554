# SPDX-License-Identifier: LGPL-2.1-or-later
"""Latency of single calls: of the call alone beside bare loops, and of libc's calls under each runner."""
from benchmark.contest import Contest
from benchmark.cores import PLACES

DEPTH = 6
PING_PONG_SIZE = 64
DEPTHS = [1, 2, 4, 6, 8, 12, 16]


def call_orders(bench, depth):
    """{name: order without the count} of the calls that take a path."""
    return {
        "open+close": ("open", bench.file_at(depth)),
        "stat": ("stat", bench.file_at(depth)),
        "access": ("access", bench.file_at(depth)),
        "readlink": ("readlink", bench.file_at(depth, "link")),
        "ENOENT": ("enoent", bench.file_at(depth, "none")),
    }


def measure_bare(bench, place, advance):
    """results["bare"][place][subject]"""
    count = 100
    rounds = bench.rounds(20, 100)
    with bench.call_probes(place) as probes:
        contest = Contest()
        first = probes["plain"]
        contest.add("kernel call", first, "kernel", count)
        contest.add("STREAM ping-pong", first, "stream", PING_PONG_SIZE, count)
        contest.add("SEQPACKET ping-pong", first, "seqpacket", PING_PONG_SIZE, count)
        contest.add("bare loop", first, "bare", count)
        for kind, probe in probes.items():
            contest.add(f"null call, {kind}", probe, "null", count)
            contest.add(f"open, {kind}", probe, "open-alone", bench.file_at(DEPTH), count)
            for name, order in call_orders(bench, DEPTH).items():
                contest.add(f"{name}, {kind}", probe, *order, count)
        bench.results.setdefault("bare", {})[place] = contest.hold(rounds, advance)
    return rounds + 1


def measure_calls(bench, place, advance):
    """results["calls"][place][call][runner]"""
    results = bench.results.setdefault("calls", {}).setdefault(place, {})
    thousand, many = bench.directory_of(1000), bench.directory_of(100_000)
    calls = [(name, order, 50, bench.rounds(8, 60)) for name, order in call_orders(bench, DEPTH).items()]
    calls += [
        ("getdents, 1,000 entries", ("getdents", thousand), 5, bench.rounds(4, 30)),
        ("getdents, 100,000 entries", ("getdents", many), 1, bench.rounds(2, 15)),
        ("fork", ("fork",), 10, bench.rounds(4, 20)),
        ("exec", ("exec", "/bin/true"), 5, bench.rounds(3, 20)),
    ]
    with bench.probes(place) as probes:
        for name, order, count, rounds in calls:
            contest = Contest()
            for runner, probe in probes.items():
                contest.add(runner, probe, *order, count)
            results[name] = contest.hold(rounds, advance)


def measure_depths(bench, advance):
    """results["depth"][call][depth][runner], on one core"""
    with bench.probes("one core") as probes:
        for depth in DEPTHS:
            for name in ("open+close", "stat"):
                contest = Contest()
                order = call_orders(bench, depth)[name]
                for runner, probe in probes.items():
                    contest.add(runner, probe, *order, 50)
                results = bench.results.setdefault("depth", {}).setdefault(name, {})
                results[str(depth)] = contest.hold(bench.rounds(3, 20), advance)


def steps(bench):
    for place in PLACES:
        yield f"the call and bare loops, {PLACES[place]}", lambda advance, place=place: measure_bare(bench, place, advance)
    for place in PLACES:
        yield f"single calls, {PLACES[place]}", lambda advance, place=place: measure_calls(bench, place, advance)
    yield "depth", lambda advance: measure_depths(bench, advance)
