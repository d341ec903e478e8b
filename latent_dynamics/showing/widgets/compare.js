// What the scrubber and the live dream share: a second model beside the first, another pole as an outline.

import { chooser, svgElement } from "../page/common.js";

/**
 * { node, place(x, theta) } in metres and radians, over frames of the default view (600 x 160 screen pixels), however they are
 * stretched; without finite numbers it is hidden. `place` also takes a kind, "truth" or "physics", by which it is drawn.
 */
export function poleOutline() {
  const pole = svgElement("rect", { x: -5, y: -120, width: 10, height: 125, rx: 2 });
  const cart = svgElement("rect", { x: -25, y: -7.5, width: 50, height: 30, rx: 2 });
  const both = svgElement("g", {}, cart, pole);
  const node = svgElement("svg", { class: "ld-outline", viewBox: "0 160 600 160", preserveAspectRatio: "none", "aria-hidden": "true" }, both);
  const place = (x, theta, kind = "truth") => {
    node.setAttribute("data-of", kind);
    node.style.display = Number.isFinite(x) && Number.isFinite(theta) ? "" : "none";
    if (node.style.display) return;
    both.setAttribute("transform", `translate(${300 + 125 * x} 292.5)`); // 125 pixels a metre; the axle's row
    pole.setAttribute("transform", `rotate(${theta * 180 / Math.PI})`);
  };
  return { node, place };
}

/** The number of the model beside the one shown; -1 where there is none. */
export const besideOf = (model) => (model.get("beside") === model.get("model") ? -1 : model.get("beside"));

/** The lists of the model shown and of the one that it is compared with, where there is a choice: { nodes, show }. */
export function modelLists(model, set) {
  const names = model.get("names");
  const first = chooser("Model", names, (m) => set({ model: m, ...(m === model.get("beside") && { beside: model.get("model") }) }));
  const second = chooser("Compared with", ["no other model", ...names], (line) => set({ beside: line - 1 }));
  const show = () => {
    first.show(model.get("model"));
    second.show(besideOf(model) + 1);
    second.node.querySelectorAll("option").forEach((option, line) => { option.disabled = line - 1 === model.get("model"); });
  };
  return { nodes: names.length > 1 ? [first.node, second.node] : [], show };
}
