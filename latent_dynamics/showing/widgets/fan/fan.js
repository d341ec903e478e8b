// A fan of futures: one belief, the reader's pushes, the futures that a model imagines and those that the world really has. The page
// computes both. How is in fan_try.js.

import { pageModels } from "../../page/engine.js";
import { makeWorld, paintGrey } from "../../page/world.js";
import { chooser, element, furnish, iconButton, keepKeys, listen, onceFor, oncePerFrame, onResize, onThemeChange, restingSentence, setterOf, slider, svgElement, widgetRoot } from "../../page/common.js";
import { quantiles } from "../../page/belief.js";
import { inWords } from "../../page/words.js";
import { linePath, lineSample, scrubbed } from "../curves.js";
import { wordButton } from "../buttons.js";
import { manyPoles } from "../poles.js";
import { beliefAfter, fanInWords, imagined, real, told } from "./fan_try.js";

const WANTED = ["see", "begin", "update", "scatter", "sample_step", "pose"];
const GUSTS = [["chance", "by chance, as ever"], ["none", "none: calm air"], ["left", "one to the left"], ["right", "one to the right"]];
const HEIGHT = 230;
const MARGIN = { left: 38, right: 10, top: 10, bottom: 34 };

/** A picture of many poles, over the last frame seen, faintly. */
function polesPanel(kind, name) {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-film ld-scene-frame", role: "img" });
  const poles = manyPoles(kind);
  const title = element("span", {}, name);
  const reading = element("span", { class: "ld-reading" });
  const mark = element("span", { class: "ld-key" }, element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" }), title);
  const node = element("div", {}, element("div", { class: "ld-outlined" }, canvas, poles.node), element("div", { class: "ld-caption" }, mark, reading));
  const context = canvas.getContext("2d");
  function draw(frame, poses, words) {
    paintGrey(context, frame.map((byte) => 255 - (255 - byte) / 5));
    poles.draw(poses);
    reading.textContent = words;
    canvas.setAttribute("aria-label", `${name}: ${poses.length} poles, ${words}`);
  }
  return { node, draw };
}

/** The pushes as a row of switches: arrows move between them, a click or the space bar turns one round. */
function pushSwitches(count, onflip) {
  let current = 0;
  const buttons = Array.from({ length: count }, (_, n) => element("button", { type: "button", class: "ld-switch", tabindex: n ? -1 : 0, onclick: () => { focus(n); onflip(n); } }));
  const node = element("div", { class: "ld-switches", role: "group", "aria-label": "Pushes, one after the other" }, ...buttons);
  function focus(n) {
    buttons[current].tabIndex = -1;
    current = Math.max(0, Math.min(count - 1, n));
    buttons[current].tabIndex = 0;
    buttons[current].focus();
  }
  node.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: count - 1 };
    if (!(event.key in moves)) return;
    focus(moves[event.key]);
    event.preventDefault();
  });
  const show = (pushes, horizon) => buttons.forEach((button, n) => {
    button.textContent = pushes[n] ? "\u25b6" : "\u25c0";
    button.setAttribute("aria-label", `Push ${n + 1}: ${pushes[n] ? "right" : "left"}`);
    button.classList.toggle("ld-switch-right", pushes[n] === 1);
    button.classList.toggle("ld-switch-late", n >= horizon);
  });
  return { node, show };
}

/** The angles over the steps: bands and lines of the model's fan, dashed lines of the world's, and the fan kept to compare. */
function fanChart(onscrub) {
  const svg = svgElement("svg", { class: "ld-curve ld-future", role: "img", height: HEIGHT });
  const marker = svgElement("line", { class: "ld-now" });
  let x = (n) => n;
  let wide = 600;

  function layout({ dream, truth, ghost }) {
    const width = Math.max(220, wide);
    const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
    const last = dream.poses.length - 1;
    const most = 13;
    x = (n) => MARGIN.left + (n / last) * (right - MARGIN.left);
    const y = (angle) => bottom - ((Math.max(-most, Math.min(most, angle)) + most) / (2 * most)) * (bottom - MARGIN.top);
    const point = (n, angle) => `${x(n).toFixed(1)} ${y(angle).toFixed(1)}`;
    const steps = Array.from({ length: last + 1 }, (_, n) => n);
    const band = (fan, low, high, kind) => {
      const edges = steps.map((n) => quantiles(fan.at(n), [low, high]));
      const d = `M${[...edges.map(([edge], n) => point(n, edge)), ...edges.map(([, edge], n) => point(n, edge)).reverse()].join("L")}Z`;
      return svgElement("path", { class: kind, d });
    };
    const lines = (fan, kind) => svgElement("path", { class: kind, d: fan.thetas.map((angles) => `M${angles.map((angle, n) => point(n, angle)).join("L")}`).join("") });
    const edge = (fan, share, kind) => linePath(steps.map((n) => quantiles(fan.at(n), [share])[0]), 0, x, y, { class: kind });
    const middle = (fan, kind) => edge(fan, 0.5, kind);
    const rule = (angle) => svgElement("line", { class: "ld-grid", x1: MARGIN.left, x2: right, y1: y(angle), y2: y(angle) });
    const text = (words, at) => svgElement("text", at, words);
    svg.setAttribute("width", String(width));
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("aria-label", `Pole angles over ${last} steps. ${inEnd(dream, truth, last)}`);
    svg.replaceChildren(
      ...[-12, -6, 0, 6, 12].flatMap((angle) => [rule(angle), text(`${inWords(angle, 0)}\u00b0`, { x: MARGIN.left - 6, y: y(angle) + 4, "text-anchor": "end" })]),
      ...steps.filter((n) => n % 5 === 0).map((n) => text(String(n), { x: x(n), y: bottom + 15, "text-anchor": "middle" })),
      text("steps after the last picture", { x: right, y: bottom + 30, "text-anchor": "end" }),
      band(dream, 0.05, 0.95, "ld-wide-band"), band(dream, 0.25, 0.75, "ld-half-band"),
      lines(dream, "ld-sampled"), lines(truth, "ld-real"),
      ...(ghost ? [edge(ghost.dream, 0.05, "ld-ghost"), edge(ghost.dream, 0.95, "ld-ghost"), middle(ghost.dream, "ld-ghost-middle")] : []),
      middle(dream, "ld-fan-middle"), marker,
    );
    furnish(marker, { y1: MARGIN.top, y2: bottom }, []);
  }
  const measure = () => { wide = svg.parentElement?.clientWidth || wide; };
  const move = (n) => furnish(marker, { x1: x(n), x2: x(n) }, []);
  scrubbed(svg, (n) => x(n), onscrub);
  return { node: svg, layout, move, measure };
}

function inEnd(dream, truth, last) {
  const { low, high, median, real: happened } = told(dream, truth, last);
  return `At step ${last} the model's nine tenths reach from ${inWords(low)} to ${inWords(high)} degrees, with ${inWords(median)} in the middle; in the middle of the real ones are ${inWords(happened)}.`;
}

/** What bands and lines stand for. */
function fanLegend() {
  const patch = (kind, words) => element("span", { class: "ld-sample" }, element("span", { class: `ld-patch ld-patch-${kind}`, "aria-hidden": "true" }), words);
  const ghost = element("span", {}, lineSample({ class: "ld-ghost-middle" }, "kept to compare"));
  const keys = element("span", { class: "ld-keys" }, patch("wide", "90 % of what the model imagines"), patch("half", "50 %"), lineSample({ class: "ld-real" }, "real futures"), ghost);
  const crps = element("span", { class: "ld-crps" });
  return { node: element("div", { class: "ld-curve-head" }, element("strong", {}, "Pole angle"), crps, keys), crps, ghost };
}

async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const set = setterOf(model);
  const longest = model.get("pushes").length;
  const go = (step) => set({ horizon: Math.max(1, Math.min(longest, step)) });
  const nets = pageModels(model, WANTED);
  const beliefs = new Map(); // by model and start

  const pictures = [polesPanel("free", "Imagined"), polesPanel("true", "Real")];
  const chart = fanChart(go);
  const chartBox = element("div", {}, chart.node);
  const legend = fanLegend();
  const plansNow = () => model.get("plans")[model.get("start")];
  const switches = pushSwitches(longest, (n) => set({ pushes: model.get("pushes").map((push, i) => (i === n ? 1 - push : push)) }));
  const plan = chooser("Pushes", [...plansNow().map(([words]) => words), "your own"], (i) => i < plansNow().length && set({ pushes: [...plansNow()[i][1]] }));
  const gusts = chooser("Gusts", GUSTS.map(([, words]) => words), (i) => set({ gusts: GUSTS[i][0] }));
  const when = slider("Gust at", (step) => set({ gust_step: step }));
  const whenBox = element("div", { class: "ld-when" });
  const horizon = slider("Horizon", go);
  const [names, labels] = [model.get("names"), model.get("labels")];
  const which = chooser("Model", names, (m) => set({ model: m }));
  const start = chooser("Start", labels, (i) => set({ start: i }));
  const keep = wordButton("Keep this fan to compare", () => set({ compared: model.get("compared").length ? [] : [...model.get("pushes")] }), "", true);
  const anew = iconButton("again", "Draw other samples", () => set({ seed: model.get("seed") + 10 }));
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-fan", "Fan of futures.");
  root.append(
    element("div", { class: "ld-films" }, ...pictures.map((picture) => picture.node)), legend.node, chartBox,
    element("div", { class: "ld-controls ld-fan-controls" }, horizon.node, switches.node, plan.node, gusts.node, whenBox,
      ...(names.length > 1 ? [which.node] : []), ...(labels.length > 1 ? [start.node] : []), element("div", { class: "ld-buttons" }, keep.node, anew.node)),
    sentence.node,
  );
  el.replaceChildren(root);
  keepKeys(root);

  const showWhen = onceFor((nodes) => whenBox.replaceChildren(...nodes));
  let futures;
  let asked = 0;

  async function imagine() {
    const mine = ++asked;
    const [m, s] = [model.get("model"), model.get("start")];
    const net = await nets.of(m);
    if (mine !== asked) return; // another was asked for meanwhile
    const first = model.get("starts")[s];
    const name = `${m} ${s}`;
    if (!beliefs.has(name)) beliefs.set(name, beliefAfter(net, world, first));
    const noise = { count: model.get("samples"), seed: model.get("seed"), sizes: model.get("noise")[m] };
    const air = { gusts: model.get("gusts"), when: model.get("gust_step"), count: model.get("real"), seed: model.get("seed") };
    const both = (pushes) => ({ dream: imagined(net, beliefs.get(name), pushes, noise), truth: real(world, first.states.at(-1), pushes, air) });
    const { dream, truth } = both(model.get("pushes"));
    futures = { dream, truth, ghost: model.get("compared").length ? both(model.get("compared")) : null };
    drawAll();
  }

  function drawStep() {
    const n = model.get("horizon");
    const { dream, truth, ghost } = futures;
    const now = told(dream, truth, n);
    const seen = world.draw(model.get("starts")[model.get("start")].states.at(-1));
    pictures[0].draw(seen, dream.poses[n], `middle ${inWords(now.median)}\u00b0`);
    pictures[1].draw(seen, truth.poses[n], `middle ${inWords(now.real)}\u00b0`);
    legend.crps.textContent = `CRPS at step ${n}: ${inWords(now.crps, 2)}\u00b0`;
    legend.ghost.hidden = !ghost;
    chart.move(n);
    horizon.show(n, longest, `step ${n}`);
    when.show(model.get("gust_step"), longest, `step ${model.get("gust_step")}`);
    showWhen(["left", "right"].includes(model.get("gusts")) ? [when.node] : [], model.get("gusts"));
    switches.show(model.get("pushes"), n);
    const own = plansNow().findIndex(([, pushes]) => pushes.join() === model.get("pushes").join());
    plan.show(own < 0 ? plansNow().length : own);
    gusts.show(GUSTS.findIndex(([name]) => name === model.get("gusts")));
    which.show(model.get("model"));
    start.show(model.get("start"));
    keep.press(Boolean(ghost));
    sentence.say(() => fanInWords(futures, model.get("horizon"), model.get("gusts")));
  }
  const drawAll = () => { chart.layout(futures); drawStep(); };

  chart.measure();
  await imagine();
  const askStep = oncePerFrame(drawStep);
  const askAll = oncePerFrame(drawAll);
  const askFutures = oncePerFrame(imagine);
  const deafen = listen(model, [
    ["change:horizon", askStep],
    ...["model", "start", "pushes", "compared", "gusts", "gust_step", "seed"].map((name) => [`change:${name}`, askFutures]),
  ]);
  const unsize = onResize(chartBox, () => { chart.measure(); askAll(); });
  const forgetTheme = onThemeChange(askAll);

  return () => {
    deafen();
    asked += 1;
    for (const ask of [askStep, askAll, askFutures]) ask.cancel();
    sentence.stop();
    unsize();
    forgetTheme();
  };
}

export default { render };
