#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares two runs of glibc's own tests.

usage: glibc_results.py DIFFERENCES RESULTS SUBDIRECTORY...

RESULTS holds a directory "native" and a directory "sandbox". A test that passes natively and not in the sandbox is a failure, unless DIFFERENCES names it, with a reason: lines of the
form "subdirectory/test: reason". One that is named there and passes is told, but is no failure: some depend on the machine.
"""
import collections
import glob
import sys


def results_of(top, subdirectory):
    results = {}
    for path in glob.glob(f"{top}/{subdirectory}/**/*.test-result", recursive=True):
        with open(path, encoding="utf-8", errors="replace") as file:
            verdict, _, name = file.readline().strip().partition(": ")
        results[name] = verdict
    return results


def read_differences(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return dict(line.split(": ", 1) for line in lines)


def main():
    differences = read_differences(sys.argv[1])
    results, subdirectories = sys.argv[2], sys.argv[3:]
    new = 0
    for subdirectory in subdirectories:
        native, sandbox = results_of(results + "/native", subdirectory), results_of(results + "/sandbox", subdirectory)
        both = [name for name, verdict in native.items() if verdict == "PASS"]
        counts = collections.Counter(sandbox.get(name, "not run") for name in both)
        print(f"{subdirectory}: {len(both)} pass natively, of these in the sandbox: " +
              ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        if not both:
            print(f"FAIL {subdirectory}: no test was run")
            new += 1
        for name in sorted(both):
            verdict = sandbox.get(name, "not run")
            if verdict == "PASS":
                if name in differences:
                    print(f"  {name}: passes, though a reason is given why it does not")
            elif name in differences:
                print(f"  {name}: {verdict}: {differences[name]}")
            else:
                print(f"FAIL {name}: {verdict}")
                new += 1
    print(f"{new} new failures")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
