// The chosen columns are dragged into order; the server writes the list anew, as after a click at an arrow.

let dragged = null;

const item = (event) => event.target.closest?.("#chosen > li[draggable]");

document.addEventListener("dragstart", (event) => {
  dragged = item(event);
  if (dragged) event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragover", (event) => {
  const over = item(event);
  if (!dragged || !over) return;
  event.preventDefault();
  for (const other of over.parentElement.children) other.classList.toggle("is-over", other === over && over !== dragged);
});
document.addEventListener("drop", (event) => {
  const over = item(event);
  if (!dragged || !over || over === dragged) return;
  event.preventDefault();
  const isBelow = dragged.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_FOLLOWING;
  over[isBelow ? "after" : "before"](dragged);
  const draft = [...over.parentElement.children].map((column) => column.dataset.column).join(",");
  const address = new URL(over.querySelector("a").href);
  address.searchParams.set("draft", draft);
  // With a source the panel counts as asking, so that no link of the old order is followed meanwhile.
  htmx.ajax("GET", address.pathname + address.search, { source: dragged, target: "#panel-body", swap: "outerMorph" });
});
document.addEventListener("dragend", () => {
  dragged = null;
  for (const column of document.querySelectorAll("#chosen .is-over")) column.classList.remove("is-over");
});
// What run-table.css does for a pointer, for a keyboard: while the panel asks, its links carry the draft as it was.
document.addEventListener("click", (event) => {
  if (!event.target.closest("#panel-body")?.querySelector(".htmx-request")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);
