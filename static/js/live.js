// What htmx is told: when to search, when polls rest, that a lost session goes to the sign-in, and to say failures.

const isPoll = (ctx) => ctx.sourceEvent?.type === "every";
const meets = (one, other) => one.target.contains(other.target) || other.target.contains(one.target);
const inFlight = new Set();
let missed = new Set();

// What one asks for wins over a poll of the same place, whose answer would bring back what was there before: a poll on
// its way is given up, and none begins meanwhile.
document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  const rivals = [...inFlight].filter((other) => isPoll(other) !== isPoll(ctx) && meets(ctx, other));
  if (isPoll(ctx) && document.hidden) missed.add(ctx.sourceElement);
  if (isPoll(ctx) && (document.hidden || rivals.length)) return event.preventDefault();
  inFlight.add(ctx);
  for (const poll of rivals) poll.request.abort();
});
document.addEventListener("htmx:finally:request", (event) => inFlight.delete(event.detail.ctx));

// Searches while one types. By no trigger's delay: htmx forgets what waits in it once an answer comes meanwhile.
const TYPING = 300;
let typing = 0;

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-typing]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => document.getElementById(target.id)?.form.requestSubmit(), TYPING);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  const polls = missed;
  missed = new Set();
  for (const element of polls) {
    if (element.isConnected) element.dispatchEvent(new CustomEvent("every", { bubbles: false }));
  }
});

// A poll that was redirected lost its session: show the sign-in as a page, not inside a table.
document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  if (!raw.redirected || new URL(raw.url).pathname === location.pathname) return;
  event.preventDefault();
  location.reload();
});

function toast(text) {
  const box = document.createElement("div");
  box.className = "toast";
  box.textContent = text;
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), 8000);
}

const WORDS = document.documentElement.dataset;

document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (ctx.response.status === 422) return;
  const isPlain = (ctx.response.raw.headers.get("content-type") || "").startsWith("text/plain");
  if (isPoll(ctx) && ctx.response.status >= 500) return offline(ctx);
  toast(isPlain && ctx.text ? ctx.text : `${WORDS.failed} (${ctx.response.status})`);
});

// One word when polls begin to fail, not one each time; and one when the server is back.
let isOffline = false;

function offline() {
  if (!isOffline) toast(WORDS.offline);
  isOffline = true;
}

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx && isPoll(event.detail.ctx)) offline();
  else if (event.detail.ctx) toast(WORDS.offline);
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.response.status < 500) isOffline = false;
});
