#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
import unittest

from example import bare, rates, summary, workloads
from benchmark.criteria import judge
from benchmark.workloads import NO_TIME


def verdict(results, start, kinds=("plain", "kept")):
    """Of the one criterion whose name begins so."""
    found = [criterion for criterion in judge(results, kinds, ["loader"]) if criterion.what.startswith(start)]
    assert len(found) == 1, (start, found)
    return found[0]


class Calls(unittest.TestCase):
    def test_reached(self):
        for name in ("null call, to the bare", "null call over a kept", "stat at depth 6, to the null call (plain)", "open at depth 6, to the null call (kept)"):
            self.assertEqual(verdict({"bare": {"one core": bare()}}, name).verdict, "reached", name)

    def test_not_reached(self):
        results = {"bare": {"one core": bare() | {"null call, plain": summary(11.5, 23)}}}
        criterion = verdict(results, "null call, to the bare")
        self.assertEqual(criterion.verdict, "not reached")
        self.assertIn("1.15 x", criterion.figure)

    def test_the_other_place_decides_nothing(self):
        self.assertEqual(verdict({"bare": {"unpinned": bare()}}, "null call, to the bare").verdict, "not measured")

    def test_without_kept_sessions(self):
        criterion = verdict({"bare": {"one core": bare()}}, "null call over a kept", kinds=("plain",))
        self.assertEqual(criterion.verdict, "not measured")


class Threads(unittest.TestCase):
    def test_more_is_better(self):
        results = {"threads": {"unpinned": {"loader": {"1": rates(100, 10), "8": rates(170, 17)}, "proot": {"1": rates(1, 1), "8": rates(1, 1)}}}}
        self.assertEqual(verdict(results, "throughput").verdict, "reached")
        results["threads"]["unpinned"]["loader"]["8"] = rates(150, 15)
        self.assertEqual(verdict(results, "throughput").verdict, "not reached")


class Scale(unittest.TestCase):
    def entry(self, many):
        return {"one": summary(10, 10), "many": summary(many, many), "memory": 0.5}

    def test_the_largest_number_counts(self):
        results = {"objects": {"1": self.entry(10), "100000": self.entry(13)}}
        self.assertEqual(verdict(results, "latency with 100,000 live objects").verdict, "not reached")
        self.assertEqual(verdict(results, "server's memory, a live object").verdict, "reached")

    def test_a_smaller_number_cannot_reach_it(self):
        results = {"objects": {"8000": self.entry(10), "30000": {"error": "open: too many open files"}}}
        criterion = verdict(results, "latency with 100,000 live objects")
        self.assertEqual(criterion.verdict, "not measured")
        self.assertIn("8,000", criterion.figure)
        self.assertIn("too many open files", criterion.figure)

    def test_memory_after_few_calls_decides_only_against(self):
        few = lambda after: {"memory after calls": {"calls": 1000, "before": 100, "after": after}}
        self.assertEqual(verdict(few(100), "server's memory after").verdict, "not measured")
        self.assertEqual(verdict(few(500), "server's memory after").verdict, "not reached")
        many = {"memory after calls": {"calls": 10_000_000, "before": 100, "after": 100}}
        self.assertEqual(verdict(many, "server's memory after").verdict, "reached")


class Workloads(unittest.TestCase):
    def held(self, **times):
        return verdict({"workloads": workloads(**times)}, "find")

    def test_reached(self):
        self.assertEqual(self.held().verdict, "reached")

    def test_each_peer_counts(self):
        for peer, time in (("user_notify", 15), ("proot", 19), ("pseudo", 19)):
            self.assertEqual(self.held(**{peer: time}).verdict, "not reached", peer)

    def test_a_result_of_its_own_is_not_reached(self):
        self.assertEqual(self.held(loader=summary(1, 1) | {"as natively": False}).verdict, "not reached")
        self.assertEqual(self.held(loader={"error": "exit status 1"}).verdict, "not reached")

    def test_what_there_was_no_time_for_is_not_measured(self):
        results = workloads()
        results["find"]["unpinned"] = {"loader": {"error": NO_TIME}}
        self.assertEqual(verdict({"workloads": results}, "find").verdict, "not measured")
        results["find"]["one core"]["loader"] = summary(100, 100)
        self.assertEqual(verdict({"workloads": results}, "find").verdict, "not reached")

    def test_where_it_fails_natively_nothing_is_measured(self):
        late = {"error": "over 4,000 ms"}
        self.assertEqual(self.held(native=late, loader=late).verdict, "not measured")

    def test_peers_that_fail_or_give_something_else_are_no_measure(self):
        criterion = self.held(proot={"error": "over 5,000 ms"}, pseudo=summary(1, 1) | {"as natively": False})
        self.assertEqual(criterion.verdict, "reached")
        self.assertIn("proot over 5,000 ms", criterion.figure)
        self.assertIn("pseudo gives another result", criterion.figure)


class Start(unittest.TestCase):
    def test_both_places_count(self):
        places = lambda unpinned: {"start": {"one core": {"loader": summary(5), "bwrap": summary(3)}, "unpinned": {"loader": summary(unpinned), "bwrap": summary(3)}}}
        self.assertEqual(verdict(places(6), "start").verdict, "reached")
        self.assertEqual(verdict(places(7), "start").verdict, "not reached")


if __name__ == "__main__":
    unittest.main()
