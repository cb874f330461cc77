// The log viewer: follows while it is at the bottom, marks the lines of #L12-L20, wraps, and stays light.

const LINES_KEPT = 5000;
const log = document.getElementById("log");
const follow = document.getElementById("log-follow");
const wrap = document.getElementById("log-wrap");

const isAtBottom = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
const toBottom = () => { log.scrollTop = log.scrollHeight; };
let follows = follow && !follow.hidden && !location.hash && !new URLSearchParams(location.search).has("line");

function showFollow() {
  follow.setAttribute("aria-pressed", String(follows));
}

// --- Follow: only the reader's own scrolling turns it off or on ---

if (log) {
  if (follows) toBottom();
  showFollow();
  log.addEventListener("scroll", () => {
    follows = isAtBottom();
    showFollow();
  }, { passive: true });
  follow.addEventListener("click", () => {
    follows = !follows;
    if (follows) toBottom();
    showFollow();
  });
  wrap.addEventListener("click", () => {
    const wraps = log.classList.toggle("no-wrap");
    wrap.setAttribute("aria-pressed", String(!wraps));
    if (follows) toBottom();
  });
  document.addEventListener("htmx:after:swap", () => {
    if (!follows) return;
    // What has scrolled away long ago goes; "Start" and line links show it again.
    const lines = log.querySelectorAll(":scope > .line");
    for (let i = 0; i < lines.length - LINES_KEPT; i++) lines[i].remove();
    toBottom();
  });
  addEventListener("hashchange", markHash);
  markHash();
  log.addEventListener("click", extendRange);
}

// --- Links to a line or a range ---

function markHash() {
  const match = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
  if (!match) return;
  const first = Number(match[1]);
  const last = Number(match[2] || first);
  const target = document.getElementById(`L${first}`);
  if (!target) {
    const address = new URL(location.href);
    if (address.searchParams.get("line") === range(first, last)) return;
    address.searchParams.set("line", range(first, last));
    for (const name of ["from", "to"]) address.searchParams.delete(name);
    location.replace(address);
    return;
  }
  for (const line of log.querySelectorAll(".is-marked")) line.classList.remove("is-marked");
  for (let number = first; number <= last; number++) {
    const line = document.getElementById(`L${number}`);
    if (!line) break;
    line.classList.add("is-marked");
  }
  follows = false;
  showFollow();
  target.scrollIntoView({ block: "center" });
}

function range(first, last) {
  return last > first ? `${first}-${last}` : String(first);
}

// A click marks a line in the address without loading anything; with Shift it marks up to there.
function extendRange(event) {
  const number = Number(event.target.closest("a.line-number")?.dataset.line);
  if (!number || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const marked = /^#L(\d+)/.exec(location.hash);
  const other = event.shiftKey && marked ? Number(marked[1]) : number;
  const [first, last] = [Math.min(number, other), Math.max(number, other)];
  location.hash = last > first ? `L${first}-L${last}` : `L${first}`;
}
