// Saves what changed after a moment, one save at a time, with the revision that it knows: two tabs lose nothing.

const QUIET = 500;
const AGAIN = 5000;

export function createAutosave(store, { save, revision, status, words, onSaved }) {
  let known = revision;
  let saved = store.document;
  let savedPlaces = store.positions;
  let timer = 0;
  let line = Promise.resolve();
  let isLost = false;

  const isDirty = () => store.document !== saved || store.positions !== savedPlaces;

  function tell(word, isFault = false) {
    status.textContent = word;
    status.classList.toggle("is-fault", isFault);
  }

  async function send(body) {
    const [document, positions] = [store.document, store.positions];
    tell(words.saving);
    const { status: code, answer } = await save({ revision: known, positions, ...(body || { document }) });
    if (code === 200) {
      known = answer.revision;
      [saved, savedPlaces] = [document, positions];
      tell(words.saved);
      onSaved(answer, Boolean(body));
      return true;
    }
    isLost = code === 409;
    tell(answer?.message || words.offline, true);
    if (isLost) showConflict(answer.message);
    // The server is away for a moment: what was drawn is saved once it is back.
    else if (!body && (code === 0 || code >= 500)) timer = setTimeout(autosave.flush, AGAIN);
    return false;
  }

  function showConflict(message) {
    const box = globalThis.document.getElementById("draft-conflict");
    box.querySelector("p").textContent = message;
    box.hidden = false;
  }

  // Does `work` once all before it is done: two saves that knew the same revision would be a conflict with oneself.
  function inTurn(work) {
    clearTimeout(timer);
    line = line.then(work, work);
    return line;
  }

  async function sendAll() {
    while (isDirty() && !isLost) if (!(await send())) return false;
    if (!isLost) tell(words.saved);
    return !isLost;
  }

  const autosave = {
    // Resolves when all is saved, or false where that failed.
    flush: () => inTurn(sendAll),
    // YAML of the pane, in place of the document.
    sendYaml: (yaml) => inTurn(async () => (await sendAll()) && send({ yaml })),
    markSaved() {
      [saved, savedPlaces] = [store.document, store.positions];
    },
  };

  store.subscribe((what) => {
    if (what !== "change" || !isDirty() || isLost) return;
    clearTimeout(timer);
    tell(words.saving);
    timer = setTimeout(autosave.flush, QUIET);
  });
  addEventListener("beforeunload", (event) => {
    if (isDirty() && !isLost) event.preventDefault();
  });
  return autosave;
}
