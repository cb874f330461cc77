// The Designer: puts its parts together. Everything it knows of the server is in data attributes of #designer.

import { createAutosave } from "./autosave.js";
import { createCanvas } from "./canvas.js";
import { createCommands, listenToButtons, listenToKeys } from "./commands.js";
import { listenToGestures } from "./gestures.js";
import { createMinimap } from "./minimap.js";
import { listenToPalette } from "./palette.js";
import { createPane } from "./pane.js";
import { createPorts } from "./ports.js";
import { createStore } from "./store.js";
import { listenToUpload } from "./upload.js";

const designer = document.getElementById("designer");
const words = designer.dataset;
const state = JSON.parse(document.getElementById("draft-state").textContent);
const say = (text) => { document.getElementById("live").textContent = text; };

async function post(address, body) {
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": designer.querySelector("[name=csrfmiddlewaretoken]").value },
      body: JSON.stringify(body),
    });
    return { status: response.status, answer: await response.json().catch(() => null) };
  } catch {
    return { status: 0, answer: null };
  }
}

async function ask(address, body) {
  const { status, answer } = await post(address, body);
  if (status !== 200) say(answer?.message || words.offline);
  return status === 200 ? answer : null;
}

document.getElementById("plain-draft").hidden = true;
designer.hidden = false;

const store = createStore(state);
const canvas = createCanvas(designer.querySelector(".canvas"), store, words);
const ports = createPorts(canvas, store, say, words);
const commands = createCommands(canvas, store, {
  say, words, layout: async () => (await ask(words.layoutUrl, { document: store.document }))?.positions,
});
store.subscribe(() => canvas.draw());
listenToGestures(canvas, store, ports);
listenToKeys(canvas, store, commands, ports);
listenToButtons(designer.querySelector(".designer-strip"), store, commands);
const palette = designer.querySelector(".palette");
listenToUpload(palette, listenToPalette(palette, canvas, store, (component) => ask(words.componentUrl, { component })), words);
createPane(designer.querySelector(".pane"), store);
createMinimap(designer.querySelector(".minimap"), canvas, store);

// --- Saving, and the YAML beside the canvas ---

const yaml = document.getElementById("draft-yaml");
// What was written as YAML stays until it is applied, which a save on its way comes before.
let isApplying = false;
const showProblems = () => {
  const general = store.problems.length;
  const line = document.getElementById("draft-problems");
  line.hidden = !general;
  line.querySelector("span").textContent = general;
  line.title = store.problems.map((problem) => [problem.step, problem.message].filter(Boolean).join(": ")).join("\n");
};
const autosave = createAutosave(store, {
  words,
  revision: state.revision,
  status: document.getElementById("draft-status"),
  save: (body) => post(words.saveUrl, body),
  onSaved(answer, isFromYaml) {
    if (isFromYaml) {
      store.change((next) => Object.assign(next, { document: answer.document, positions: answer.positions }));
      autosave.markSaved();
    }
    store.setProblems(answer.problems);
    showProblems();
    document.getElementById("draft-name").textContent = answer.document.name || "";
    if (isFromYaml || (yaml !== document.activeElement && !isApplying)) yaml.value = answer.yaml;
  },
});
yaml.value = state.yaml;
showProblems();
const views = [...designer.querySelectorAll("[data-view]")];
for (const button of views) {
  button.addEventListener("click", () => {
    for (const other of views) {
      other.setAttribute("aria-pressed", String(other === button));
      document.getElementById(other.dataset.view).hidden = other !== button;
    }
  });
}
document.getElementById("draft-yaml-apply").addEventListener("click", async () => {
  isApplying = true;
  await autosave.sendYaml(yaml.value);
  isApplying = false;
});

// --- Set up pipeline run ---

const dialog = document.getElementById("run-dialog");
let isSettingUp = false;
document.getElementById("draft-run")?.addEventListener("click", async (event) => {
  event.preventDefault();
  // Of a double click the second answer would take what is typed after the first.
  if (isSettingUp) return;
  isSettingUp = true;
  try {
    if (await autosave.flush()) await setUp();
  } finally {
    isSettingUp = false;
  }
});
async function setUp() {
  const response = await fetch(words.runUrl, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
  dialog.innerHTML = await response.text();
  globalThis.htmx.process(dialog);
  dialog.showModal();
}
dialog.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close]")) return;
  event.preventDefault();
  dialog.close();
});

canvas.draw();
canvas.fit();
