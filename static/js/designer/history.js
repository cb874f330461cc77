// Undo and redo over values that are never changed in place. Pure.

const LONGEST = 200;

export function createHistory(first) {
  let past = [];
  let future = [];
  let now = first;
  let latestKey = null;

  return {
    get now() { return now; },
    get canUndo() { return past.length > 0; },
    get canRedo() { return future.length > 0; },

    // Changes with the same key, one after the other, are undone together.
    push(value, key = null) {
      if (key === null || key !== latestKey) past = [...past, now].slice(-LONGEST);
      latestKey = key;
      future = [];
      now = value;
    },

    undo() {
      if (!past.length) return;
      future = [now, ...future];
      now = past.at(-1);
      past = past.slice(0, -1);
      latestKey = null;
    },

    redo() {
      if (!future.length) return;
      past = [...past, now];
      [now, ...future] = future;
      latestKey = null;
    },
  };
}
