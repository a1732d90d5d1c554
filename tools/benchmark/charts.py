# SPDX-License-Identifier: LGPL-2.1-or-later
"""From results to charts: plain data that report.js draws and report.py puts into tables.

A chart has a title, a sentence about it, and views of which the reader picks one. A view is
  kind "bars":   {"name", "unit", "bars": [{"name", "value", "minimum", "p99"}, ...], "notes": [text, ...]}
  kind "lines":  {"name", "x": axis, "y": axis, "lines": [{"name", "points": [[x, y], ...]}, ...]}
  kind "groups": {"name", "unit", "groups": [name, ...], "bars": [{"name", "values": [value or null, ...]}, ...]}
where an axis is {"label", "log"}.
"""
from benchmark.cores import PLACES
from benchmark.figures import ratio


def bars(name, unit, summaries):
    return {
        "kind": "bars", "name": name, "unit": unit,
        "bars": [{"name": subject, "value": one["median"], "minimum": one.get("minimum"), "p99": one.get("p99")} for subject, one in summaries.items() if "median" in one],
        "notes": [f"{subject}: {one['error']}" for subject, one in summaries.items() if "error" in one]
        + [f"{subject} gives another result than natively" for subject, one in summaries.items() if one.get("as natively") is False],
    }


def lines(name, x, y, points_of, x_log=False, y_log=False):
    """points_of: {line: [[x, y], ...]}"""
    return {"kind": "lines", "name": name, "x": {"label": x, "log": x_log}, "y": {"label": y, "log": y_log},
            "lines": [{"name": line, "points": points} for line, points in points_of.items() if points]}


def cumulative(histogram):
    """[[upper edge, percent not above it], ...]"""
    total = sum(count for _, _, count in histogram)
    points, seen = [[histogram[0][0], 0.0]], 0
    for _, upper, count in histogram:
        seen += count
        points.append([upper, round(100 * seen / total, 2)])
    return points


def medians_by(results, key=lambda x: float(x)):
    """{subject: [[x, median], ...]} of {x: {subject: summary}}"""
    points = {}
    for x, summaries in results.items():
        for subject, one in summaries.items():
            if isinstance(one, dict) and "median" in one:
                points.setdefault(subject, []).append([key(x), one["median"]])
    return points


def by_place(results):
    return [(place, PLACES[place], results[place]) for place in PLACES if place in results]


def call_charts(results):
    if "bare" in results:
        views = [bars(shown, "us", some) for _, shown, some in by_place(results["bare"])]
        yield "The call alone", ("A call without any door beside what the kernel takes for the same: the bare loop makes the same five system calls "
                                 "to a process that answers nothing."), views
    if "calls" in results:
        places = by_place(results["calls"])
        yield "Calls of libc", "Each call made by one program, natively and under each mediator, at depth 6.", [
            bars(f"{call}, {shown}", "us", some) for _, shown, calls in places for call, some in calls.items()]
        yield "Distribution of latencies", "How many of the calls took no longer than so long. Further left is better; a long tail to the right is waiting.", [
            lines(f"{call}, {shown}", "microseconds", "% of calls",
                  {name: cumulative(one["histogram"]) for name, one in some.items() if "histogram" in one}, x_log=True)
            for _, shown, calls in places for call, some in calls.items()]
    if "depth" in results:
        yield "Depth", "Median of a call by the number of names in its path, same core.", [
            lines(call, "names in the path", "microseconds", medians_by(by_depth), y_log=True) for call, by_depth in results["depth"].items()]


def sweep_charts(results):
    if "threads" in results:
        yield "Throughput by threads", "Calls of open and close a second, all threads together, at depth 6.", [
            lines(shown, "threads", "calls a second",
                  {name: [[int(n), one["median"]] for n, one in rates.items() if "median" in one] for name, rates in some.items()}, y_log=True)
            for _, shown, some in by_place(results["threads"])]
    if "size" in results:
        yield "Size of messages", "There and back with so many bytes each way, same core. Beyond 200,000 a message travels in several packets.", [
            lines("round trip", "bytes", "microseconds", medians_by(results["size"]), x_log=True, y_log=True)]
    for key, what in (("objects", "live objects"), ("sandboxes", "sandboxes of one server")):
        if key in results:
            points = {("1" if line == "one" else "so many"): some for line, some in medians_by(results[key]).items()}
            yield what.capitalize(), f"Median of stat at depth 6 with so many {what}, and with one in turns with it, same core.", [
                lines("stat", what, "microseconds", points, x_log=True)]
    if "launchers" in results:
        yield "Sandboxes with launchers of their own", "Median of stat at depth 6 in one sandbox while so many others are idle, same core.", [
            lines("stat", "other sandboxes", "microseconds", medians_by(results["launchers"]))]


def workload_charts(results):
    workloads = results.get("workloads", {})
    if workloads:
        views = []
        for place, shown in PLACES.items():
            here = {name: places[place] for name, places in workloads.items() if place in places}
            if not here:
                continue
            runners = list(dict.fromkeys(runner for some in here.values() for runner in some if runner != "native"))
            values = {runner: [ratio(some, runner, "native") for some in here.values()] for runner in runners}
            views.append({"kind": "groups", "name": shown, "unit": "x native", "groups": list(here),
                          "bars": [{"name": runner, "values": some} for runner, some in values.items()]})
        yield "Whole programs, to native", "How many times as long as natively; the median of ratios of runs made in turns.", views
        yield "Whole programs", "Time from start to end.", [
            bars(f"{name}, {PLACES[place]}", "ms", some) for name, places in workloads.items() for place, some in places.items()]
        yield "Whole programs, processor time", ("What all processes used together, user and system: other load on the machine disturbs it less. "
                                                 "Not counted are the daemons of pseudo and fakeroot, and what bwrap runs."), [
            {"kind": "bars", "name": f"{name}, {PLACES[place]}", "unit": "ms", "notes": [],
             "bars": [{"name": runner, "value": one["processor time"], "minimum": None, "p99": None} for runner, one in some.items() if "processor time" in one]}
            for name, places in workloads.items() for place, some in places.items()]
    if "start" in results:
        yield "Start of a sandbox", "Time that /bin/true takes, from the launcher's start to its end.", [
            bars(shown, "ms", some) for _, shown, some in by_place(results["start"])]
    if "idle" in results:
        yield "Memory of an idle sandbox", "Memory of all processes of one launcher's, without the program's own; shared pages counted in parts.", [
            bars("idle", "KiB", results["idle"])]


def make_charts(results):
    """[{"title", "about", "views"}, ...]"""
    return [{"title": title, "about": about, "views": views}
            for title, about, views in [*call_charts(results), *workload_charts(results), *sweep_charts(results)] if views]
