# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made of measured times."""
import math
import statistics

BINS_PER_DECADE = 20


def quantile(values, fraction):
    """The value that the given fraction of the values does not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def histogram(values):
    """Counts in logarithmic bins, [[lower edge, upper edge, count], ...] without empty ones."""
    counts = {}
    for value in values:
        index = math.floor(math.log10(value) * BINS_PER_DECADE) if value > 0 else 0
        counts[index] = counts.get(index, 0) + 1
    edge = lambda index: float(f"{10 ** (index / BINS_PER_DECADE):.4g}")
    return [[edge(index), edge(index + 1), counts[index]] for index in sorted(counts)]


def median_of_ratios(numerators, denominators):
    """Of two things measured in turns, round for round: what disturbs a round disturbs both."""
    pairs = [(a, b) for a, b in zip(numerators, denominators) if b > 0]
    if not pairs:
        raise ValueError("no pairs")
    return statistics.median(a / b for a, b in pairs)


class Series:
    """Times of one thing, in rounds."""

    def __init__(self):
        self.rounds = []

    def add_round(self, times):
        if times:
            self.rounds.append(list(times))

    def round_medians(self):
        return [statistics.median(times) for times in self.rounds]

    def summary(self):
        times = [time for times in self.rounds for time in times]
        return {
            "median": statistics.median(times),
            "p99": quantile(times, 0.99),
            "minimum": min(times),
            "mean": statistics.fmean(times),
            "count": len(times),
            "round_medians": self.round_medians(),
            "histogram": histogram(times),
        }


def ratio(results, subject, reference):
    """Median of ratios of two summaries of one dictionary; None where one is missing."""
    one, other = results.get(subject), results.get(reference)
    if not one or not other or "median" not in one or "median" not in other:
        return None
    return median_of_ratios(one["round_medians"], other["round_medians"])
