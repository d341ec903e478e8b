// Truth, teacher forcing and free rollout of one window, in step, with the error curve below; on request another model's
// free rollout too, and exact physics as an outline in each dream.
// The model's traits are the only state: every control sets a trait, every trait change draws.

import { chooser, cssColour, element, floats, greySheet, iconButton, listen, metronome, oncePerFrame, onResize, onThemeChange, playerKeys, slider, statusLine, svgElement, widgetRoot } from "../../page/common.js";
import { besideOf, modelLists, poleOutline } from "../compare.js";
import { crossesAt, linePath, lineSample, scrubbed, ticks } from "../curves.js";
import { poleInWords } from "../../page/words.js";

const FILMS = [
  { kind: "true", name: "What happened" },
  { kind: "teacher", name: "Teacher forcing" },
  { kind: "free", name: "Free rollout (dream)" },
];
const LIMIT = 2; // degrees; the line beyond which the book calls a prediction lost

/**
 * Reads the binary traits once: start(film, step) in the sheet, theta(film, step), error(film, step).
 * Film 0 is the truth; 1 and 2 are of the model chosen, or of another one by its number.
 */
async function readRollouts(model) {
  const [episodes, steps, height, width] = model.get("shape");
  const sheet = await greySheet(model.get("sprite"));
  const columns = sheet.width / width;
  const angles = floats(model.get("thetas"));
  const episode = () => model.get("episode");
  const at = (film, step, m = model.get("model")) => ((film && film + 2 * m) * episodes + episode()) * steps + step - 1;
  const given = model.get("reference");
  const positions = given?.byteLength ? floats(given) : null;
  const theta = (film, step, m) => angles[at(film, step, m)];
  const error = (film, step, m) => Math.abs(theta(film, step, m) - theta(0, step));
  const names = model.get("names");
  const everyone = names.map((_, m) => m);
  return {
    names, steps, height, width, theta, error,
    grey: sheet.grey,
    stride: sheet.width,
    start: (film, step, m) => {
      const frame = at(film, step, m);
      return Math.floor(frame / columns) * height * sheet.width + (frame % columns) * width;
    },
    last: () => Math.min(model.get("horizon"), model.get("lengths")[episode()]),
    chosen: () => model.get("model"),
    beside: () => besideOf(model),
    physics: positions && ((step) => { // as an outline: metres and degrees, and how far off
      const [x, angle] = [0, 1].map((which) => positions[(which * episodes + episode()) * steps + step - 1]);
      return { x, theta: angle, error: Math.abs(angle - theta(0, step)) };
    }),
    others: () => everyone.filter((m) => m !== model.get("model")),
    nearest: (step) => { // as the reader sees it: what reads alike is equally near
      const off = everyone.map((m) => Math.round(10 * error(2, step, m)));
      return everyone.filter((m) => off[m] === Math.min(...off.filter(Number.isFinite)));
    },
  };
}

/** One film's frame, pixel for pixel. */
function paintFrame(context, rollouts, film, step, m) {
  const { height, width, stride, grey } = rollouts;
  const image = context.createImageData(width, height);
  const start = rollouts.start(film, step, m);
  for (let i = 0, y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      image.data.fill(grey[start + y * stride + x], i, i + 3);
      image.data[i + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** Dream minus truth: the dream's colour where only it has ink, the page's ink where only the truth has; faint differences lifted. */
function paintDifference(context, rollouts, step, m, colours, inkIsDark) {
  const { height, width, stride, grey } = rollouts;
  const image = context.createImageData(width, height);
  const truth = rollouts.start(0, step);
  const dream = rollouts.start(2, step, m);
  for (let i = 0, y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const difference = (grey[dream + y * stride + x] - grey[truth + y * stride + x]) / 255;
      const dreamHasInk = difference < 0 === inkIsDark;
      const colour = dreamHasInk ? colours.dream : colours.true;
      const weight = Math.min(1, 1.6 * Math.abs(difference));
      for (let c = 0; c < 3; c++) image.data[i + c] = colours.panel[c] + weight * (colour[c] - colours.panel[c]);
      image.data[i + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** A captioned canvas of one frame's size; `over` lies upon it. */
function filmPanel(kind, label, { width, height }, caption, over) {
  const canvas = element("canvas", { width, height, class: kind, role: "img", "aria-label": label });
  const reading = element("span", { class: "ld-reading" });
  const words = element("div", { class: "ld-caption" }, element("span", {}, ...caption), reading);
  const picture = over ? element("div", { class: "ld-outlined" }, canvas, over) : canvas;
  const node = element("div", {}, picture, words); // not a <figure>: the page's theme has ideas about those
  return { node, reading, canvas, caption: words.firstChild, context: canvas.getContext("2d") };
}

/** A dream's film and how it differs from the truth: the chosen model's, or that of the one beside it. */
function dreamPanels(kind, rollouts, whose) {
  const outline = poleOutline();
  const film = filmPanel("ld-film", FILMS[2].name, rollouts, [key(kind, FILMS[2].name)], outline.node);
  const difference = filmPanel("ld-difference", "Difference between dream and truth", rollouts,
    [key(kind, "dream only"), key("true", "truth only")]);

  function show(step, paint) {
    const m = whose();
    for (const panel of [film, difference]) panel.node.hidden = m < 0;
    if (m < 0) return;
    const { x = NaN, theta = NaN } = rollouts.physics?.(step) ?? {};
    outline.place(x, theta * Math.PI / 180, "physics");
    const name = rollouts.beside() < 0 ? FILMS[2].name : `Dream of ${rollouts.names[m]}`;
    film.caption.replaceChildren(key(kind, name));
    film.canvas.setAttribute("aria-label", name);
    paintFrame(film.context, rollouts, 2, step, m);
    film.reading.textContent = reading(rollouts.theta(2, step, m));
    paintDifference(difference.context, rollouts, step, m, { ...paint, dream: paint[kind] }, paint.inkIsDark);
    const off = rollouts.error(2, step, m);
    difference.reading.textContent = Number.isFinite(off) ? `off by ${poleInWords(off)}\u00b0` : "";
  }
  return { nodes: [film.node, difference.node], show };
}

const swatch = (kind) => element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" });

const key = (kind, words) => element("span", { class: "ld-key" }, swatch(kind), words);

const DASHES = ["none", "9 3 2 3", "14 4"]; // by which the other models' thin curves differ

/** A model's part in the curve: the one chosen, the one beside it, or one of the rest, whose lines are thin. */
const partOf = (rollouts, m) => (m === rollouts.chosen() ? "free" : m === rollouts.beside() ? "beside" : "other");

function lineOf(rollouts, m) {
  const part = partOf(rollouts, m);
  return { class: `ld-path ld-${part}`, ...(part === "other" && { "stroke-dasharray": DASHES[m % DASHES.length] }) };
}

const PHYSICS = { class: "ld-path ld-physics" };
const until = (last, at) => Array.from({ length: last }, (_, i) => at(i + 1)); // of each step

/** The error curve: |theta error| of both predictions over the step, up to the horizon, of the other models' dreams, and of exact physics. */
function errorCurve(model, rollouts, onscrub) {
  const svg = svgElement("svg", { class: "ld-curve", role: "img", height: 190 });
  const margin = { left: 30, right: 12, top: 12, bottom: 34 };
  let x, y;
  const physicsError = (n) => rollouts.physics?.(n).error;

  function layout() {
    const width = Math.max(200, svg.parentElement?.clientWidth || Number(svg.getAttribute("width")) || 600);
    const last = rollouts.last();
    const errors = until(last, (n) => [rollouts.error(1, n), physicsError(n), ...rollouts.names.map((_, m) => rollouts.error(2, n, m))]).flat();
    const top = Math.max(2 * LIMIT, ...errors.filter(Number.isFinite)) * 1.08;
    const right = width - margin.right;
    const bottom = 190 - margin.bottom;
    x = (n) => margin.left + ((n - 1) / Math.max(1, model.get("horizon") - 1)) * (right - margin.left);
    y = (e) => bottom - (e / top) * (bottom - margin.top);

    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} 190`);
    svg.setAttribute("aria-label", describe(last));
    const parts = [...axes(top, margin.left, right, bottom), limit(right)];
    const line = (errorAt, kind) => linePath(until(last, errorAt), 1, x, y, kind);
    const lost = (thetaAt, row, kind) => crossesAt(until(last, thetaAt), x, margin.top - 9 + 4 * row, kind);
    for (const m of rollouts.others()) parts.push(line((n) => rollouts.error(2, n, m), lineOf(rollouts, m)));
    if (rollouts.beside() >= 0) parts.push(lost((n) => rollouts.theta(2, n, rollouts.beside()), 3, "beside"));
    if (rollouts.physics) parts.push(line(physicsError, PHYSICS));
    for (const [film, kind] of [[1, "teacher"], [2, "free"]]) {
      parts.push(line((n) => rollouts.error(film, n), { class: `ld-path ld-${kind}` }), lost((n) => rollouts.theta(film, n), film, kind));
    }
    svg.replaceChildren(...parts, marker.node);
  }

  function axes(top, left, right, bottom) {
    const rows = ticks(top, 4).flatMap((e) => [
      svgElement("line", { class: "ld-grid", x1: left, x2: right, y1: y(e), y2: y(e) }),
      svgElement("text", { x: left - 6, y: y(e) + 4, "text-anchor": "end" }, String(e)),
    ]);
    const columns = ticks(model.get("horizon"), right > 500 ? 10 : 5).map((n) => Math.max(1, n)).filter(Number.isInteger)
      .map((n) => svgElement("text", { x: x(n), y: bottom + 16, "text-anchor": "middle" }, String(n)));
    const title = svgElement("text", { x: right, y: bottom + 31, "text-anchor": "end" }, "steps since the last frame it was shown");
    return [...rows, ...columns, title];
  }

  function limit(right) {
    return svgElement("g", {},
      svgElement("line", { class: "ld-limit", x1: margin.left, x2: right, y1: y(LIMIT), y2: y(LIMIT) }),
      svgElement("text", { x: margin.left + 6, y: y(LIMIT) - 5 }, `${LIMIT} degrees`));
  }

  function describe(last) {
    const at = (film, m) => poleInWords(rollouts.error(film, last, m)).replace("no pole", "no pole to read");
    const others = rollouts.others().map((m) => `, free rollout of ${rollouts.names[m]} ${at(2, m)}`).join("");
    return `Error of the pole angle in degrees over ${last} steps. At step ${last}: teacher forcing ${at(1)}, free rollout ${at(2)}${others}${rollouts.physics ? `, exact physics ${ofPhysics(physicsError(last))}` : ""}.`;
  }

  const marker = stepMarker();
  const move = (step) => marker.move(x(step), margin.top, 190 - margin.bottom, [
    ...rollouts.others().map((m) => [partOf(rollouts, m), y(rollouts.error(2, step, m))]),
    ["physics", y(physicsError(step))],
    ["teacher", y(rollouts.error(1, step))], ["free", y(rollouts.error(2, step))],
  ]);

  scrubbed(svg, (n) => x(n), onscrub);
  return { node: svg, layout, move };
}

/** The upright line and the dots, [kind, height], that mark the current step. */
function stepMarker() {
  const node = svgElement("g", { class: "ld-marker" });
  const move = (x, top, bottom, dots) => node.replaceChildren(
    svgElement("line", { x1: x, x2: x, y1: top, y2: bottom }),
    ...dots.filter(([, height]) => Number.isFinite(height))
      .map(([kind, height]) => svgElement("circle", { class: `ld-${kind}`, r: kind === "other" || kind === "physics" ? 3.5 : 5.5, cx: x, cy: height })));
  return { node, move };
}

/** What the lines are; where there are several models also how far off each is, and which is nearest. */
function curveLegend(rollouts) {
  const { names } = rollouts;
  const row = element("div", { class: "ld-curve-models" });
  const physics = lineSample(PHYSICS, "");
  const node = element("div", { class: "ld-curve-head" }, element("strong", {}, "Pole-angle error in degrees"),
    lineSample({ class: "ld-path ld-teacher" }, "teacher forcing"), ...(rollouts.physics ? [physics] : []), element("span", {}, "\u00d7 no pole"),
    ...(names.length > 1 ? [element("span", {}, "free rollout, the nearest framed:"), row] : [lineSample(lineOf(rollouts, 0), "free rollout")]));
  function show(step) {
    if (rollouts.physics) physics.lastChild.textContent = `exact physics, outlined: ${ofPhysics(rollouts.physics(step).error)}`;
    const entries = names.map((name, m) => lineSample(lineOf(rollouts, m), `${name}: ${poleInWords(rollouts.error(2, step, m))}`));
    rollouts.nearest(step).forEach((m) => entries[m].classList.add("ld-nearest"));
    row.replaceChildren(...entries);
  }
  return { node, show };
}

/** Play, step and horizon, models, episode; each only sets traits. */
function makeControls(model, set, go) {
  const first = iconButton("first", "Go to the first step", () => go(1));
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const play = iconButton("play", "Play", () => set({ playing: !model.get("playing") }));
  const forward = iconButton("forward", "One step forward", () => go(model.get("step") + 1));
  play.node.classList.add("ld-button-main");
  const step = slider("Step", go);
  const horizon = slider("Horizon", (n) => set({ horizon: n }));
  const lists = modelLists(model, set);
  const episode = chooser("Episode", model.get("labels"), (e) => set({ episode: e }));
  const buttons = element("div", { class: "ld-buttons" }, first.node, back.node, play.node, forward.node);
  const node = element("div", { class: "ld-controls" }, buttons, step.node,
    ...lists.nodes, episode.node, horizon.node);

  function show(last, steps) {
    const now = model.get("step");
    step.show(now, last, `${now} of ${last}`);
    horizon.show(model.get("horizon"), steps, `${model.get("horizon")} steps`);
    lists.show();
    episode.show(model.get("episode"));
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
  }
  return { node, show };
}

async function render({ model, el }) {
  const rollouts = await readRollouts(model);
  const set = (traits) => {
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    const step = Math.min(model.get("step"), rollouts.last()); // a nearer horizon or a shorter episode pulls the step in
    if (step !== model.get("step")) model.set("step", step);
    model.save_changes();
  };
  const go = (step) => set({ playing: false, step: Math.max(1, Math.min(rollouts.last(), step)) });

  const films = FILMS.slice(0, 2).map(({ kind, name }) => filmPanel("ld-film", name, rollouts, [key(kind, name)]));
  const dreams = [dreamPanels("free", rollouts, rollouts.chosen), dreamPanels("beside", rollouts, rollouts.beside)];
  const curve = errorCurve(model, rollouts, go);
  const legend = curveLegend(rollouts);
  const controls = makeControls(model, set, go);
  const status = statusLine();
  const curveBox = element("div", {}, curve.node);
  const root = widgetRoot(model, "ld-rollout", "Rollout player.", { tabindex: 0 });
  root.append(element("div", { class: "ld-films" }, ...films.map((film) => film.node), ...dreams.flatMap((dream) => dream.nodes)),
    legend.node, curveBox, controls.node, ...status.nodes);
  el.replaceChildren(root);

  let colours;

  function drawStep() {
    const step = model.get("step");
    films.forEach((film, i) => {
      paintFrame(film.context, rollouts, i, step);
      film.reading.textContent = reading(rollouts.theta(i, step));
    });
    for (const dream of dreams) dream.show(step, colours);
    curve.move(step);
    legend.show(step);
    controls.show(rollouts.last(), rollouts.steps);
    say(step);
  }

  function say(step) {
    const [truth, teacher, dream] = FILMS.map((_, i) => poleInWords(rollouts.theta(i, step)));
    const { names, chosen, beside, physics } = rollouts;
    const dreamt = beside() < 0 ? `dream ${dream}` : `dream of ${names[chosen()]} ${dream}, dream of ${names[beside()]} ${poleInWords(rollouts.theta(2, step, beside()))}`;
    const exact = physics ? `, exact physics ${ofPhysics(physics(step).theta)}` : "";
    status.say(`step ${step}: pole true ${truth === "no pole" ? truth : `${truth} degrees`}, teacher-forced ${teacher}, ${dreamt}${exact}${comparison(rollouts, step)}`, model.get("playing"));
  }

  function drawAll() {
    colours = Object.fromEntries(["panel", "true", "free", "beside"].map((name) => [name, cssColour(root, `--ld-${name}`)]));
    colours.inkIsDark = model.get("ink_is_dark");
    curve.layout();
    drawStep();
  }

  const clock = metronome(() => model.get("frames_per_second"), () => {
    if (model.get("step") < rollouts.last()) set({ step: model.get("step") + 1 });
    if (model.get("step") >= rollouts.last()) set({ playing: false });
  });
  const playOrPause = () => {
    if (!model.get("playing")) return clock.stop();
    if (model.get("step") >= rollouts.last()) set({ step: 1 });
    clock.start();
  };

  playerKeys(root, model, set, go, { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity });

  const askStep = oncePerFrame(drawStep);
  const askAll = oncePerFrame(drawAll);
  const deafen = listen(model, [
    ["change:step", drawStep], ["change:playing", askStep], ["change:playing", playOrPause],
    ["change:model", askAll], ["change:beside", askAll], ["change:episode", askAll], ["change:horizon", askAll],
  ]);
  const unsize = onResize(curveBox, askAll);
  const forgetTheme = onThemeChange(askAll);
  drawAll();
  playOrPause();

  return () => {
    deafen();
    status.stop();
    clock.stop();
    askStep.cancel();
    askAll.cancel();
    unsize();
    forgetTheme();
  };
}

/** How far off each model's dream is at a step, and which is nearest: nothing to say where there is only one. */
function comparison({ names, error, nearest, physics }, step) {
  if (names.length < 2) return "";
  const off = names.map((name, m) => `${name} ${poleInWords(error(2, step, m))}`).join(", ");
  const best = nearest(step).map((m) => names[m]).join(" and ");
  const exact = physics ? `; exact physics ${ofPhysics(physics(step).error)}` : "";
  return `. Free rollouts off by: ${off}${exact}.${best && ` Nearest: ${best}.`}`;
}

/** An angle of exact physics in words; it ends where its pole has fallen. */
const ofPhysics = (angle) => (Number.isFinite(angle) ? poleInWords(angle) : "fallen");

/** "pole 3.1 deg" under a film. */
function reading(theta) {
  return Number.isFinite(theta) ? `pole ${poleInWords(theta)}\u00b0` : "no pole";
}

export default { render };
