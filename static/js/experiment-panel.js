// Links marked data-panel open in a panel at the right; without scripts they are pages of their own.

const panel = document.getElementById("panel");
let opener = null;
let isAsking = false;

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-panel]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    // Of a double click the second answer would open the panel again, and take the focus from what one does in it.
    if (isAsking) return;
    opener = link.id || link.getAttribute("href");
    await open(link.href);
  }
  if (event.target.closest?.("#panel [data-close]")) {
    event.preventDefault();
    panel.close();
  }
});

async function open(address) {
  const before = document.getElementById("panel-body");
  isAsking = true;
  try {
    await htmx.ajax("GET", address, { target: before, swap: "outerHTML" });
  } finally {
    isAsking = false;
  }
  // No answer, or a refusal, which live.js says.
  if (before.isConnected) return;
  panel.showModal();
  panel.querySelector("h1").tabIndex = -1;
  panel.querySelector("h1").focus();
}

// A poll may have put another link in the place of the one that was clicked.
panel.addEventListener("close", () => {
  (document.getElementById(opener) || document.querySelector(`a[href="${CSS.escape(opener)}"]`))?.focus();
});
panel.addEventListener("click", (event) => event.target === panel && panel.close());

// Menus close when one clicks elsewhere or presses Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.dropdown[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.dropdown[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
