// Saves what changed after a moment, one save at a time, with the revision that it knows: two tabs lose nothing.

const QUIET = 500;
const AGAIN = 5000;

export function createAutosave(store, { save, revision, status, words, onSaved }) {
  let known = revision;
  let saved = store.document;
  let savedPlaces = store.positions;
  let timer = 0;
  let running = null;
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

  const autosave = {
    // Resolves when all is saved, or false where that failed.
    async flush() {
      clearTimeout(timer);
      await running;
      while (isDirty() && !isLost) {
        running = send();
        if (!(await running)) return false;
      }
      return !isLost;
    },
    // YAML of the pane, in place of the document.
    async sendYaml(yaml) {
      if (!(await autosave.flush())) return false;
      running = send({ yaml });
      return running;
    },
    markSaved() {
      [saved, savedPlaces] = [store.document, store.positions];
    },
  };

  store.subscribe((what) => {
    if (what !== "change" || !isDirty() || isLost) return;
    clearTimeout(timer);
    timer = setTimeout(autosave.flush, QUIET);
  });
  addEventListener("beforeunload", (event) => {
    if (isDirty() && !isLost) event.preventDefault();
  });
  return autosave;
}
