// The one place that holds what is drawn: document and positions with their history, and what is selected.

import { createHistory } from "./history.js";
import { steps } from "./model.js";

export function createStore({ document, positions, problems }) {
  const history = createHistory({ document, positions });
  const listeners = new Set();
  let selection = new Set();
  let wire = null;
  let faults = problems;

  const tell = (what) => { for (const listener of listeners) listener(what); };
  const settle = () => {
    selection = new Set([...selection].filter((name) => name in steps(history.now.document)));
    wire = null;
    tell("change");
  };

  return {
    get document() { return history.now.document; },
    get positions() { return history.now.positions; },
    get selection() { return selection; },
    get wire() { return wire; },
    get problems() { return faults; },
    get canUndo() { return history.canUndo; },
    get canRedo() { return history.canRedo; },
    subscribe(listener) { listeners.add(listener); },

    // `recipe` changes a copy; with the same `key`, changes in a row are undone together.
    change(recipe, key = null) {
      const next = structuredClone(history.now);
      recipe(next);
      if (JSON.stringify(next) === JSON.stringify(history.now)) return;
      history.push(next, key);
      settle();
    },
    undo() { history.undo(); settle(); },
    redo() { history.redo(); settle(); },
    select(names) {
      selection = new Set(names);
      wire = null;
      tell("selection");
    },
    selectWire(chosen) {
      selection = new Set();
      wire = chosen;
      tell("selection");
    },
    setProblems(found) {
      faults = found;
      tell("problems");
    },
  };
}
