// Connecting: from an output to an input or anywhere on a step, by drag, by two clicks, or by Enter twice.

import { HEIGHT, outputX } from "./geometry.js";
import { connect, disconnect, inputs, sourceOf, steps } from "./model.js";

export function createPorts(canvas, store, say, words) {
  let pending = null;

  const start = () => {
    const [x, y] = canvas.placeOf(pending.step);
    return [x + outputX(store.document.steps[pending.step], pending.output), y + HEIGHT];
  };

  const ports = {
    get pending() { return pending; },

    begin(port) {
      pending = { step: port.closest("[data-step]").dataset.step, output: port.dataset.port };
      canvas.root.classList.add("is-connecting");
      say(words.connecting);
    },
    follow(clientX, clientY) {
      canvas.drawWires([start(), canvas.toWorld(clientX, clientY)]);
    },
    end(element) {
      const target = element?.closest?.("[data-step]")?.dataset.step;
      const input = element?.closest?.(".port-in")?.dataset.port || "";
      const from = pending;
      ports.cancel();
      if (!from || !target || target === from.step) return;
      store.change(({ document }) => connect(document, { ...from, target, input }));
      say(`${from.step} → ${target}`);
    },
    cancel() {
      if (!pending) return;
      pending = null;
      canvas.root.classList.remove("is-connecting");
      canvas.drawWires();
    },
    // Whether the key or click was about a connection.
    press(element) {
      const port = element.closest(".port");
      if (pending && element.closest("[data-step]")?.dataset.step !== pending.step) {
        ports.end(element);
        return true;
      }
      if (port?.dataset.side === "out") {
        ports.begin(port);
        return true;
      }
      return Boolean(port);
    },
    // Takes off what leads to an input; without one, the line of an order.
    cut(element) {
      const target = element.closest("[data-step]")?.dataset.step;
      const input = element.closest(".port-in")?.dataset.port;
      if (!target || !inputs(store.document.steps[target]).includes(input)) return false;
      const source = sourceOf(store.document.steps[target].inputs[input]);
      store.change(({ document }) => {
        if (source) disconnect(document, { step: source.step, target, input });
        else delete document.steps[target].inputs[input];
      });
      return true;
    },
  };

  // The step may go while a line from it is drawn: taken back, or by another document.
  store.subscribe(() => {
    if (pending && !(pending.step in steps(store.document))) ports.cancel();
  });
  canvas.root.addEventListener("click", (event) => {
    const isKey = event.detail === 0; // Enter or space on a button
    if (isKey && event.target.closest(".port")) ports.press(event.target);
    else if (!isKey && pending && event.target.closest("[data-step]")?.dataset.step !== pending.step) ports.end(event.target);
  });
  return ports;
}
