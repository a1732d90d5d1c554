#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
import random
import unittest

import bench_package  # noqa: F401
from benchmark.figures import Series, histogram, median_of_ratios, quantile, ratio


class Quantile(unittest.TestCase):
    def test_the_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual(quantile(values, 0.99), 99)
        self.assertEqual(quantile(values, 1), 100)
        self.assertEqual(quantile(values, 0), 1)
        self.assertEqual(quantile([5], 0.99), 5)

    def test_the_order_does_not_matter(self):
        values = list(range(1000))
        random.Random(1).shuffle(values)
        self.assertEqual(quantile(values, 0.5), 499)

    def test_of_nothing_there_is_none(self):
        with self.assertRaises(ValueError):
            quantile([], 0.5)


class Histogram(unittest.TestCase):
    def test_each_value_lies_in_a_bin_that_holds_it(self):
        generator = random.Random(2)
        values = [10 ** generator.uniform(-2, 6) for _ in range(2000)]
        bins = histogram(values)
        self.assertEqual(sum(count for _, _, count in bins), len(values))
        for lower, upper, count in bins:
            # Edges are shown with four digits.
            inside = sum(lower * 0.999 <= value < upper * 1.001 for value in values)
            self.assertGreaterEqual(inside, count)

    def test_bins_are_in_order_and_do_not_overlap(self):
        bins = histogram([1, 2, 3, 1000, 0.5])
        edges = [edge for lower, upper, _ in bins for edge in (lower, upper)]
        self.assertEqual(edges, sorted(edges))


class Ratios(unittest.TestCase):
    def test_what_disturbs_a_round_disturbs_both(self):
        # The same factor 2 throughout, on a machine that becomes ten times slower: the ratio of medians would be 20.
        self.assertEqual(median_of_ratios([2, 2, 20, 20, 20], [1, 1, 10, 10, 10]), 2)

    def test_rounds_that_only_one_has_do_not_count(self):
        self.assertEqual(median_of_ratios([4, 6], [2, 3, 100]), 2)

    def test_without_pairs_there_is_none(self):
        with self.assertRaises(ValueError):
            median_of_ratios([], [1])

    def test_of_summaries(self):
        results = {"a": summary([[2, 2], [4, 4]]), "b": summary([[1, 1], [2, 2]]), "failed": {"error": "it failed"}}
        self.assertEqual(ratio(results, "a", "b"), 2)
        self.assertIsNone(ratio(results, "a", "failed"))
        self.assertIsNone(ratio(results, "missing", "b"))


class Summary(unittest.TestCase):
    def test_all_rounds_together_and_each(self):
        result = summary([[1, 2, 3], [10, 20, 30], []])
        self.assertEqual(result["median"], 6.5)
        self.assertEqual((result["minimum"], result["p99"], result["count"]), (1, 30, 6))
        self.assertEqual(result["round_medians"], [2, 20])


def summary(rounds):
    series = Series()
    for times in rounds:
        series.add_round(times)
    return series.summary()


if __name__ == "__main__":
    unittest.main()
