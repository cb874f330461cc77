// The pane beside the canvas: the form of the step that is selected, else that of the whole pipeline.

import { read, write } from "./fields.js";
import { renameStep, steps } from "./model.js";

export function createPane(pane, store) {
  const stepForm = pane.querySelector("#step-pane");
  const pipelineForm = pane.querySelector("#pipeline-pane");
  let shown = null;

  const chosen = () => (store.selection.size === 1 ? [...store.selection][0] : null);

  function show() {
    const name = chosen();
    stepForm.hidden = name === null;
    pipelineForm.hidden = name !== null;
    const isOther = shown !== name;
    shown = name;
    if (name === null) fill(pipelineForm, store.document, store.document.name ?? "", isOther);
    else fill(stepForm, steps(store.document)[name], name, isOther);
    tellProblems(name === null ? pipelineForm : stepForm, name ?? "");
  }

  function fill(form, part, name, isOther) {
    if (form === stepForm) form.querySelector("h2").textContent = name;
    for (const field of form.elements) {
      if (!field.name || (!isOther && field === document.activeElement)) continue;
      const kind = field.dataset.kind;
      if (field.name === "name") field.value = name;
      else if (kind === "flag") field.checked = part[field.name] ?? field.dataset.default === "true";
      else field.value = write(kind || "text", part[field.name]);
    }
  }

  function tellProblems(form, step) {
    form.querySelectorAll(".fault").forEach((fault) => fault.remove());
    form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
    const faults = store.problems.filter((problem) => problem.step === step);
    for (const problem of faults) {
      const field = form.elements[problem.field.split(".")[0]];
      const line = document.createElement("p");
      line.className = "fault";
      line.textContent = problem.message;
      if (field?.closest) {
        field.setAttribute("aria-invalid", "true");
        const folded = field.closest("details");
        if (folded) folded.open = true;
        field.closest(".field, .check").append(line);
      } else {
        form.querySelector(".faults").append(line);
      }
    }
  }

  function change(form, field) {
    const { name } = field;
    const old = form === stepForm ? shown : null;
    if (name === "name") return rename(field, old);
    const kind = field.dataset.kind || "text";
    const value = kind === "flag" ? field.checked : read(kind, field.value);
    const isDefault = value === undefined || (kind === "flag" && String(value) === field.dataset.default);
    store.change(({ document }) => {
      const part = old === null ? document : document.steps[old];
      // What was not touched is kept as it is, whatever its form.
      if (kind !== "flag" && write(kind, part[name]) === field.value) return;
      if (isDefault) delete part[name];
      else part[name] = value;
    });
  }

  function rename(field, old) {
    const name = field.value.trim();
    if (old === null) return store.change(({ document }) => { document.name = name; });
    if (!name || (name !== old && name in steps(store.document))) return void (field.value = old);
    if (name === old) return undefined;
    store.change((next) => {
      renameStep(next.document, old, name);
      next.positions[name] = next.positions[old];
      delete next.positions[old];
    });
    return store.select([name]);
  }

  for (const form of [stepForm, pipelineForm]) {
    form.addEventListener("change", (event) => change(form, event.target));
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  store.subscribe(show);
  show();
}
