// A question whose answer is a curve: the reader draws it, commits, and sees what was measured over it.
// The model's traits are the only state: every stroke sets a trait, every trait change draws.

import { element, furnish, keepKeys, listen, oncePerFrame, onResize, setterOf, svgElement } from "../../page/common.js";
import { lineSample, ticks } from "../curves.js";
import { commitment, mark, memoryOf, spoken } from "../question/question.js";

const HEIGHT = 270;
const MARGIN = { left: 40, right: 14, top: 14, bottom: 40 };
const SHAPES = {
  flat: "a flat line", falls: "a falling line", straight: "nearly a straight line",
  "levels off": "a curve that levels off", "bends up": "a curve that bends upwards",
};
const present = (heights) => heights.filter((height) => height !== null);
const decimals = (top) => (top >= 50 ? 0 : top >= 2 ? 1 : 2);

/** Which of SHAPES a curve has: by its rise, and by how far its middle lies off the straight line between its ends. */
export function shapeOf(heights, top) {
  const rise = heights.at(-1) - heights[0];
  if (Math.abs(rise) < 0.07 * top) return "flat";
  if (rise < 0) return "falls";
  const last = heights.length - 1;
  const sag = heights.reduce((sum, height, i) => sum + height - heights[0] - (rise * i) / last, 0) / (last + 1) / rise;
  return sag > 0.06 ? "levels off" : sag < -0.06 ? "bends up" : "straight";
}

/** What is true of the drawing beside the measured curve: both shapes, the largest gaps, and both ends. */
function compare(drawn, measured, top) {
  const known = measured.map((height, i) => (height === null ? -1 : i)).filter((i) => i >= 0);
  const off = known.map((i) => ({ i, by: drawn[i] - measured[i] }));
  const side = (sign) => {
    const steps = off.filter(({ by }) => sign * by > 0.04 * top);
    return { count: steps.length, worst: steps.reduce((most, step) => (sign * step.by > sign * (most?.by ?? 0) ? step : most), null) };
  };
  const last = known.at(-1);
  const end = drawn[last] < 0.7 * measured[last] ? "too low" : drawn[last] > 1.4 * measured[last] ? "too high" : "";
  return {
    above: side(1), below: side(-1), last, end, known: known.length, whole: known.length === measured.length,
    drawnShape: shapeOf(known.map((i) => drawn[i]), top), shape: shapeOf(known.map((i) => measured[i]), top),
  };
}

/** The comparison in sentences, then the lessons that fit its mistakes. */
function judge(model) {
  const [x, drawn, top, unit, lessons, gap] = ["x", "drawn", "top", "unit", "lessons", "gap"].map((name) => model.get(name));
  const [, measured] = model.get("curves")[0];
  const found = compare(drawn, measured, top);
  const say = (height) => `${height.toFixed(decimals(top))} ${unit}`;
  const where = (i) => `${model.get("x_label").split(" ")[0]} ${x[i]}`;
  const side = ({ count, worst }, word) => (count
    ? ` Your line is ${word} it at ${count} of ${found.known} points, most at ${where(worst.i)}: by ${say(Math.abs(worst.by))}.` : "");
  const off = side(found.below, "below") + side(found.above, "above") || " Your line follows it closely all the way.";
  const ends = `At ${where(found.last)} you drew ${say(drawn[found.last])}; measured were ${say(measured[found.last])}.`;
  const sameShape = found.drawnShape === found.shape;
  const shapes = sameShape
    ? mark("right", `The shape is right: ${SHAPES[found.shape]}.`)
    : mark("wrong", `You drew ${SHAPES[found.drawnShape]}; measured was ${SHAPES[found.shape]}.`);
  return [
    element("p", {}, mark(found.end ? "wrong" : "right", found.end ? `Your end is ${found.end}.` : "Your end is close."), ` ${ends}${off}`),
    ...(found.whole ? [] : spoken(gap)),
    element("p", {}, shapes, ` ${lessons[sameShape ? "right shape" : found.drawnShape] ?? ""}`),
    ...spoken(lessons[found.end]),
    ...spoken(model.get("evidence")),
  ];
}

/** The reader's stroke from point `from` to (i, height): what it has not reached yet goes on level. */
function stroke(drawn, reach, from, i, height, start) {
  const next = drawn.slice();
  const [a, b] = from ? [from.i, i] : [0, i];
  const begin = from ? from.height : start;
  for (let j = Math.min(a, b); j <= Math.max(a, b); j++) next[j] = a === b ? height : begin + ((height - begin) * (j - a)) / (b - a);
  for (let j = Math.max(reach, i) + 1; i >= reach && j < next.length; j++) next[j] = height;
  return next;
}

/** Lifts one handle, and less and less of the line towards its neighbours. */
function lift(drawn, handles, which, height) {
  const at = handles[which];
  const by = height - drawn[at];
  const left = handles[which - 1] ?? at - 1;
  const right = handles[which + 1] ?? at + 1;
  return drawn.map((old, j) => old + by * Math.max(0, j <= at ? (j - left) / (at - left) : (right - j) / (right - at)));
}

/** The axes with every curve on them, the drawing and its handles. */
function drawingBoard(model, onstroke, onlift) {
  const svg = svgElement("svg", { class: "ld-board", role: "group", height: HEIGHT });
  const xs = model.get("x");
  const top = model.get("top");
  const say = (height) => `${height.toFixed(decimals(top))} ${model.get("unit")}`;
  let width, x;
  const y = (height) => HEIGHT - MARGIN.bottom - (height / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const clamp = (height) => Math.max(0, Math.min(top, height));
  const mine = svgElement("path", { class: "ld-line ld-mine" });
  const invitation = svgElement("text", { class: "ld-invitation", "text-anchor": "middle" }, "Draw your curve here");
  const handles = model.get("handles").map((at, which) => makeHandle(at, which));

  function makeHandle(at, which) {
    const dot = svgElement("circle", { r: 6 });
    const node = svgElement("g", {
      class: "ld-handle", role: "slider", "aria-orientation": "vertical", "aria-valuemin": 0, "aria-valuemax": top,
      "aria-label": `Your curve at ${model.get("x_label").split(" ")[0]} ${xs[at]}`,
    }, svgElement("circle", { r: 20, class: "ld-reach" }), dot);
    node.addEventListener("keydown", (event) => {
      const moves = { ArrowUp: 0.02, ArrowRight: 0.02, ArrowDown: -0.02, ArrowLeft: -0.02, PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 };
      if (!(event.key in moves) || model.get("committed") || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      onlift(which, (height) => clamp(height + moves[event.key] * top));
    });
    return { node, at };
  }

  const line = (heights) => {
    let path = "";
    heights.forEach((height, i) => { if (height !== null) path += `${path && heights[i - 1] !== null ? "L" : "M"}${x(i).toFixed(1)} ${y(height).toFixed(1)}`; });
    return path;
  };

  function axes() {
    const right = width - MARGIN.right;
    const rows = ticks(top, 4).flatMap((height) => [
      svgElement("line", { class: "ld-grid", x1: MARGIN.left, x2: right, y1: y(height), y2: y(height) }),
      svgElement("text", { x: MARGIN.left - 6, y: y(height) + 4, "text-anchor": "end" }, String(height)),
    ]);
    const columns = model.get("handles").map((i) => svgElement("text", { x: x(i), y: HEIGHT - MARGIN.bottom + 18, "text-anchor": "middle" }, String(xs[i])));
    return [...rows, ...columns, svgElement("text", { x: right, y: HEIGHT - 4, "text-anchor": "end" }, model.get("x_label"))];
  }

  function layout() {
    width = Math.max(220, svg.parentElement?.clientWidth || Number(svg.getAttribute("width")) || 600);
    const [first, last] = [xs[0], xs.at(-1)];
    x = (i) => MARGIN.left + ((xs[i] - first) / (last - first)) * (width - MARGIN.left - MARGIN.right);
    furnish(svg, { width, viewBox: `0 0 ${width} ${HEIGHT}` }, []);
    furnish(invitation, { x: (MARGIN.left + width) / 2, y: HEIGHT / 3 }, []);
    const curve = (kind) => ([, heights], i) => svgElement("path", { class: `ld-line ld-${kind} ld-${kind}-${i}`, d: line(heights) });
    const measured = model.get("committed") ? model.get("curves").map(curve("measured")).reverse() : [];
    svg.replaceChildren(...axes(), ...model.get("given").map(curve("given")), ...measured, invitation, mine, ...handles.map((handle) => handle.node));
    drawMine();
  }

  function drawMine() {
    const drawn = model.get("drawn");
    const done = model.get("committed");
    const heights = drawn.length ? drawn : xs.map(() => model.get("start"));
    mine.setAttribute("d", line(heights));
    mine.classList.toggle("ld-untouched", !drawn.length);
    invitation.style.display = drawn.length ? "none" : "";
    svg.classList.toggle("ld-done", done);
    svg.setAttribute("aria-label", describe(drawn, done));
    for (const { node, at } of handles) {
      furnish(node, {
        transform: `translate(${x(at).toFixed(1)} ${y(heights[at]).toFixed(1)})`, tabindex: done ? -1 : 0,
        "aria-disabled": done, "aria-valuenow": heights[at].toFixed(3), "aria-valuetext": say(heights[at]),
      }, []);
    }
  }

  function describe(drawn, done) {
    const ends = (heights) => `from ${say(present(heights)[0])} to ${say(present(heights).at(-1))}`;
    const about = (curves) => curves.map(([name, heights]) => ` ${name} goes ${ends(heights)}.`).join("");
    return `${model.get("y_label")} in ${model.get("unit")} over ${model.get("x_label")}.${about(model.get("given"))}`
      + (drawn.length ? ` Your curve goes ${ends(drawn)}.` : "") + (done ? about(model.get("curves")) : "");
  }

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const across = event.clientX - box.left;
    const i = xs.reduce((best, _, j) => (Math.abs(x(j) - across) < Math.abs(x(best) - across) ? j : best), 0);
    const share = (HEIGHT - MARGIN.bottom - (event.clientY - box.top)) / (HEIGHT - MARGIN.top - MARGIN.bottom);
    return { i, height: clamp(share * top) };
  };
  let pen = false;
  svg.addEventListener("pointerdown", (event) => {
    if (model.get("committed") || event.button) return;
    pen = true;
    svg.setPointerCapture(event.pointerId);
    onstroke(place(event), true);
  });
  svg.addEventListener("pointermove", (event) => { if (pen) onstroke(place(event), false); });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { if (pen) { pen = false; onstroke(null); } });
  return { node: svg, layout, drawMine, focus: () => handles[0].node.focus({ preventScroll: true }) };
}

/** Which line is which: those that can be seen. */
function boardLegend(model) {
  const sample = (kind, words) => lineSample({ class: `ld-line ${kind}` }, words);
  const of = (kind, curves) => curves.map(([name], i) => sample(`ld-${kind} ld-${kind}-${i}`, name));
  return [element("strong", {}, `${model.get("y_label")}, ${model.get("unit")}`), sample("ld-mine", "your drawing"),
    ...of("given", model.get("given")), ...(model.get("committed") ? of("measured", model.get("curves")) : [])];
}

async function render({ model, el }) {
  const memory = memoryOf(model.get("key"));
  const set = setterOf(model);
  const flat = () => model.get("x").map(() => model.get("start"));
  const heights = () => (model.get("drawn").length ? model.get("drawn") : flat());
  let reach = 0; // the furthest point drawn so far: beyond it the line goes on level
  let last = null;

  function onstroke(point, begins) {
    if (!point) return model.save_changes(); // the pen is lifted: now the kernel may know
    if (begins) last = model.get("drawn").length ? point : null;
    if (!model.get("drawn").length) reach = 0;
    model.set("drawn", stroke(heights(), reach, last, point.i, point.height, model.get("start")));
    reach = Math.max(reach, point.i);
    last = point;
  }
  const onlift = (which, move) => {
    reach = model.get("x").length;
    const before = heights();
    set({ drawn: lift(before, model.get("handles"), which, move(before[model.get("handles")[which]])).map((height) => Math.max(0, Math.min(model.get("top"), height))) });
  };

  const board = drawingBoard(model, onstroke, onlift);
  const legend = element("div", { class: "ld-legend" });
  const box = element("div", {}, board.node);
  const commit = commitment(() => set({ committed: true }), () => set({ committed: false, drawn: [] }), board.focus);
  const root = element("div", { class: "ld ld-question ld-sketch", role: "group", "aria-label": "Draw what you expect" },
    element("p", { class: "ld-title" }, model.get("question")), legend, box, commit.before, commit.verdict, commit.after);
  keepKeys(root);
  el.replaceChildren(root);

  function drawAll() {
    legend.replaceChildren(...boardLegend(model));
    board.layout();
    drawMine();
    const done = model.get("committed");
    commit.show(done ? judge(model) : null, todo());
  }
  const todo = () => (model.get("drawn").length ? "" : "Draw with mouse or finger, or move the handles with the arrow keys.");
  function drawMine() {
    board.drawMine();
    if (!model.get("committed")) commit.show(null, todo());
  }

  const remember = () => (model.get("committed") ? memory.keep(model.get("drawn")) : memory.forget());
  const kept = memory.read();
  const fits = Array.isArray(kept) && kept.length === model.get("x").length && kept.every((height) => height >= 0 && height <= model.get("top"));
  if (!model.get("committed") && fits) set({ drawn: kept, committed: true });
  const askMine = oncePerFrame(drawMine);
  const askAll = oncePerFrame(drawAll);
  const deafen = listen(model, [["change:drawn", askMine], ["change:committed", askAll], ["change:committed", remember]]);
  const unsize = onResize(box, askAll);
  drawAll();

  return () => {
    deafen();
    askMine.cancel();
    askAll.cancel();
    unsize();
  };
}

export default { render };
