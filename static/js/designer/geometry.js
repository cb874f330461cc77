// The measures of a drawing, as in runs/pipelines/drawing.py. Pure.

import { inputs, names } from "./model.js";

export const WIDTH = 220;
export const HEIGHT = 56;
export const ORDER_X = 16;
const SLACK = 28;

const portX = (ports, name, otherwise) => {
  const place = ports.indexOf(name);
  return place < 0 ? otherwise : (WIDTH * (place + 1)) / (ports.length + 1);
};

export const inputX = (step, name) => portX(inputs(step), name, ORDER_X);
export const outputX = (step, name) => portX(names(step.outputs), name, WIDTH - ORDER_X);

export function curve([fromX, fromY], [toX, toY]) {
  const bend = Math.max(SLACK, Math.abs(toY - fromY) / 2);
  return `M${fromX} ${fromY}C${fromX} ${fromY + bend} ${toX} ${toY - bend} ${toX} ${toY}`;
}

export function box(positions) {
  const all = Object.values(positions);
  if (!all.length) return { left: 0, top: 0, width: WIDTH, height: HEIGHT };
  const left = Math.min(...all.map(([x]) => x));
  const top = Math.min(...all.map(([, y]) => y));
  const right = Math.max(...all.map(([x]) => x)) + WIDTH;
  const bottom = Math.max(...all.map(([, y]) => y)) + HEIGHT;
  return { left, top, width: right - left, height: bottom - top };
}
