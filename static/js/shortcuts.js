// Single keys as shortcuts, listed by ?. They rest while somebody types, and where the preferences say so.

const LEAVE_SECONDS = 1.5; // how long `g` waits for the second key

let leaving = 0;

const press = (selector) => {
  const found = document.querySelector(selector);
  if (found && !found.disabled) found.click();
};

function search() {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
}

// The row is where the focus is: on its main link, so that Enter opens it and a screen reader reads it.
const links = () => [...document.querySelectorAll("main table tbody tr")].map((row) => row.querySelector("a.clip, .lead a, td a")).filter(Boolean);

const row = () => document.activeElement.closest("main tbody tr");

function move(step) {
  const all = links();
  const here = all.findIndex((link) => link.closest("tr") === row());
  const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

let isAsking = false;

async function list() {
  const dialog = document.getElementById("shortcuts");
  if (!dialog.querySelector("dl")) {
    // Pressed again before the answer, it opens once; and over no dialog that was opened meanwhile.
    if (isAsking) return;
    isAsking = true;
    const answer = await fetch(dialog.dataset.list).then((response) => response.text()).catch(() => "");
    isAsking = false;
    const page = new DOMParser().parseFromString(answer, "text/html");
    document.getElementById("shortcuts-box").replaceChildren(...(page.getElementById("shortcut-list")?.childNodes || []));
  }
  if (dialog.querySelector("dl") && !document.querySelector("dialog[open]")) dialog.showModal();
}

const KEYS = {
  "/": search,
  j: () => move(1),
  k: () => move(-1),
  x: () => row()?.querySelector(".tick")?.click(),
  c: () => press("main button[name=verb][value=compare]"),
  ".": () => document.querySelector("main .toolbar :is(a, button, summary):not(:disabled)")?.focus(),
  "?": list,
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.documentElement.dataset.shortcuts === "off" || document.querySelector("dialog[open]")) return;
  if (target.closest("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])")) return;
  const isLeaving = Date.now() - leaving < LEAVE_SECONDS * 1000;
  leaving = key === "g" && !isLeaving ? Date.now() : 0;
  if (leaving) return;
  const act = isLeaving ? () => press(`[data-go="${CSS.escape(key)}"]`) : KEYS[key];
  if (!act) return;
  event.preventDefault();
  act();
});
