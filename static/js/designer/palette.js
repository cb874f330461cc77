// The palette: searched as one types; a step is put on the canvas by a click, Enter, or by dragging it there.

import { HEIGHT, WIDTH } from "./geometry.js";
import { addStep, steps } from "./model.js";
import { reveal } from "./reveal.js";

export function listenToPalette(palette, canvas, store, fetchStep) {
  const search = palette.querySelector("input");

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of palette.querySelectorAll("[data-group]")) {
      let shown = 0;
      for (const item of group.querySelectorAll("li")) {
        item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
        shown += !item.hidden;
      }
      group.hidden = !shown;
      if (words.length) group.open = true;
    }
    palette.querySelector(".nothing").hidden = Boolean(palette.querySelector("[data-group]:not([hidden])"));
  });

  palette.addEventListener("click", (event) => {
    const button = event.target.closest("[data-component]");
    if (button) add(button.dataset.component);
  });
  palette.addEventListener("dragstart", (event) => {
    const button = event.target.closest?.("[data-component]");
    if (!button) return;
    event.dataTransfer.setData("text/x-component", button.dataset.component);
    event.dataTransfer.effectAllowed = "copy";
  });
  canvas.root.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("text/x-component")) event.preventDefault();
  });
  canvas.root.addEventListener("drop", (event) => {
    const component = event.dataTransfer.getData("text/x-component");
    if (!component) return;
    event.preventDefault();
    const [x, y] = canvas.toWorld(event.clientX, event.clientY);
    add(component, [Math.round(x - WIDTH / 2), Math.round(y - HEIGHT / 2)]);
  });

  async function add(component, place) {
    const found = await fetchStep(component);
    if (found) put(found, place);
  }

  function put(found, place = free()) {
    let name = "";
    store.change(({ document, positions }) => {
      name = addStep(document, found.name, found.step);
      if (Object.keys(found.parameters).length) document.parameters = { ...found.parameters, ...document.parameters };
      positions[name] = place;
    });
    // Who writes in the pane meanwhile is not led away.
    if (document.activeElement?.closest(".pane")) return;
    store.select([name]);
    reveal(canvas, name);
    canvas.nodeOf(name)?.focus({ preventScroll: true });
  }

  // Below the lowest step, so that nothing is covered.
  function free() {
    const places = Object.keys(steps(store.document)).map((name) => canvas.placeOf(name));
    if (!places.length) {
      const { width, height } = canvas.root.getBoundingClientRect();
      const at = canvas.root.getBoundingClientRect();
      const [x, y] = canvas.toWorld(at.left + width / 2, at.top + height / 4);
      return [Math.round(x - WIDTH / 2), Math.round(y)];
    }
    const lowest = places.reduce((a, b) => (b[1] > a[1] ? b : a));
    return [lowest[0], lowest[1] + HEIGHT + 68];
  }

  return put;
}
