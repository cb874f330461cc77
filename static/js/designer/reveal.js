// Pans until a step is seen whole: one that was just added, or that the keyboard has come to.

import { HEIGHT, WIDTH } from "./geometry.js";

const EDGE = 24;

export function reveal(canvas, name) {
  const { root, view } = canvas;
  // Browsers scroll to what has the focus, also where nothing is to be scrolled.
  root.scrollTo(0, 0);
  const [left, top] = canvas.placeOf(name);
  canvas.pan(
    missing(left * view.zoom + view.x, WIDTH * view.zoom, root.clientWidth),
    missing(top * view.zoom + view.y, HEIGHT * view.zoom, root.clientHeight),
  );
}

const missing = (start, length, room) => Math.max(EDGE - start, 0) || Math.min(room - EDGE - start - length, 0);
