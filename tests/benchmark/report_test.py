#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
import html.parser
import json
import re
import unittest

from example import bare, rates, summary, workloads
from benchmark.charts import cumulative, make_charts
from benchmark.report import make_report

RESULTS = {
    "bare": {"one core": bare(), "unpinned": bare()},
    "calls": {"one core": {"stat": {"native": summary(1), "loader": summary(9), "proot": {"error": "it <failed>"}}}},
    "depth": {"stat": {"1": {"loader": summary(8)}, "6": {"loader": summary(9)}}},
    "threads": {"one core": {"loader": {"1": rates(1000), "8": rates(2000)}}},
    "size": {"1": {"call, plain": summary(7)}, "1000000": {"call, plain": summary(900)}},
    "objects": {"1": {"one": summary(9), "many": summary(9), "memory": 0.2}, "100000": {"error": "no room"}},
    "sandboxes": {"1": {"one": summary(9), "many": summary(9)}},
    "launchers": {"0": {"loader": summary(9)}, "10": {"loader": summary(9)}},
    "start": {"one core": {"native": summary(1), "loader": summary(7)}},
    "idle": {"loader": {"median": 900}, "preload": {"error": "not allowed"}},
    "workloads": workloads(pseudo=summary(40, 40) | {"as natively": False}),
    "memory after calls": {"calls": 1000, "before": 100, "after": 100},
}
RUN = {
    "measured": "2020-01-01T00:00:00+00:00", "seconds": 1, "quick": True, "machine": {"processor": "</script><b>"}, "results": RESULTS,
    "runners": [{"name": "loader", "kind": "door", "about": "pola-run", "missing": ""}, {"name": "proot", "kind": "peer", "about": "ptrace", "missing": "not installed"}],
    "criteria": [{"what": "null call", "limit": "at most 1.10 x", "figure": "1.05 x", "verdict": "reached"},
                 {"what": "a < b", "limit": "at most 2 x", "figure": "3 x; 4 x", "verdict": "not reached"},
                 {"what": "memory", "limit": "unchanged", "figure": "", "verdict": "not measured"}],
}


class Reader(html.parser.HTMLParser):
    """Notes what a page refers to, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.outside, self.identifiers, self.anchors, self.count = [], set(), set(), {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        for name, value in attributes:
            if name == "id":
                self.identifiers.add(value)
            elif name == "href" and value.startswith("#"):
                self.anchors.add(value[1:])
            elif name in ("src", "href"):
                self.outside.append(value)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = make_report(RUN)
        cls.reader = Reader(cls.page)

    def test_it_needs_nothing_else(self):
        self.assertEqual(self.reader.outside, [])
        self.assertIn("Chart.js v", self.page)

    def test_each_chart_has_a_canvas_and_every_anchor_leads_somewhere(self):
        self.assertEqual(self.reader.count["canvas"], len(make_charts(RESULTS)))
        self.assertLessEqual(self.reader.anchors, self.reader.identifiers)

    def test_no_place_for_a_part_is_left(self):
        self.assertNotIn("@@", re.sub(r"<script>.*?</script>", "", self.page, flags=re.S))

    def test_verdicts_are_counted_and_shown(self):
        self.assertIn("1 of 2 figures reached, 1 not measured", self.page)
        self.assertIn('<tr class="not-reached">', self.page)
        self.assertIn("3 x<br>4 x", self.page)

    def test_text_is_no_markup(self):
        self.assertIn("a &lt; b", self.page)
        self.assertNotIn("it <failed>", self.page)
        self.assertNotIn("</script><b>", self.page)
        # Three scripts: no text has ended one.
        self.assertEqual(self.reader.count["script"], 3)

    def test_the_data_are_what_the_charts_are(self):
        data = re.search(r"const charts = (.*?); const kinds = ", self.page, re.S).group(1)
        self.assertEqual(json.loads(data), json.loads(json.dumps(make_charts(RESULTS))))


class Charts(unittest.TestCase):
    def test_every_kind_of_result_has_one(self):
        titles = [chart["title"] for chart in make_charts(RESULTS)]
        self.assertEqual(len(titles), 14)
        for chart in make_charts(RESULTS):
            self.assertTrue(all(view.get("bars") or view.get("lines") for view in chart["views"]), chart["title"])

    def test_nothing_measured_nothing_drawn(self):
        self.assertEqual(make_charts({}), [])

    def test_what_failed_is_said(self):
        notes = [note for chart in make_charts(RESULTS) for view in chart["views"] for note in view.get("notes", [])]
        self.assertIn("proot: it <failed>", notes)
        self.assertIn("pseudo gives another result than natively", notes)

    def test_a_distribution_rises_from_none_to_all(self):
        points = cumulative([[1, 2, 5], [2, 4, 10], [8, 16, 5]])
        self.assertEqual(points, [[1, 0.0], [2, 25.0], [4, 75.0], [16, 100.0]])


if __name__ == "__main__":
    unittest.main()
