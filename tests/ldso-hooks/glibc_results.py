#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares two runs of glibc's own tests.

usage: glibc_results.py DIFFERENCES STOCK_BUILD PLASH_BUILD SUBDIRECTORY...

A test that passes in the first build and not in the second is a failure, unless DIFFERENCES names it, with a reason: lines of the
form "subdirectory/test: reason". One that is named there and passes is told, but is no failure: some depend on the machine.
"""
import collections
import glob
import sys


def results_of(build, subdirectory):
    results = {}
    for path in glob.glob(f"{build}/{subdirectory}/**/*.test-result", recursive=True):
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
    stock_build, plash_build, subdirectories = sys.argv[2], sys.argv[3], sys.argv[4:]
    new = 0
    for subdirectory in subdirectories:
        stock, plash = results_of(stock_build, subdirectory), results_of(plash_build, subdirectory)
        both = [name for name, verdict in stock.items() if verdict == "PASS"]
        counts = collections.Counter(plash.get(name, "not run") for name in both)
        print(f"{subdirectory}: {len(both)} pass in the stock build, of these in the sandbox: " +
              ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        if not both:
            print(f"FAIL {subdirectory}: no test was run")
            new += 1
        for name in sorted(both):
            verdict = plash.get(name, "not run")
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
