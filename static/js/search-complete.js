// Completion in the search bar: an editable combobox with a list box (ARIA APG). Without scripts one types it all.

const DELAY = 120;
let active = -1;
let timer = 0;
let asked = 0;

const input = () => document.getElementById("q");
const list = () => document.getElementById("q-options");
const options = () => [...list().querySelectorAll("[role=option]")];

// Attributes are set anew after every swap, which knows nothing of them.
function show(isOpen) {
  const field = input();
  if (!field || !list()) return;
  list().hidden = !isOpen;
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", "q-options");
  field.setAttribute("aria-expanded", String(isOpen));
  if (isOpen && active >= 0) field.setAttribute("aria-activedescendant", options()[active].id);
  else field.removeAttribute("aria-activedescendant");
  options().forEach((option, place) => option.setAttribute("aria-selected", String(place === active)));
  if (isOpen && active >= 0) options()[active].scrollIntoView({ block: "nearest" });
}

// An answer on its way would take the list from under one's arrow.
function settle() {
  clearTimeout(timer);
  asked += 1;
}

function close() {
  active = -1;
  settle();
  show(false);
}

async function ask() {
  const field = input();
  if (!field?.dataset.complete || document.activeElement !== field || field.selectionStart !== field.value.length) return close();
  const number = ++asked;
  let answer;
  try {
    answer = await fetch(`${field.dataset.complete}?q=${encodeURIComponent(field.value)}`, { credentials: "same-origin" });
  } catch {
    return;
  }
  if (number !== asked || !answer.ok || answer.redirected) return;
  list().innerHTML = await answer.text();
  active = -1;
  show(options().length > 0);
}

function choose(option) {
  const field = input();
  field.value = field.value.slice(0, Number(option.dataset.start)) + option.dataset.text;
  field.focus();
  close();
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "q") return;
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY);
});
// Typed to its end, by Enter or by leaving the field: a search to remember.
document.addEventListener("change", ({ target }) => {
  if (target.id !== "q" || !target.dataset.used || !target.value.trim()) return;
  const headers = JSON.parse(document.body.getAttribute("hx-headers:inherited"));
  fetch(target.dataset.used, { method: "POST", headers, body: new URLSearchParams({ q: target.value }), keepalive: true }).catch(() => {});
});
document.addEventListener("focusin", (event) => {
  if (event.target.id === "q" && !event.target.value) ask();
});
document.addEventListener("focusout", (event) => {
  if (event.target.id === "q") close();
});
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "q" || event.isComposing || !list()) return;
  const count = list().hidden ? 0 : options().length;
  if (event.key === "ArrowDown" && !count) ask();
  else if (event.key === "Escape" && count) close();
  else if (event.key === "Enter" && count && active >= 0) choose(options()[active]);
  else if (count && event.key === "ArrowDown") active = (active + 1) % count;
  else if (count && event.key === "ArrowUp") active = (active <= 0 ? count : active) - 1;
  else {
    if (event.key === "Enter") close();
    return;
  }
  event.preventDefault();
  if (!count || !event.key.startsWith("Arrow")) return;
  settle();
  show(true);
});
// Before the field loses its focus.
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest?.("#q-options [role=option]");
  if (!option) return;
  event.preventDefault();
  choose(option);
});
document.addEventListener("htmx:after:swap", () => list() && !list().hidden && show(true));
