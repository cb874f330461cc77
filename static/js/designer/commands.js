// What the toolbar's buttons and the keys do, by name.

import { disconnect, paste, removeSteps, steps } from "./model.js";
import { reveal } from "./reveal.js";

const NEAR = 32;
const FAR = 128;

export function createCommands(canvas, store, { layout, say, words }) {
  let copied = null;

  const commands = {
    undo: () => store.undo(),
    redo: () => store.redo(),
    copy() {
      if (!store.selection.size) return;
      const names = [...store.selection];
      copied = {
        steps: Object.fromEntries(names.map((name) => [name, store.document.steps[name]])),
        places: Object.fromEntries(names.map((name) => [name, canvas.placeOf(name)])),
      };
      say(words.copied);
    },
    paste() {
      if (!copied) return;
      let called = {};
      store.change(({ document, positions }) => {
        called = paste(document, copied.steps);
        for (const [from, to] of Object.entries(called)) positions[to] = copied.places[from].map((part) => part + NEAR);
      });
      store.select(Object.values(called));
    },
    remove() {
      const { wire } = store;
      if (wire) return store.change(({ document }) => disconnect(document, wire));
      const gone = new Set(store.selection);
      if (!gone.size) return undefined;
      store.change(({ document, positions }) => {
        removeSteps(document, gone);
        for (const name of gone) delete positions[name];
      });
      return canvas.root.focus();
    },
    all: () => store.select(Object.keys(store.document.steps)),
    zoomIn: () => canvas.zoomAt(1.25),
    zoomOut: () => canvas.zoomAt(0.8),
    fit: () => canvas.fit(),
    async arrange() {
      const places = await layout();
      if (!places) return;
      // What was added meanwhile stays where it was put.
      store.change(({ document, positions }) => {
        for (const [name, place] of Object.entries(places)) if (name in steps(document)) positions[name] = place;
      });
      canvas.fit();
    },
    move(x, y, isFar) {
      const shift = isFar ? FAR : NEAR / 2;
      store.change(({ positions }) => {
        for (const name of store.selection) {
          const [left, top] = canvas.placeOf(name);
          positions[name] = [left + x * shift, top + y * shift];
        }
      }, "move");
    },
  };
  return commands;
}

export function listenToButtons(strip, store, commands) {
  strip.addEventListener("click", (event) => commands[event.target.closest("[data-command]")?.dataset.command]?.());
  const refresh = () => {
    const { canUndo: undo, canRedo: redo, selection, wire } = store;
    const able = { undo, redo, copy: selection.size, remove: selection.size || wire };
    for (const [name, isAble] of Object.entries(able)) {
      strip.querySelector(`[data-command="${name}"]`).disabled = !isAble;
    }
  };
  store.subscribe(refresh);
  refresh();
}

export function listenToKeys(canvas, store, commands, ports) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const withControl = { z: "undo", y: "redo", c: "copy", v: "paste", a: "all" };

  canvas.root.addEventListener("focusin", (event) => {
    const step = event.target.closest("[data-step]")?.dataset.step;
    if (step && event.target.matches(":focus-visible")) reveal(canvas, step);
  });
  canvas.root.addEventListener("keydown", (event) => {
    const step = event.target.closest("[data-step]")?.dataset.step;
    const isOnPort = Boolean(event.target.closest(".port"));
    const control = event.ctrlKey || event.metaKey;
    const name = control && (event.shiftKey && event.key.toLowerCase() === "z" ? "redo" : withControl[event.key.toLowerCase()]);
    if (name) commands[name]();
    else if (event.key === "Escape") ports.pending ? ports.cancel() : store.select([]);
    else if (event.key === "Delete" || event.key === "Backspace") {
      if (!isOnPort || !ports.cut(event.target)) commands.remove();
    } else if (arrows[event.key] && step && !isOnPort) {
      if (!store.selection.has(step)) store.select([step]);
      commands.move(...arrows[event.key], event.shiftKey);
    } else if (arrows[event.key] && event.target === canvas.root) {
      canvas.pan(...arrows[event.key].map((part) => -part * 48));
    } else if ((event.key === "Enter" || event.key === " ") && step && !isOnPort) {
      if (!ports.pending || !ports.press(event.target)) store.select([step]);
    } else if (event.key === "+" || event.key === "-") commands[event.key === "+" ? "zoomIn" : "zoomOut"]();
    else return;
    event.preventDefault();
  });
}
