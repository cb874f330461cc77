// Fields of a step as text that one types, and back. runs/forms/pipeline_text.py does the same for forms. Pure.

import { reference, sourceOf } from "./model.js";

const PARAMETER = /^\$\{\{\s*parameters\.([A-Za-z0-9_-]+)\s*\}\}$/;

const parsed = (text) => { try { return JSON.parse(text); } catch { return undefined; } };
const word = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const quoted = (text) => (!text || text !== text.trim() || text.includes("\n") || text[0] === '"' ? JSON.stringify(text) : text);
const unquoted = (line) => {
  const text = line.trim();
  const value = text[0] === '"' ? parsed(text) : undefined;
  return typeof value === "string" ? value : text;
};
const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const rows = (text) => text.split("\n").filter((line) => line.trim());
const pair = (line) => {
  const at = line.indexOf("=");
  return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
};
const listed = (text) => {
  const named = /^parameters\.([A-Za-z0-9_-]+)$/.exec(text);
  if (named) return `\${{ parameters.${named[1]} }}`;
  if (text.startsWith("${{")) return text;
  if (text.startsWith("[")) return parsed(text) ?? text;
  return text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
    const value = parsed(part);
    return ["number", "string", "boolean"].includes(typeof value) ? value : part;
  });
};
const wire = (value) => {
  const source = sourceOf(value);
  return source ? `${source.step}.${source.output}` : word(value);
};
const unwire = (text) => {
  const at = text.lastIndexOf(".");
  return at > 0 && !text.startsWith("${{") ? reference(text.slice(0, at), text.slice(at + 1)) : text;
};
const typed = (kind, text) => {
  const value = parsed(kind === "boolean" ? text.toLowerCase() : text);
  if (kind === "string") return text;
  return value === undefined && kind === "list" ? listed(text) : value ?? text;
};

export function write(kind, value) {
  if (value === undefined || value === null || value === "") return "";
  const pairs = (text) => Object.entries(value).map(text).join("\n");
  if (kind === "lines" && Array.isArray(value)) return value.map((each) => quoted(String(each))).join("\n");
  if (kind === "requirements" && Array.isArray(value)) return value.join("\n");
  if (kind === "names" && Array.isArray(value)) return value.join(", ");
  if (kind === "pairs" && isMapping(value)) return pairs(([name, each]) => `${name}=${quoted(word(each))}`);
  if (kind === "wires" && isMapping(value)) return pairs(([name, each]) => `${name} = ${wire(each)}`.trimEnd());
  if (kind === "parameters" && isMapping(value)) {
    return pairs(([name, each]) => `${name}: ${each?.type ?? "string"}`
      + (each?.default === undefined ? "" : ` = ${quoted(word(each.default))}`));
  }
  if (kind === "each" && isMapping(value) && Object.keys(value).length === 1) {
    const [[name, values]] = Object.entries(value);
    const named = PARAMETER.exec(typeof values === "string" ? values.trim() : "");
    return `${name} = ${named ? `parameters.${named[1]}` : JSON.stringify(values)}`;
  }
  return word(value);
}

// Undefined is an empty field.
export function read(kind, text) {
  if (!text.trim()) return undefined;
  if (kind === "lines") return rows(text).map(unquoted);
  if (kind === "names") return text.split(/[\s,]+/).filter(Boolean);
  if (kind === "pairs") return Object.fromEntries(rows(text).map(pair).map(([name, each]) => [name, unquoted(each)]));
  if (kind === "wires") return Object.fromEntries(rows(text).map(pair).map(([name, each]) => [name, unwire(each)]));
  if (kind === "each") return Object.fromEntries([pair(text.trim())].map(([name, each]) => [name, listed(each)]));
  if (kind === "number") return Number(text);
  if (kind === "requirements") return rows(text).length > 1 ? rows(text) : text.trim();
  if (kind === "parameters") return Object.fromEntries(rows(text).map(declared));
  return text.trim();
}

function declared(line) {
  const at = line.indexOf("=");
  const [name, type = ""] = (at < 0 ? line : line.slice(0, at)).split(":").map((part) => part.trim());
  const kind = type || "string";
  return [name, at < 0 ? { type: kind } : { type: kind, default: typed(kind, unquoted(line.slice(at + 1))) }];
}
