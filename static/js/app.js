// The frame's own behavior: theme, time, copy, confirm, ticks. Without it every page still works.

const YEAR = 365 * 24 * 3600;

function cookie(name, value) {
  document.cookie = `${name}=${value};path=/;max-age=${YEAR};samesite=lax`;
}

// The server writes times in this zone from the next page on.
cookie("timezone", Intl.DateTimeFormat().resolvedOptions().timeZone);

// --- Light and dark: at once, and remembered for the server by a cookie ---

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-toggle]")) return;
  event.preventDefault();
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme || (systemIsDark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  cookie("theme", root.dataset.theme);
});

// --- Time: how long ago on hover, running durations tick ---

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function ago(instant) {
  const seconds = (Date.parse(instant) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) || UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

document.addEventListener("pointerover", (event) => {
  const time = event.target.closest?.("time[datetime]");
  if (time) time.title = `${time.title.split(" - ")[0]} - ${ago(time.dateTime)}`;
});

// As the filter `duration` in runs/templatetags/studio.py writes it.
function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "m"], [whole % 60, "s"]];
  const first = parts.findIndex(([amount]) => amount);
  return parts.slice(first < 0 ? 3 : first).slice(0, 2).map(([amount, unit]) => amount + unit).join(" ");
}

setInterval(() => {
  if (document.hidden) return;
  for (const node of document.querySelectorAll("[data-since]")) {
    node.textContent = duration((Date.now() - Date.parse(node.dataset.since)) / 1000);
  }
}, 1000);

// --- Copy ---

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Plain HTTP on another host has no clipboard: select what stands beside it instead.
    const area = document.createElement("textarea");
    area.value = button.dataset.copy;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
  document.getElementById("live").textContent = document.documentElement.dataset.copied;
});

// --- Confirm: a form or button with data-confirm asks first, and focus comes back ---

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (!question || event.target.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = document.getElementById("confirm");
  dialog.querySelector("h2").textContent = question;
  dialog.returnValue = "no";
  // A reason, where one may be given: typed here, sent by the form's own field, which is there without scripts too.
  const reason = dialog.querySelector("input");
  const asksReason = Boolean(event.submitter?.closest("[data-asks-reason]"));
  reason.value = "";
  reason.parentElement.hidden = !asksReason;
  dialog.addEventListener("close", () => {
    event.submitter?.focus();
    if (dialog.returnValue !== "yes") return;
    if (asksReason) event.target.elements.reason.value = reason.value;
    event.target.dataset.confirmed = "yes";
    event.target.requestSubmit(event.submitter);
    delete event.target.dataset.confirmed;
  }, { once: true });
  dialog.showModal();
}, true);

// --- Ticks: buttons that act on ticked rows are grey until there is one ---

export function updateTicks() {
  for (const button of document.querySelectorAll("[data-needs-tick]")) {
    const boxes = [...document.querySelectorAll(`.tick[form="${button.getAttribute("form")}"]`)];
    const ticked = boxes.filter((box) => box.checked).length;
    const goesBeyond = document.querySelector(".tick-beyond")?.checked;
    button.disabled = (!ticked && !goesBeyond) || button.hasAttribute("data-forbidden");
    const all = document.querySelector(".tick-all");
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches(".tick-all")) {
    for (const box of event.target.closest("table").querySelectorAll(".tick")) box.checked = event.target.checked;
  }
  if (event.target.matches(".tick, .tick-all, .tick-beyond")) updateTicks();
});
document.addEventListener("htmx:after:swap", updateTicks);
addEventListener("pageshow", updateTicks);
updateTicks();
