// Nodes as HTML and wires as SVG, redrawn from the store; and the view upon them: panned, zoomed, fitted.

import { HEIGHT, ORDER_X, WIDTH, box, curve, inputX, outputX } from "./geometry.js";
import { inputs, names, steps, wires } from "./model.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 0.2;
const MOST = 2;

export function createCanvas(root, store, words) {
  const world = root.querySelector(".world");
  const lines = root.querySelector(".wires");
  const nodes = new Map();
  const view = { x: 40, y: 40, zoom: 1 };
  const watchers = new Set();
  let dragged = {};

  const placeOf = (name) => dragged[name] || store.positions[name] || [0, 0];

  function applyView() {
    world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    root.style.setProperty("--grid", `${24 * view.zoom}px`);
    root.style.backgroundPosition = `${view.x}px ${view.y}px`;
    for (const watcher of watchers) watcher();
  }

  function draw() {
    const held = steps(store.document);
    for (const [name, node] of nodes) {
      if (!(name in held)) {
        node.remove();
        nodes.delete(name);
      }
    }
    for (const [name, step] of Object.entries(held)) drawNode(name, step);
    drawWires();
  }

  function drawNode(name, step) {
    const faults = store.problems.filter((problem) => problem.step === name);
    const what = step.script || names(step.command).join(" ");
    const key = JSON.stringify([inputs(step), names(step.outputs)]);
    let node = nodes.get(name);
    if (!node) {
      node = document.getElementById("node-template").content.firstElementChild.cloneNode(true);
      node.dataset.step = name;
      world.append(node);
      nodes.set(name, node);
    }
    node.setAttribute("aria-label", [name, what, ...faults.map((fault) => fault.message)].join(": "));
    node.querySelector(".node-name").textContent = name;
    node.querySelector(".node-note").textContent = (step.for_each ? `${words.each} · ` : "") + what;
    node.querySelector(".node-fault").hidden = !faults.length;
    node.title = faults.map((fault) => fault.message).join("\n");
    // Ports stay the same elements while they can: one of them may have the focus.
    if (node.dataset.key !== key) {
      node.dataset.key = key;
      node.querySelectorAll(".port").forEach((old) => old.remove());
      for (const input of inputs(step)) node.append(port("in", input, inputX(step, input), words.input));
      for (const output of names(step.outputs)) node.append(port("out", output, outputX(step, output), words.output));
      node.append(port("out", "", WIDTH - ORDER_X, words.order));
    }
    const [x, y] = placeOf(name);
    node.style.transform = `translate(${x}px, ${y}px)`;
    node.classList.toggle("is-chosen", store.selection.has(name));
    node.setAttribute("aria-current", String(store.selection.has(name)));
    node.classList.toggle("is-faulty", faults.length > 0);
  }

  function port(side, name, x, word) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `port port-${side}${name ? "" : " is-order"}`;
    button.dataset.side = side;
    button.dataset.port = name;
    button.title = name ? `${word}: ${name}` : word;
    button.setAttribute("aria-label", button.title);
    button.style.left = `${x}px`;
    return button;
  }

  function ends(wire) {
    const held = steps(store.document);
    const [fromX, fromY] = placeOf(wire.step);
    const [toX, toY] = placeOf(wire.target);
    return [
      [fromX + outputX(held[wire.step], wire.output), fromY + HEIGHT],
      [toX + inputX(held[wire.target], wire.input), toY],
    ];
  }

  function drawWires(pending = null) {
    const drawn = wires(store.document).flatMap((wire) => {
      const isChosen = JSON.stringify(wire) === JSON.stringify(store.wire);
      const path = line(ends(wire), `wire${wire.output ? "" : " is-order"}${isChosen ? " is-chosen" : ""}`);
      path.setAttribute("marker-end", "url(#wire-arrow)");
      // Wide and unseen: what a finger can hit.
      const hit = line(ends(wire), "wire-hit");
      hit.dataset.wire = JSON.stringify(wire);
      return [path, hit];
    });
    if (pending) drawn.push(line(pending, "wire is-pending"));
    lines.querySelector("g").replaceChildren(...drawn);
  }

  function line(between, name) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", curve(...between));
    path.setAttribute("class", name);
    return path;
  }

  const canvas = {
    root, view, draw, drawWires, placeOf,
    nodeOf: (name) => nodes.get(name),
    watch: (watcher) => watchers.add(watcher),
    drag(places) {
      dragged = places;
      for (const name of Object.keys(places)) drawNode(name, steps(store.document)[name]);
      drawWires();
    },
    toWorld(clientX, clientY) {
      const at = root.getBoundingClientRect();
      return [(clientX - at.left - view.x) / view.zoom, (clientY - at.top - view.y) / view.zoom];
    },
    pan(x, y) {
      view.x += x;
      view.y += y;
      applyView();
    },
    zoomAt(factor, x = root.clientWidth / 2, y = root.clientHeight / 2) {
      const zoom = Math.min(MOST, Math.max(LEAST, view.zoom * factor));
      view.x = x - ((x - view.x) * zoom) / view.zoom;
      view.y = y - ((y - view.y) * zoom) / view.zoom;
      view.zoom = zoom;
      applyView();
    },
    fit() {
      const all = box(Object.fromEntries(Object.keys(steps(store.document)).map((name) => [name, placeOf(name)])));
      const room = [root.clientWidth - 64, root.clientHeight - 64];
      view.zoom = Math.max(LEAST, Math.min(1, room[0] / all.width, room[1] / all.height));
      view.x = (root.clientWidth - all.width * view.zoom) / 2 - all.left * view.zoom;
      view.y = Math.max(32, (root.clientHeight - all.height * view.zoom) / 2) - all.top * view.zoom;
      applyView();
    },
  };
  return canvas;
}
