// The charts of a run's metrics by uPlot, in place of the server's. Dragging over one asks the server for that part.
//   <figure data-curves="/runs/…/metrics/curves/?name=loss" data-version="100"> <svg>…</svg> <div class="plot"></div> </figure>

import { options, table } from "./chart.js";

const drawn = new WeakMap();
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "200px" });

const theme = () => getComputedStyle(document.documentElement).color;

// A part of the axis that somebody dragged over belongs to the chart until it is left by a double click.
const parts = new Map();

function address(figure) {
  const url = new URL(figure.dataset.curves, location.href);
  const part = parts.get(figure.querySelector(".plot").id);
  if (part) {
    url.searchParams.set("from", part.low);
    url.searchParams.set("to", part.high);
  }
  return url;
}

async function draw(figure) {
  const host = figure.querySelector(".plot");
  if (!host || !window.uPlot) return;
  const url = address(figure);
  const width = Math.max(200, figure.clientWidth);
  const state = [url, figure.dataset.version, width, theme()].join("|");
  if (drawn.get(host)?.state === state) return;
  const before = drawn.get(host);
  drawn.set(host, { ...before, state });
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  // A later question may have been answered meanwhile.
  if (!answer?.ok || drawn.get(host).state !== state) return;
  const chart = await answer.json();
  before?.plot?.destroy();
  host.replaceChildren();
  figure.classList.add("is-drawn");
  drawn.set(host, { state, plot: plot(figure, host, chart, width) });
  figure.querySelector(".plot-count").textContent = chart.caption;
}

function plot(figure, host, chart, width) {
  const wanted = options(host, chart, width, Number(figure.dataset.height) || 220);
  host.style.color = "var(--bad)";
  const bad = getComputedStyle(host).color;
  host.style.color = "";
  chart.series.forEach((series, place) => {
    const line = wanted.series[place + 1];
    line.spanGaps = true;
    if (series.isPale) Object.assign(line, { alpha: 0.35, points: { show: false } });
    if (series.words) {
      Object.assign(line, { stroke: bad, paths: () => null, points: { show: true, size: 9, width: 2, stroke: bad, fill: "transparent" } });
      const words = new Map(series.points.map(([x], n) => [x, series.words[n]]));
      line.value = (u, value, number, index) => (value === null || index === null ? "--" : words.get(u.data[0][index]) ?? "--");
    }
  });
  wanted.cursor = { drag: { x: true, y: false, setScale: false } };
  wanted.hooks = {
    setSelect: [(u) => {
      if (u.select.width < 4) return;
      const [low, high] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      zoom(figure, { low, high });
    }],
    ready: [(u) => u.over.addEventListener("dblclick", () => zoom(figure, null))],
  };
  return new uPlot(wanted, table(chart.series), host);
}

// Another part in all charts: they share their axis.
function zoom(figure, part) {
  for (const other of document.querySelectorAll("[data-curves]")) {
    const { id } = other.querySelector(".plot");
    if (part) parts.set(id, part);
    else parts.delete(id);
  }
  drawAll();
}

function drawAll() {
  for (const figure of document.querySelectorAll("[data-curves]")) {
    near.unobserve(figure);
    near.observe(figure);
  }
}

let late = 0;
const drawSoon = () => {
  clearTimeout(late);
  late = setTimeout(drawAll, 150);
};

// What one types narrows the list at once; ticks and the server's search are untouched by it.
document.addEventListener("input", (event) => {
  if (event.target.id === "metric-smooth") document.getElementById("metric-smooth-value").textContent = event.target.value;
  if (event.target.id !== "metric-find") return;
  const words = event.target.value.toLowerCase();
  for (const item of document.querySelectorAll(".metric-list li")) item.hidden = !item.textContent.toLowerCase().includes(words);
});
document.addEventListener("change", (event) => {
  if (event.target.id === "metric-x") parts.clear();
});
document.addEventListener("htmx:after:swap", drawAll);
addEventListener("resize", drawSoon);
new MutationObserver(drawSoon).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
drawAll();
