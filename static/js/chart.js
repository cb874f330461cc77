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

export function options(host, chart, width, height) {
  const text = color(host, "--text-2");
  const line = color(host, "--line");
  const axis = { stroke: text, font: `12px ${style().getPropertyValue("--font")}`, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const bars = chart.kind === "bar" ? uPlot.paths.bars({ size: [0.6, 40] }) : undefined;
  const isTime = chart.x.kind === "time";
  const readX = chart.x.kind === "seconds" ? (_, value) => (value === null ? "--" : seconds(value)) : (_, value) => short(value);
  return {
    width, height,
    scales: { x: { time: isTime }, y: { distr: chart.log ? 3 : 1 } },
    axes: [
      { ...axis, label: chart.x.label, labelSize: 20, labelFont: axis.font, size: 34, ...(chart.x.kind === "seconds" ? { values: (_, marks) => marks.map(seconds) } : {}) },
      { ...axis, size: 58, values: (_, marks) => marks.map((mark) => (mark === null ? "" : short(mark))) },
    ],
    cursor: { drag: { x: true, y: false } },
    legend: { show: chart.series.length <= 12 },
    series: [
      { label: chart.x.label, ...(isTime ? {} : { value: readX }) },
      ...chart.series.map((series) => {
        const stroke = color(host, `--series-${series.color}`);
        return {
          label: series.label, stroke, width: 1.75, spanGaps: false,
          value: (_, value) => short(value),
          fill: chart.kind === "bar" ? stroke : undefined,
          paths: chart.kind === "scatter" ? () => null : bars,
          points: chart.kind === "scatter" ? { show: true, size: 7, fill: stroke } : chart.kind === "bar" ? { show: false } : undefined,
        };
      }),
    ],
  };
}

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
  const plot = new uPlot(options(host, chart, width, height), table(chart.series), host);
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
