// Charts by uPlot in place of those that the server drew, wherever scripts run. One figure:
//   <figure data-chart='{"kind": "line", "x": {"label": "Step", "kind": "number"}, "series": [
//     {"label": "Run 3", "run": "run-id", "color": 1, "points": [[0, 1.5], [1, null]]}]}'>
//     <svg>…</svg> <div class="plot" id="…" hx-morph-skip></div>
//   </figure>
// kind: line, scatter or bar. x.kind: number, time (seconds since 1970) or seconds. A null is a gap in its line.
// With data-chart-url instead, the same document is fetched. The page also loads vendor/uplot.

const HEIGHT = 220;
const drawn = new WeakMap();

const style = () => getComputedStyle(document.documentElement);

// The computed value of light-dark() is a color only where one is asked for.
function color(element, name) {
  element.style.color = `var(${name})`;
  const value = getComputedStyle(element).color;
  element.style.color = "";
  return value;
}

// What a drawing depends on; a theme shows in the color of the text.
const mark = (host, chart) => JSON.stringify([chart, style().color, host.clientWidth]);

function short(value) {
  if (value === null || value === undefined) return "--";
  return Number(value.toPrecision(6)).toString();
}

function seconds(value) {
  const whole = Math.round(value);
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${Math.floor(whole / 60) % 60}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m ${whole % 60}s` : `${short(value)}s`;
}

// The least distance of two places, which is the room of all bars at one of them.
function gap(series) {
  const places = [...new Set(series.flatMap(({ points }) => points.map((point) => point[0])))].sort((a, b) => a - b);
  return Math.min(...places.slice(1).map((place, before) => place - places[before]), places.at(-1) - places[0] || 1);
}

// The first and the last point stand clear of the edges.
function wide(low, high, chart) {
  if (low === null) return [0, 1];
  const room = chart.kind === "bar" ? gap(chart.series) * 0.6 : chart.kind === "scatter" ? (high - low) * 0.04 : 0;
  return high - low + room > 0 ? [low - room, high + room] : [low - 0.5, high + 0.5];
}

const fromZero = (_, low, high) => [Math.min(0, low ?? 0), Math.max(0, high ?? 1) * 1.05];

// Bars of several series stand side by side.
function beside(chart) {
  if (chart.kind !== "bar" || chart.series.length < 2) return chart.series;
  const room = (0.8 * gap(chart.series)) / chart.series.length;
  const shift = (place) => (place - (chart.series.length - 1) / 2) * room;
  return chart.series.map((series, place) => ({ ...series, points: series.points.map(([x, y]) => [x + shift(place), y]) }));
}

export function options(host, chart, width, height) {
  const text = color(host, "--text-2");
  const line = color(host, "--line");
  const axis = { stroke: text, font: `12px ${style().getPropertyValue("--font")}`, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const bars = chart.kind === "bar" ? uPlot.paths.bars({ size: [0.75 / chart.series.length, 40] }) : undefined;
  const isBar = chart.kind === "bar";
  const isTime = chart.x.kind === "time";
  const readX = chart.x.kind === "seconds" ? (_, value) => (value === null ? "--" : seconds(value)) : (_, value) => short(isBar && value !== null ? Math.round(value) : value);
  return {
    width, height,
    scales: { x: { time: isTime, range: (_, low, high) => wide(low, high, chart) }, y: { distr: chart.log ? 3 : 1, ...(isBar ? { range: fromZero } : {}) } },
    axes: [
      { ...axis, label: chart.x.label, labelSize: 20, labelFont: axis.font, size: 34, ...(chart.x.kind === "seconds" ? { values: (_, marks) => marks.map(seconds) } : {}) },
      { ...axis, size: 58, values: (_, marks) => marks.map((mark) => (mark === null ? "" : short(mark))) },
    ],
    tzDate: zoned,
    cursor: { drag: { x: true, y: false } },
    legend: { show: chart.series.length <= 12 },
    series: [
      { label: chart.x.label, ...(isTime ? {} : { value: readX }) },
      ...chart.series.map((series) => {
        const stroke = color(host, `--series-${series.color}`);
        return {
          label: series.label, stroke, width: 1.75, spanGaps: false,
          value: (_, value) => short(value),
          fill: isBar ? stroke : undefined,
          paths: chart.kind === "scatter" ? () => null : bars,
          points: chart.kind === "scatter" ? { show: true, size: 7, fill: stroke } : isBar ? { show: false } : undefined,
        };
      }),
    ],
  };
}

// Times as the rest of the page has them: in the zone that the user chose, not always the browser's.
export const zoned = (seconds) => uPlot.tzDate(new Date(seconds * 1000), document.documentElement.dataset.zone || "UTC");

// One table for all series: places that a series knows nothing of are no gaps of it.
export function table(series) {
  if (!series.length) return [[]];
  const parts = series.map(({ points }) => [points.map((point) => point[0]), points.map((point) => point[1])]);
  return uPlot.join(parts, parts.map((part) => part.map(() => 2)));
}

function wanted(figure, chart) {
  if (!figure.hasAttribute("data-only-ticked")) return chart;
  const ticked = new Set([...document.querySelectorAll(".tick:checked")].map((box) => box.value));
  const points = (series) => (series.runs ? series.points.filter((_, place) => ticked.has(series.runs[place])) : series.points);
  const kept = chart.series.filter((series) => series.runs || ticked.has(series.run));
  return { ...chart, series: kept.map((series) => ({ ...series, points: points(series) })) };
}

export async function draw(figure) {
  const host = figure.querySelector(".plot");
  if (!host || !window.uPlot) return;
  const source = figure.dataset.chart || (await (await fetch(figure.dataset.chartUrl)).text());
  const chart = wanted(figure, JSON.parse(source));
  const state = mark(host, chart);
  figure.classList.add("is-drawn");
  if (drawn.get(host)?.state === state && host.firstChild) return;
  drawn.get(host)?.plot.destroy();
  host.replaceChildren();
  const width = Math.max(200, host.clientWidth);
  const height = Number(figure.dataset.height) || HEIGHT;
  const plot = new uPlot(options(host, chart, width, height), table(beside(chart)), host);
  drawn.set(host, { plot, state: mark(host, chart) });
}

export function drawAll() {
  for (const figure of document.querySelectorAll("[data-chart], [data-chart-url]")) draw(figure);
}

let late = 0;
const drawSoon = () => {
  clearTimeout(late);
  late = setTimeout(drawAll, 100);
};
document.addEventListener("htmx:after:swap", drawAll);
document.addEventListener("change", (event) => event.target.matches(".tick, .tick-all") && drawSoon());
addEventListener("resize", drawSoon);
new MutationObserver(drawSoon).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
drawAll();
