// The navigator: the whole drawing in small, with what is seen of it; a press moves the view there.

import { HEIGHT, WIDTH, box } from "./geometry.js";
import { steps } from "./model.js";

const SVG = "http://www.w3.org/2000/svg";

export function createMinimap(svg, canvas, store) {
  function seen() {
    const { view, root } = canvas;
    return [-view.x / view.zoom, -view.y / view.zoom, root.clientWidth / view.zoom, root.clientHeight / view.zoom];
  }

  function rectangle(x, y, width, height, name) {
    const rect = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ x, y, width, height, class: name })) rect.setAttribute(key, value);
    return rect;
  }

  function draw() {
    const names = Object.keys(steps(store.document));
    const places = names.map((name) => canvas.placeOf(name));
    const window = seen();
    const all = box({ ...Object.fromEntries(places.map((place, number) => [number, place])) });
    const left = Math.min(all.left, window[0]);
    const top = Math.min(all.top, window[1]);
    const right = Math.max(all.left + all.width, window[0] + window[2]);
    const bottom = Math.max(all.top + all.height, window[1] + window[3]);
    svg.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    svg.replaceChildren(
      ...places.map(([x, y], number) => rectangle(x, y, WIDTH, HEIGHT, store.selection.has(names[number]) ? "is-chosen" : "")),
      rectangle(...window, "seen"),
    );
  }

  function go(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const { view, root } = canvas;
    canvas.pan(root.clientWidth / 2 - point.x * view.zoom - view.x, root.clientHeight / 2 - point.y * view.zoom - view.y);
  }

  svg.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    svg.setPointerCapture(event.pointerId);
    go(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (event.buttons) go(event);
  });
  canvas.watch(draw);
  store.subscribe(draw);
  draw();
}
