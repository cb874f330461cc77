// What can be done to a pipeline's document. Each function changes the copy that it is given. Pure.

const OUTPUT = /^\s*\$\{\{\s*steps\.([A-Za-z0-9_.-]+)\.outputs\.([A-Za-z0-9_-]+)\s*\}\}\s*$/;

export const reference = (step, output) => `\${{ steps.${step}.outputs.${output} }}`;

export function sourceOf(value) {
  const match = OUTPUT.exec(typeof value === "string" ? value : "");
  return match && { step: match[1], output: match[2] };
}

export const steps = (document) => document.steps || {};
export const names = (value) => (Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);
export const inputs = (step) => Object.keys(step.inputs && typeof step.inputs === "object" ? step.inputs : {});

// All lines between steps that are there; those of mere order have no ports.
export function wires(document) {
  const found = [];
  for (const [target, step] of Object.entries(steps(document))) {
    for (const input of inputs(step)) {
      const source = sourceOf(step.inputs[input]);
      if (source && steps(document)[source.step]) found.push({ ...source, target, input });
    }
    for (const before of names(step.depends_on)) {
      if (steps(document)[before]) found.push({ step: before, output: "", target, input: "" });
    }
  }
  return found;
}

export function freeName(wanted, taken) {
  let name = wanted;
  for (let number = 2; name in taken; number++) name = `${wanted}_${number}`;
  return name;
}

export function addStep(document, wanted, step) {
  document.steps ||= {};
  const name = freeName(wanted, document.steps);
  document.steps[name] = step;
  return name;
}

export function removeSteps(document, gone) {
  for (const name of gone) delete document.steps[name];
  for (const step of Object.values(document.steps)) {
    for (const input of inputs(step)) {
      if (gone.has(sourceOf(step.inputs[input])?.step)) step.inputs[input] = "";
    }
    if (step.depends_on) setNames(step, "depends_on", names(step.depends_on).filter((name) => !gone.has(name)));
  }
}

export function renameStep(document, from, to) {
  // Rebuilt, so that the order of the steps stays.
  document.steps = Object.fromEntries(
    Object.entries(document.steps).map(([name, step]) => [name === from ? to : name, step]),
  );
  for (const step of Object.values(document.steps)) {
    for (const input of inputs(step)) {
      const source = sourceOf(step.inputs[input]);
      if (source?.step === from) step.inputs[input] = reference(to, source.output);
    }
    if (step.depends_on) step.depends_on = names(step.depends_on).map((name) => (name === from ? to : name));
  }
}

// Without an output only the order is tied; without an input a new one is made, named after the output.
export function connect(document, { step, output, target, input }) {
  const into = document.steps[target];
  if (!into || step === target) return false;
  if (!output) {
    if (!names(into.depends_on).includes(step)) into.depends_on = [...names(into.depends_on), step];
    return true;
  }
  into.inputs ||= {};
  into.inputs[input || freeName(output, into.inputs)] = reference(step, output);
  return true;
}

export function disconnect(document, { step, target, input }) {
  const into = document.steps[target];
  if (input) into.inputs[input] = "";
  else setNames(into, "depends_on", names(into.depends_on).filter((name) => name !== step));
}

// Copies of steps, tied among themselves as the originals are, and to nothing that is not there.
export function paste(document, copied) {
  const called = {};
  for (const [name, step] of Object.entries(copied)) called[name] = addStep(document, name, structuredClone(step));
  for (const name of Object.values(called)) {
    const step = document.steps[name];
    for (const input of inputs(step)) {
      const source = sourceOf(step.inputs[input]);
      if (source && called[source.step]) step.inputs[input] = reference(called[source.step], source.output);
      else if (source && !document.steps[source.step]) step.inputs[input] = "";
    }
    if (step.depends_on) setNames(step, "depends_on", names(step.depends_on).map((each) => called[each] || each)
      .filter((each) => document.steps[each]));
  }
  return called;
}

function setNames(step, field, value) {
  if (value.length) step[field] = value;
  else delete step[field];
}
