// Links marked data-panel open in a panel at the right; without scripts they are pages of their own.

const panel = document.getElementById("panel");
let opener = null;

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-panel]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    opener = link.id || link.getAttribute("href");
    await htmx.ajax("GET", link.href, { target: "#panel-body", swap: "outerHTML" });
    panel.showModal();
    panel.querySelector("h1").tabIndex = -1;
    panel.querySelector("h1").focus();
  }
  if (event.target.closest?.("#panel [data-close]")) {
    event.preventDefault();
    panel.close();
  }
});
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
