// What the scrubber and the live dream share: a second model beside the first, another pole as an outline, lines of a curve.

/**
 * { node, place(x, theta) } in metres and radians, over frames of the default view (600 x 160 screen pixels), however they are
 * stretched; without finite numbers it is hidden. `place` also takes a kind, "truth" or "physics", by which it is drawn.
 */
function poleOutline() {
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
const besideOf = (model) => (model.get("beside") === model.get("model") ? -1 : model.get("beside"));

/** The lists of the model shown and of the one that it is compared with, where there is a choice: { nodes, show }. */
function modelLists(model, set) {
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

/** A bit of a line as the curve draws it, and what it stands for. */
const lineSample = (line, words) => element("span", { class: "ld-sample" },
  svgElement("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, svgElement("path", { ...line, d: "M1 5H25" })), words);

/** A line through values from step `first` on; a step without a pole that can be read leaves a gap. */
function linePath(values, first, x, y, line) {
  const points = values.map((value, i) => (Number.isFinite(value)
    ? `${Number.isFinite(values[i - 1]) ? "L" : "M"}${x(first + i).toFixed(1)} ${y(value).toFixed(1)}` : ""));
  return svgElement("path", { ...line, d: points.join("") });
}

/** Crosses, `top` pixels down, over the steps from 1 on without a pole that can be read. */
function crossesAt(angles, x, top, kind) {
  const crosses = angles.map((angle, i) => (Number.isFinite(angle) ? "" : `M${x(i + 1) - 3} ${top}l6 6m0 -6l-6 6`));
  return svgElement("path", { class: `ld-lost ld-${kind}`, d: crosses.join("") });
}

/** Lets a curve be scrubbed: calls `onscrub` with the step under the pointer that is down. */
function scrubbed(svg, x, onscrub) {
  const scrub = ({ clientX }) => onscrub(Math.round(1 + (clientX - svg.getBoundingClientRect().left - x(1)) / (x(2) - x(1) || 1)));
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); scrub(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) scrub(event); });
}
