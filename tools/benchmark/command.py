# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of tools/bench."""
import argparse
import dataclasses
import datetime
import json
import os
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = ["tools/pola-run", "shim/libplash-preload.so", "ldso-hooks/ld-plash.so", "tools/benchmark/bench-probe", "tools/benchmark/bench-calls",
           "tools/benchmark/bench-notify"]
# Workloads last: --quick gives them what time is left.
PARTS = ["latency", "sweeps", "start", "workloads"]


def parse(values):
    parser = argparse.ArgumentParser(
        prog="tools/bench", description="Builds, measures Plash beside bare system calls and what people would use instead, all in one run, and "
        "writes bench.json and bench.html.")
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer rounds; what takes many calls is not decided")
    parser.add_argument("--output", default=".", metavar="DIRECTORY", help="where bench.json and bench.html go (default: here)")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part (may be repeated)")
    parser.add_argument("--install-peers", action="store_true", help="install Debian's proot, pseudo, fakeroot, fakechroot and bubblewrap first")
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"), metavar="DIRECTORY", help="build directory (default: build)")
    parser.add_argument("--glibc", default=os.environ.get("PLASH_GLIBC", os.path.join(SOURCE, "build-glibc/install")), metavar="DIRECTORY",
                        help="what tools/build-plash-glibc made, for the glibc door (default: $PLASH_GLIBC, or build-glibc/install)")
    parser.add_argument("--no-build", action="store_true", help="measure what is built; install nothing")
    parser.add_argument("--report", metavar="FILE", help="measure nothing: make the report of this bench.json again")
    return parser.parse_args(values)


def run_or_stop(*words):
    if subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        sys.exit(f"tools/bench: failed: {' '.join(words)}")


def build(options):
    run_or_stop(os.path.join(SOURCE, "tools/install-dependencies"))
    if options.install_peers:
        from benchmark.runners import DEBIAN_PEERS
        run_or_stop(os.path.join(SOURCE, "tools/install-dependencies"), *DEBIAN_PEERS)
    if not os.path.exists(os.path.join(options.build, "build.ninja")):
        run_or_stop("meson", "setup", options.build, SOURCE)
    print("building ...", file=sys.stderr)
    run_or_stop("ninja", "-C", options.build, *TARGETS)


def measure(options):
    # Only here: what they import may have been installed just now.
    from tqdm import tqdm

    from benchmark import latency, machine, start_up, sweeps, workloads
    from benchmark.bench import Bench
    from benchmark.runners import find_faults
    parts = {"latency": latency, "start": start_up, "workloads": workloads, "sweeps": sweeps}
    begin = time.monotonic()
    with Bench(options.build, options.quick, options.glibc) as bench:
        find_faults(bench.runners, bench.work, bench.environment)
        for runner in bench.runners:
            if runner.missing:
                print(f"missing: {runner.name}: {runner.missing}", file=sys.stderr)
        steps = [step for name in options.only or PARTS for step in parts[name].steps(bench)]
        about = machine.describe(SOURCE)
        with tqdm(total=len(steps), unit="part", bar_format="{desc:32.32} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}") as bar:
            for name, step in steps:
                bar.set_description(name)
                before = bar.n
                # Parts of unknown number: each takes the bar a third of the rest of its step further.
                step(lambda before=before: bar.update((before + 1 - bar.n) / 3))
                bar.update(before + 1 - bar.n)
        return {
            "measured": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - begin),
            "quick": options.quick,
            "machine": about,
            "runners": [{"name": runner.name, "kind": runner.kind, "about": runner.about, "missing": runner.missing} for runner in bench.runners],
            "call kinds": bench.call_kinds,
            "results": bench.results,
        }


def judged(run):
    from benchmark.criteria import judge
    doors = [runner["name"] for runner in run["runners"] if runner["kind"] == "door" and not runner["missing"]]
    return judge(run["results"], run["call kinds"], doors)


def show(criteria):
    width = max(len(criterion.what) for criterion in criteria)
    for criterion in criteria:
        print(f"{criterion.verdict:12} {criterion.what:{width}}  {criterion.limit}: {criterion.figure}")


def main(values):
    options = parse(values)
    if options.report:
        with open(options.report, encoding="utf-8") as file:
            run = json.load(file)
    else:
        if not options.no_build:
            build(options)
        run = measure(options)
    from benchmark.report import make_report
    criteria = judged(run)
    run["criteria"] = [dataclasses.asdict(criterion) | {"verdict": criterion.verdict} for criterion in criteria]
    os.makedirs(options.output, exist_ok=True)
    with open(os.path.join(options.output, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(run, file, indent=1)
    with open(os.path.join(options.output, "bench.html"), "w", encoding="utf-8") as file:
        file.write(make_report(run))
    if criteria:
        show(criteria)
    print(f"{os.path.join(options.output, 'bench.html')} shows all of it")
    return 0
