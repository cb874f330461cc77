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
  htmx.ajax("GET", address.pathname + address.search, { target: "#panel-body", swap: "outerMorph" });
});
document.addEventListener("dragend", () => {
  dragged = null;
  for (const column of document.querySelectorAll("#chosen .is-over")) column.classList.remove("is-over");
});
