# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures that the project holds itself to, and whether this run reached them."""
import dataclasses

from benchmark.cores import PLACES
from benchmark.figures import median_of_ratios, ratio
from benchmark.workloads import NO_TIME

MANY_OBJECTS = 100_000
MANY_SANDBOXES = 1_000
MANY_CALLS = 10_000_000


@dataclasses.dataclass
class Criterion:
    what: str
    limit: str
    figure: str  # as measured; "not measured: why" where it was not
    reached: bool | None = None  # None: not measured

    @property
    def verdict(self):
        return {True: "reached", False: "not reached", None: "not measured"}[self.reached]


def at_most(what, value, limit, unit="x", why="not measured"):
    shown = f"{limit:.2f} x" if unit == "x" else f"{limit:g} {unit}"
    if value is None:
        return Criterion(what, f"at most {shown}", why)
    figure = f"{value:.2f} x" if unit == "x" else f"{value:.1f} {unit}"
    return Criterion(what, f"at most {shown}", figure, value <= limit)


def call_criteria(results, kinds):
    bare = results.get("bare", {}).get("one core", {})
    with_time = lambda subject: f", {bare[subject]['median']:.2f} us" if "median" in bare.get(subject, {}) else ""

    def held(what, subject, reference, limit):
        criterion = at_most(what, ratio(bare, subject, reference), limit)
        criterion.figure += with_time(subject)
        return criterion

    yield held("null call, to the bare loop of the same five system calls", "null call, plain", "bare loop", 1.10)
    if "kept" in kinds:
        yield held("null call over a kept session, to a SEQPACKET ping-pong", "null call, kept", "SEQPACKET ping-pong", 1.15)
    else:
        yield Criterion("null call over a kept session, to a SEQPACKET ping-pong", "at most 1.15 x", "not measured: there are no kept sessions")
    for kind in kinds:
        for call in ("stat", "access", "readlink"):
            yield held(f"{call} at depth 6, to the null call ({kind})", f"{call}, {kind}", f"null call, {kind}", 1.25)
        yield held(f"open at depth 6, to the null call ({kind})", f"open, {kind}", f"null call, {kind}", 1.35)


def thread_criteria(results):
    unpinned = results.get("threads", {}).get("unpinned", {})
    gain = lambda rates: median_of_ratios(rates["8"]["round_medians"], rates["1"]["round_medians"])
    beside = "".join(f"; {name} {gain(unpinned[name]):.2f} x" for name in ("bare loop", "SEQPACKET ping-pong")
                     if "median" in unpinned.get(name, {}).get("8", {}) and "median" in unpinned[name].get("1", {}))
    for name, rates in unpinned.items():
        if not name.startswith(("call alone", "preload", "loader", "glibc")):
            continue
        what = f"throughput of open+close, 8 threads to 1, all cores ({name})"
        if "median" not in rates.get("8", {}) or "median" not in rates.get("1", {}):
            yield Criterion(what, "at least 1.6 x", "not measured: " + str(rates))
            continue
        value = gain(rates)
        yield Criterion(what, "at least 1.6 x", f"{value:.2f} x, {rates['8']['median']:,.0f} a second{beside}", value >= 1.6)


def largest(results, key):
    """(count, entry, error) of the largest count that was measured, and why there is no larger one."""
    entries = {int(count): entry for count, entry in results.get(key, {}).items()}
    measured = [count for count, entry in entries.items() if "many" in entry and "median" in entry["many"]]
    error = next((entry["error"].rpartition(": ")[2] for entry in entries.values() if "error" in entry), "not tried")
    return (max(measured), entries[max(measured)], error) if measured else (0, {}, error)


def scale_criteria(results):
    for key, what, wanted in (("objects", "live objects", MANY_OBJECTS), ("sandboxes", "sandboxes", MANY_SANDBOXES)):
        count, entry, error = largest(results, key)
        criterion = at_most(f"latency with {wanted:,} {what}, to 1", ratio(entry, "many", "one"), 1.2)
        if count != wanted and count > 0:
            criterion.figure += f" with {count:,}, and no more could be made ({error})"
            criterion.reached = None if criterion.reached else criterion.reached
        yield criterion
    count, entry, _ = largest(results, "objects")
    criterion = at_most("server's memory, a live object", entry.get("memory"), 1, "KiB")
    if count > 0:
        criterion.figure += f", of {count:,}"
    yield criterion
    count, entry, _ = largest(results, "sandboxes")
    criterion = at_most("server's memory, an idle sandbox of one server's", entry.get("memory"), 64, "KiB")
    if count > 0:
        criterion.figure += f", of {count:,}"
    yield criterion
    for name, memory in results.get("idle", {}).items():
        if name != "bwrap":
            yield at_most(f"all memory of an idle sandbox with a pola-run of its own ({name})", memory.get("median"), 64, "KiB",
                          why="not measured: " + memory.get("error", ""))
    after = results.get("memory after calls")
    if after:
        # Pages are counted: one or two may come and go.
        grown = after["after"] - after["before"]
        few = "" if after["calls"] >= MANY_CALLS else ", too few to decide"
        yield Criterion(f"server's memory after {MANY_CALLS:,} calls", "unchanged",
                        f"{grown:+.0f} KiB of {after['before']:.0f} after {after['calls']:,} calls{few}",
                        None if few and grown <= 8 else grown <= 8)


def workload_criteria(results, doors):
    for workload, places in results.get("workloads", {}).items():
        for door in doors:
            parts, verdicts, complete = [], [], True
            for place, by_runner in places.items():
                own = by_runner.get(door, {})
                if own.get("error") == NO_TIME or not own:
                    parts.append(f"{PLACES[place]}: {NO_TIME}")
                    complete = False
                    continue
                if "error" in by_runner.get("native", {}):
                    parts.append(f"{PLACES[place]}: not measured: natively {by_runner['native']['error']}")
                    complete = False
                    continue
                if "error" in own or own.get("as natively") is False:
                    parts.append(f"{PLACES[place]}: {own.get('error', 'another result than natively')}")
                    verdicts.append(False)
                    continue
                shown = [f"{own['median']:.0f} ms"]
                for peer, limit in (("native", None), ("user-notify", 1.2), ("proot", 1), ("pseudo", 1)):
                    value = ratio(by_runner, door, peer)
                    if by_runner.get(peer, {}).get("as natively") is False:
                        shown.append(f"{peer} gives another result")
                        continue
                    if value is None:
                        error = by_runner.get(peer, {}).get("error", "missing")
                        shown.append(f"{peer} {error}")
                        continue
                    shown.append(f"{value:.2f} x {peer}")
                    if limit:
                        verdicts.append(value <= limit)
                parts.append(f"{PLACES[place]}: " + ", ".join(shown))
            reached = all(verdicts) and (None if not complete or not verdicts else True)
            yield Criterion(f"{workload} ({door})", "faster than proot and pseudo, at most 1.2 x user-notify", "; ".join(parts), reached)


def start_criteria(results, doors):
    for door in doors:
        parts, verdicts = [], []
        for place, by_runner in results.get("start", {}).items():
            value = ratio(by_runner, door, "bwrap")
            if value is None:
                parts.append(f"{PLACES[place]}: bwrap or {door} is missing")
                continue
            fastest = f"fastest {by_runner[door]['minimum']:.1f} to {by_runner['bwrap']['minimum']:.1f} ms"
            parts.append(f"{PLACES[place]}: {value:.2f} x, {by_runner[door]['median']:.1f} ms ({fastest})")
            verdicts.append(value <= 2)
        yield Criterion(f"start of a sandboxed /bin/true ({door})", "at most 2 x bwrap's", "; ".join(parts) or "not measured", all(verdicts) if verdicts else None)


def judge(results, kinds, doors):
    """All criteria, in the order in which they are shown."""
    return [*call_criteria(results, kinds), *thread_criteria(results), *scale_criteria(results), *workload_criteria(results, doors),
            *start_criteria(results, doors)]
