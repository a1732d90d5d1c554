#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: run_test.py BUILD_DIRECTORY"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

from bench_package import SOURCE
from benchmark.runners import doors_of

BUILD = sys.argv.pop()


class ShortRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as directory:
            cls.result = subprocess.run([os.path.join(SOURCE, "tools/bench"), "--quick", "--no-build", "--build", BUILD, "--output", directory,
                                         "--only", "latency", "--only", "start"], capture_output=True, text=True, check=False)
            if cls.result.returncode != 0:
                raise AssertionError(cls.result.stderr)
            with open(os.path.join(directory, "bench.json"), encoding="utf-8") as file:
                cls.measured = json.load(file)
            with open(os.path.join(directory, "bench.html"), encoding="utf-8") as file:
                cls.page = file.read()

    def test_every_door_and_the_notification_peer_were_measured_in_every_call(self):
        ours = [runner for runner in self.measured["runners"] if runner["kind"] in ("native", "door") or runner["name"] == "user-notify"]
        self.assertEqual({runner["name"].partition(",")[0] for runner in ours} - {"native", "user-notify"},
                         set(doors_of(os.path.join(BUILD, "tools/pola-run"))))
        # A rebuilt glibc takes longer to make than all tests.
        self.assertLessEqual({runner["name"].partition(",")[0] for runner in ours if runner["missing"]}, {"glibc"})
        names = [runner["name"] for runner in ours if not runner["missing"]]
        for place, calls in self.measured["results"]["calls"].items():
            self.assertEqual(len(calls), 9)
            for call, summaries in calls.items():
                for name in names:
                    self.assertGreater(summaries.get(name, {}).get("median", 0), 0, (place, call, name, summaries.get(name)))

    def test_the_call_was_measured_beside_the_bare_loops(self):
        for summaries in self.measured["results"]["bare"].values():
            self.assertNotIn("error", [key for summary in summaries.values() for key in summary])
            self.assertLess(summaries["kernel call"]["median"], summaries["bare loop"]["median"])

    def test_sandboxes_started(self):
        doors = [runner["name"] for runner in self.measured["runners"] if runner["kind"] == "door" and not runner["missing"]]
        for summaries in self.measured["results"]["start"].values():
            for door in doors:
                self.assertGreater(summaries[door]["median"], 0)

    def test_every_criterion_is_printed_and_reported(self):
        self.assertGreater(len(self.measured["criteria"]), 10)
        for criterion in self.measured["criteria"]:
            self.assertIn(criterion["what"], self.result.stdout)
        self.assertIn("<canvas", self.page)

    def test_the_report_can_be_made_again(self):
        with tempfile.TemporaryDirectory() as directory:
            saved = os.path.join(directory, "saved.json")
            with open(saved, "w", encoding="utf-8") as file:
                json.dump(self.measured, file)
            subprocess.run([os.path.join(SOURCE, "tools/bench"), "--report", saved, "--output", directory], capture_output=True, check=True)
            with open(os.path.join(directory, "bench.html"), encoding="utf-8") as file:
                self.assertEqual(file.read(), self.page)


if __name__ == "__main__":
    unittest.main()
