# SPDX-License-Identifier: LGPL-2.1-or-later
"""One HTML file that needs nothing else: a table of what was reached, and charts drawn by Chart.js, which is put into it."""
import html
import json
import os

from benchmark.charts import make_charts

HERE = os.path.dirname(os.path.abspath(__file__))
CHART_LIBRARY = "/usr/share/javascript/chart.js/chart.min.js"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def number(value):
    """With three digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head, rows):
    cells = lambda row, tag: "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in row)
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def view_table(view):
    """The same figures as text."""
    if view["kind"] == "bars":
        more = [name for name in ("minimum", "p99") if any(bar[name] is not None for bar in view["bars"])]
        text = table(["", f"median, {view['unit']}"] + more,
                     [[bar["name"], number(bar["value"])] + [number(bar[name]) for name in more] for bar in view["bars"]])
        return text + "".join(f"<p>{html.escape(note)}</p>" for note in view["notes"])
    if view["kind"] == "groups":
        return table([""] + view["groups"], [[bar["name"]] + [number(value) for value in bar["values"]] for bar in view["bars"]])
    if view["y"]["label"].startswith("%"):
        return ""  # hundreds of points: the medians are in the charts of the calls
    xs = sorted({x for line in view["lines"] for x, _ in line["points"]})
    values = [dict(map(tuple, line["points"])) for line in view["lines"]]
    return table([view["x"]["label"]] + [line["name"] for line in view["lines"]],
                 [[f"{x:,g}"] + [number(some.get(x)) for some in values] for x in xs])


def chart_section(index, chart):
    choice = ""
    if len(chart["views"]) > 1:
        options = "".join(f"<option value={number}>{html.escape(view['name'])}</option>" for number, view in enumerate(chart["views"]))
        choice = f"<label>Show <select data-chart={index}>{options}</select></label>"
    tables = "".join(f"<h3>{html.escape(view['name'])}</h3>{text}" for view in chart["views"] if (text := view_table(view)))
    details = f"<details><summary>Figures</summary><div class=wide>{tables}</div></details>" if tables else ""
    return (f"<section id=chart-{index}><h2>{html.escape(chart['title'])}</h2><p>{html.escape(chart['about'])}</p>{choice}"
            f"<div class=chart><canvas id=canvas-{index} role=img aria-label=\"{html.escape(chart['title'])}\"></canvas></div>{details}</section>")


def criteria_table(criteria):
    rows = "".join(
        f"<tr class=\"{criterion['verdict'].replace(' ', '-')}\"><td><span class=badge>{criterion['verdict']}</span></td>"
        f"<td>{html.escape(criterion['what'])}</td><td>{html.escape(criterion['limit'])}</td><td>"
        + "<br>".join(html.escape(part) for part in criterion["figure"].split("; ")) + "</td></tr>" for criterion in criteria)
    return f"<table class=criteria><thead><tr><th></th><th>What</th><th>Wanted</th><th>Measured</th></tr></thead><tbody>{rows}</tbody></table>"


def runner_table(runners):
    return table(["Name", "What it is", "Here"], [[runner["name"], runner["about"], runner["missing"] or "measured"] for runner in runners])


def for_script(data):
    """JSON that may stand in a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def make_report(run, chart_library=CHART_LIBRARY):
    """run: what bench.json holds. Returns the page as text."""
    charts = make_charts(run["results"])
    reached = sum(criterion["verdict"] == "reached" for criterion in run["criteria"])
    judged = sum(criterion["verdict"] != "not measured" for criterion in run["criteria"])
    machine = "; ".join(f"{name}: {round(value, 2) if isinstance(value, float) else value}" for name, value in run["machine"].items())
    kinds = {runner["name"]: runner["kind"] for runner in run["runners"]}
    parts = {
        "STYLE": read(os.path.join(HERE, "report.css")),
        "SUMMARY": f"{reached} of {judged} figures reached, {len(run['criteria']) - judged} not measured.",
        "MEASURED": html.escape(f"{run['measured']}, {run['seconds']} seconds{', --quick: few rounds' if run['quick'] else ''}. {machine}."),
        "CONTENTS": "".join(f"<a href=#chart-{index}>{html.escape(chart['title'])}</a>" for index, chart in enumerate(charts)),
        "CRITERIA": criteria_table(run["criteria"]),
        "RUNNERS": runner_table(run["runners"]),
        "CHARTS": "".join(chart_section(index, chart) for index, chart in enumerate(charts)),
        "DATA": f"const charts = {for_script(charts)}; const kinds = {for_script(kinds)};",
        "LIBRARY": read(chart_library).replace("</script", "<\\/script"),
        "SCRIPT": read(os.path.join(HERE, "report.js")),
    }
    pieces = read(os.path.join(HERE, "report.html")).split("@@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))
