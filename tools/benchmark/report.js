// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws the charts that charts.py describes, in the colours of the reader's scheme.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = [];

// Ours blue and green, peers warm, what does not mediate grey: told apart by the eye, and the same in all charts.
const colours = {
  light: { ours: ["#1f5fbf", "#0f8a6d", "#7a4fc9", "#3f95d8", "#4fae5a", "#a86fd6"], peer: ["#d9622b", "#b8860b", "#c2334d", "#8a5a2b"], other: ["#4b5563", "#8793a5", "#b0b8c4", "#69788c"] },
  dark: { ours: ["#6ea8ff", "#3fcfa4", "#b195f5", "#8fd0ff", "#8fdc8a", "#d9adff"], peer: ["#ff9a5c", "#e3b341", "#ff7b8e", "#c99a6b"], other: ["#d3dae4", "#8b97a8", "#65717f", "#aab6c6"] },
};
const taken = { ours: [], peer: [], other: [] };

function group(name) {
  const kind = kinds[name];
  if (kind === "door" || /^(null call|call|open|stat|access|readlink|ENOENT|so many)/.test(name)) return "ours";
  return kind === "peer" ? "peer" : "other";
}

function colour(name) {
  const names = taken[group(name)];
  if (!names.includes(name)) names.push(name);
  const palette = colours[dark.matches ? "dark" : "light"][group(name)];
  return palette[names.indexOf(name) % palette.length];
}

function styleOf(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function shown(value) {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

function axis(title, log, more = {}) {
  const grid = styleOf("--line");
  return {
    type: log ? "logarithmic" : "linear",
    title: { display: title !== "", text: title, color: styleOf("--quiet") },
    grid: { color: grid, borderColor: grid },
    ticks: {
      color: styleOf("--quiet"),
      // On a logarithmic axis, 1, 2 and 5 of each decade.
      callback: (value) => (!log || [1, 2, 5].includes(Number(value.toExponential()[0])) && /^\d(e|\.?0*e)/.test(Number(value).toExponential())) ? shown(value) : null,
      autoSkip: true, maxRotation: 0,
    },
    ...more,
  };
}

function options(more) {
  return {
    responsive: true, maintainAspectRatio: false, animation: false, color: styleOf("--text"),
    interaction: { mode: "nearest", intersect: false },
    ...more,
  };
}

// Medians at the ends of the bars.
const labels = {
  id: "labels",
  afterDatasetsDraw(chart) {
    const { ctx } = chart;
    ctx.save();
    ctx.font = "12px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    chart.getDatasetMeta(0).data.forEach((bar, i) => {
      const text = shown(chart.data.datasets[0].data[i]);
      const x = Math.max(bar.x, bar.base) + 6;
      // The stroke of the 99th percentile may be just there.
      ctx.fillStyle = styleOf("--card");
      ctx.fillRect(x - 2, bar.y - 8, ctx.measureText(text).width + 4, 16);
      ctx.fillStyle = styleOf("--text");
      ctx.fillText(text, x, bar.y);
    });
    ctx.restore();
  },
};

function drawBars(view) {
  const names = view.bars.map((bar) => bar.name);
  const values = view.bars.map((bar) => bar.value);
  const tails = view.bars.map((bar) => bar.p99 ?? null);
  const all = values.concat(tails.filter((tail) => tail !== null));
  const log = Math.max(...all) / Math.min(...all) > 20;
  const datasets = [{ label: "median", data: values, backgroundColor: names.map(colour), borderRadius: 3, maxBarThickness: 22 }];
  if (tails.some((tail) => tail !== null)) {
    datasets.push({ type: "scatter", label: "99th percentile", data: tails.map((x, i) => ({ x, y: names[i] })), borderColor: styleOf("--text"),
      pointStyle: "line", rotation: 90, radius: 7, borderWidth: 2 });
  }
  return {
    height: 70 + 30 * names.length,
    config: {
      type: "bar", data: { labels: names, datasets }, plugins: [labels],
      options: options({
        indexAxis: "y", layout: { padding: { right: 50 } },
        scales: { x: axis(`${view.unit}: bar, median; stroke, 99th percentile`, log), y: { ticks: { color: styleOf("--text") }, grid: { display: false } } },
        plugins: { legend: { display: false }, tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${shown(item.parsed.x)} ${view.unit}` } } },
      }),
    },
  };
}

function drawLines(view) {
  const isShare = view.y.label.startsWith("%");
  const datasets = view.lines.map((line) => ({
    label: line.name, data: line.points.map(([x, y]) => ({ x, y })), borderColor: colour(line.name), backgroundColor: colour(line.name),
    borderWidth: group(line.name) === "ours" ? 2.5 : 1.75, borderDash: group(line.name) === "other" ? [5, 3] : [], pointRadius: isShare ? 0 : 3, tension: 0,
  }));
  return {
    height: 400,
    config: {
      type: "line", data: { datasets },
      options: options({
        scales: { x: axis(view.x.label, view.x.log), y: axis(view.y.label, view.y.log, view.y.log ? {} : { beginAtZero: true }) },
        plugins: { legend: { position: "bottom", labels: { color: styleOf("--text"), boxWidth: 18, boxHeight: 2 } },
          tooltip: { callbacks: { title: (items) => `${view.x.label}: ${shown(items[0].parsed.x)}`, label: (item) => `${item.dataset.label}: ${shown(item.parsed.y)}` } } },
      }),
    },
  };
}

function drawGroups(view) {
  const datasets = view.bars.map((bar) => ({ label: bar.name, data: bar.values, backgroundColor: colour(bar.name), borderRadius: 2, base: 1 }));
  return {
    height: 460,
    config: {
      type: "bar", data: { labels: view.groups, datasets },
      options: options({
        scales: { x: { ticks: { color: styleOf("--text") }, grid: { display: false } }, y: axis(view.unit, true) },
        plugins: { legend: { position: "bottom", labels: { color: styleOf("--text"), boxWidth: 14 } },
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${shown(item.parsed.y)} ${view.unit}` } } },
      }),
    },
  };
}

function draw(index, view) {
  const canvas = document.getElementById(`canvas-${index}`);
  const { height, config } = { bars: drawBars, lines: drawLines, groups: drawGroups }[view.kind](view);
  canvas.parentElement.style.height = `${height}px`;
  if (drawn[index]) drawn[index].destroy();
  drawn[index] = new Chart(canvas, config);
}

function drawAll() {
  charts.forEach((chart, index) => {
    const select = document.querySelector(`select[data-chart="${index}"]`);
    draw(index, chart.views[select ? Number(select.value) : 0]);
  });
}

for (const select of document.querySelectorAll("select[data-chart]")) {
  select.addEventListener("change", () => draw(Number(select.dataset.chart), charts[select.dataset.chart].views[select.value]));
}
dark.addEventListener("change", drawAll);
drawAll();
