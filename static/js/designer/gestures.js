// Mouse, pen and touch: steps are dragged, the ground is panned or framed, two fingers zoom.

import { HEIGHT, WIDTH } from "./geometry.js";
import { steps } from "./model.js";

const GRID = 4;
const CLICK = 4;

export function listenToGestures(canvas, store, ports) {
  const { root } = canvas;
  const fingers = new Map();
  const frame = root.querySelector(".frame-box");
  let gesture = null;

  root.addEventListener("pointerdown", (event) => {
    if (event.button === 2 || event.target.closest(".minimap")) return;
    // A field of the pane is left only after this event: what was typed into it belongs to the step shown so far.
    if (document.activeElement?.closest(".pane")) document.activeElement.blur();
    // Which may have drawn anew what was pressed.
    const target = event.target.isConnected ? event.target : document.elementFromPoint(event.clientX, event.clientY);
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) return void (gesture = { kind: "pinch", ...pinch() });
    const port = target.closest(".port");
    if (port) {
      if (port.dataset.side === "out") ports.begin(port);
      gesture = { kind: "wire", from: event };
      return;
    }
    const name = target.closest("[data-step]")?.dataset.step;
    if (name && !ports.pending) gesture = takeNodes(event, name);
    else if (!name) gesture = event.shiftKey ? { kind: "frame", from: event } : pan(event, target);
    if (gesture) root.setPointerCapture(event.pointerId);
  });

  root.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (ports.pending) ports.follow(event.clientX, event.clientY);
    if (!gesture) return;
    if (gesture.kind === "pinch" && fingers.size === 2) {
      const next = pinch();
      const at = root.getBoundingClientRect();
      canvas.zoomAt(next.apart / gesture.apart, next.x - at.left, next.y - at.top);
      canvas.pan(next.x - gesture.x, next.y - gesture.y);
      gesture = { kind: "pinch", ...next };
    } else if (gesture.kind === "pan") {
      canvas.pan(event.clientX - gesture.latest.clientX, event.clientY - gesture.latest.clientY);
      gesture.latest = event;
    } else if (gesture.kind === "nodes") {
      canvas.drag(moved(gesture, event));
    } else if (gesture.kind === "frame") {
      drawFrame(gesture.from, event);
    }
  });

  root.addEventListener("pointerup", (event) => end(event, true));
  root.addEventListener("pointercancel", (event) => end(event, false));

  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = root.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      canvas.zoomAt(Math.exp(-event.deltaY / 300), event.clientX - at.left, event.clientY - at.top);
    } else {
      canvas.pan(event.shiftKey ? -event.deltaY : -event.deltaX, event.shiftKey ? 0 : -event.deltaY);
    }
  }, { passive: false });

  function end(event, isDone) {
    fingers.delete(event.pointerId);
    const ended = gesture;
    gesture = null;
    frame.hidden = true;
    if (!ended || ended.kind === "pinch") return;
    const isClick = Math.hypot(event.clientX - ended.from.clientX, event.clientY - ended.from.clientY) < CLICK;
    if (ended.kind === "wire") {
      // A click leaves the wire at the pointer, to be ended by the next click; a drag ends it here.
      if (!isClick) ports.end(document.elementFromPoint(event.clientX, event.clientY));
    } else if (ended.kind === "nodes") {
      canvas.drag({});
      if (isDone && !isClick) store.change((next) => Object.assign(next.positions, moved(ended, event)));
    } else if (ended.kind === "pan" && isClick) {
      ports.cancel();
      if (ended.wire) store.selectWire(JSON.parse(ended.wire));
      else store.select([]);
    } else if (ended.kind === "frame") {
      store.select(framed(ended.from, event));
    }
  }

  function pan(event, target) {
    // Kept from the start: what is captured is no longer told what was pressed.
    return { kind: "pan", from: event, latest: event, wire: target.closest(".wire-hit")?.dataset.wire };
  }

  function takeNodes(event, name) {
    if (event.shiftKey || event.ctrlKey || event.metaKey) {
      const chosen = new Set(store.selection);
      if (!chosen.delete(name)) chosen.add(name);
      store.select(chosen);
    } else if (!store.selection.has(name)) {
      store.select([name]);
    }
    return { kind: "nodes", from: event, places: Object.fromEntries([...store.selection].map((each) => [each, canvas.placeOf(each)])) };
  }

  function moved({ from, places }, event) {
    const shift = [event.clientX - from.clientX, event.clientY - from.clientY].map((part) => part / canvas.view.zoom);
    return Object.fromEntries(Object.entries(places).map(([name, place]) => [
      name, place.map((part, axis) => Math.round((part + shift[axis]) / GRID) * GRID),
    ]));
  }

  function pinch() {
    const [a, b] = [...fingers.values()];
    return {
      x: (a.clientX + b.clientX) / 2,
      y: (a.clientY + b.clientY) / 2,
      apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1,
    };
  }

  function drawFrame(from, to) {
    const at = root.getBoundingClientRect();
    frame.hidden = false;
    frame.style.left = `${Math.min(from.clientX, to.clientX) - at.left}px`;
    frame.style.top = `${Math.min(from.clientY, to.clientY) - at.top}px`;
    frame.style.width = `${Math.abs(from.clientX - to.clientX)}px`;
    frame.style.height = `${Math.abs(from.clientY - to.clientY)}px`;
  }

  function framed(from, to) {
    const [a, b] = [canvas.toWorld(from.clientX, from.clientY), canvas.toWorld(to.clientX, to.clientY)];
    const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
    const [top, bottom] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
    return Object.keys(steps(store.document)).filter((name) => {
      const [x, y] = canvas.placeOf(name);
      return x + WIDTH > left && x < right && y + HEIGHT > top && y < bottom;
    });
  }
}
