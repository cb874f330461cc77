// What htmx is told: polls rest while the tab is hidden, a lost session goes to the sign-in, failures are said.

const isPoll = (ctx) => ctx.sourceEvent?.type === "every";
let missed = new Set();

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!isPoll(ctx) || !document.hidden) return;
  missed.add(ctx.sourceElement);
  event.preventDefault();
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
