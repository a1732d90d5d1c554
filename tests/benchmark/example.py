# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results as a run has them, with figures that are known."""
import bench_package  # noqa: F401
from benchmark.figures import Series


def summary(*medians):
    """Of rounds of three times, with these medians."""
    series = Series()
    for median in medians:
        series.add_round([median * 0.9, median, median * 1.5])
    return series.summary()


def bare(**changed):
    """"bare" of one place: the null call 1.05 times the bare loop, all else as is wanted."""
    return {
        "bare loop": summary(10, 20), "SEQPACKET ping-pong": summary(5, 10), "null call, plain": summary(10.5, 21), "null call, kept": summary(5.5, 11),
        **{f"{call}, {kind}": summary(12, 24) if kind == "plain" else summary(6, 12)
           for call in ("open", "stat", "access", "readlink") for kind in ("plain", "kept")},
    } | {name.replace("_", " "): value for name, value in changed.items()}


def rates(*values):
    return {"median": sorted(values)[len(values) // 2], "round_medians": list(values)}


def workloads(**times):
    """One workload at one place; a number is milliseconds, the same in each round."""
    some = {"native": 10, "loader": 20, "user-notify": 25, "proot": 50, "pseudo": 40} | times
    return {"find": {"one core": {name.replace("_", "-"): summary(time, time) | {"as natively": True, "processor time": time / 2} if isinstance(time, (int, float)) else time
                                  for name, time in some.items()}}}
