# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several subjects measured in turns, round after round, so that what disturbs the machine disturbs all of them."""
from benchmark.figures import Series
from benchmark.probe import ProbeError


class Contest:
    def __init__(self, timeout=60):
        self._subjects = []
        self._timeout = timeout

    def add(self, name, probe, *order):
        """order: what the probe is told in each round; it answers nanoseconds."""
        self._subjects.append((name, probe, order))

    def hold(self, rounds, after_round=lambda: None):
        """Returns {name: summary in microseconds}; {"error": text} for one that failed. The first round only warms up."""
        series = {name: Series() for name, _, _ in self._subjects}
        errors = {}
        for turn in range(rounds + 1):
            for name, probe, order in self._subjects:
                if name in errors:
                    continue
                try:
                    times = probe.ask(*order, timeout=self._timeout)
                except ProbeError as error:
                    errors[name] = str(error)
                    continue
                if turn > 0:
                    series[name].add_round([time / 1000 for time in times])
            after_round()
        return {name: {"error": errors[name]} if name in errors else series[name].summary() for name in series}
