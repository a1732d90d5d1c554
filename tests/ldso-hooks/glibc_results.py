#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares runs of glibc's own tests.

usage: glibc_results.py [--again] DIFFERENCES RESULTS BASELINE [KIND] SUBDIRECTORY...

RESULTS holds a directory for each kind of run: BASELINE ("stock" or "pass-through"), and what is compared with it: "pass-through" and "sandbox". A test that passes in the
baseline and not in another is a failure, unless DIFFERENCES names it, with a reason: lines of the form "subdirectory/test: reason", for the sandbox, or "pass-through
subdirectory/test: reason". One that is named there and passes is told, but is no failure: some depend on the machine. With --again: only the names of failures, of one KIND.
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


class Comparison:
    def __init__(self, results, differences, baseline, kind, subdirectory):
        self.kind, self.subdirectory = kind, subdirectory
        self.baseline = results_of(f"{results}/{baseline}", subdirectory)
        self.other = results_of(f"{results}/{kind}", subdirectory)
        self.reasons = {name: differences[key] for name in self.baseline
                        if (key := name if kind == "sandbox" else f"{kind} {name}") in differences}
        self.both = sorted(name for name, verdict in self.baseline.items() if verdict == "PASS")

    def failures(self):
        return [name for name in self.both if self.other.get(name, "not run") != "PASS" and name not in self.reasons]

    def show(self):
        counts = collections.Counter(self.other.get(name, "not run") for name in self.both)
        print(f"{self.subdirectory}, {self.kind}: of {len(self.both)} " +
              ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        for name in self.both:
            verdict = self.other.get(name, "not run")
            if name in self.reasons:
                print(f"  {name}: passes, though a reason is given why it does not" if verdict == "PASS" else f"  {name}: {verdict}: {self.reasons[name]}")
            elif verdict != "PASS":
                print(f"FAIL {name}: {verdict}")


def main():
    arguments = sys.argv[1:]
    again = arguments[0] == "--again"
    if again:
        _, differences, results, baseline, kind, subdirectory = arguments
        for name in Comparison(results, read_differences(differences), baseline, kind, subdirectory).failures():
            print(name)
        return 0
    differences = read_differences(arguments[0])
    results, baseline, subdirectories = arguments[1], arguments[2], arguments[3:]
    new = 0
    for subdirectory in subdirectories:
        verdicts = results_of(f"{results}/{baseline}", subdirectory)
        counts = collections.Counter(verdicts.values())
        print(f"{subdirectory}, {baseline}: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        if counts["PASS"] == 0:
            print(f"FAIL {subdirectory}: no test passes")
            new += 1
        for kind in ("pass-through", "sandbox"):
            if kind != baseline:
                comparison = Comparison(results, differences, baseline, kind, subdirectory)
                comparison.show()
                new += len(comparison.failures())
    print(f"{new} new failures")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
