// One state, two first pushes: the futures that follow, from exact physics and from the model's dream.

import { pageModel } from "../../page/engine.js";
import { makeWorld, unitFrame } from "../../page/world.js";
import { chooser, cssColour, element, furnish, iconButton, keepKeys, listen, oncePerFrame, onResize, onThemeChange, restingSentence, setterOf, slider, svgElement, widgetRoot } from "../../page/common.js";
import { scrubbed } from "../curves.js";
import { inDegrees, inWords } from "../../page/words.js";

const SIDES = ["left", "right"];
const HEIGHT = 200;
const SHOWN = 56; // of a frame's 100 columns, around the cart

const leaning = (world, state) => inDegrees(world.pose(state).theta);

/** What really follows, the start first: { frames, thetas }; frozen where the pole has fallen, and NaN from the step after. */
function trueFuture(world, state, pushes) {
  const frames = [unitFrame(world.draw(state))];
  const thetas = [leaning(world, state)];
  for (const push of pushes) {
    const down = world.fallen(state);
    if (!down) state = world.step(state, push);
    frames.push(unitFrame(world.draw(state)));
    thetas.push(down ? NaN : leaning(world, state));
  }
  return { frames, thetas };
}

/** What the model believes will follow, from the one frame of that state. */
async function dreamtFuture(world, net, state, pushes, limits) {
  const beliefs = [await net.begin(await net.see(unitFrame(world.draw(state))))];
  for (const push of pushes) beliefs.push(await net.step(beliefs.at(-1), push));
  const frames = [];
  for (const belief of beliefs) frames.push(await net.decode(belief));
  const thetas = frames.map((frame) => {
    const { theta, valid } = world.read(frame, limits);
    return valid ? inDegrees(theta) : NaN;
  });
  return { frames, thetas };
}

/** All four futures: { truth: [left, right], dream: [left, right] }. */
async function allFutures(world, net, state, [, ...pushes], limits) {
  return {
    truth: pushes.map((plan) => trueFuture(world, state, plan)),
    dream: await Promise.all(pushes.map((plan) => dreamtFuture(world, net, state, plan, limits))),
  };
}

/** Two frames in one, cut out from a column on: ink where both have it, else the colour of the push; faint differences lifted. */
function paintBoth(context, [left, right], from, { paper, ink, sides }) {
  const image = context.createImageData(SHOWN, 32);
  for (let i = 0; i < 32 * SHOWN; i++) {
    const at = 100 * Math.floor(i / SHOWN) + from + (i % SHOWN);
    const both = 1 - Math.max(left[at], right[at]);
    const only = [right[at] - left[at], left[at] - right[at]].map((more) => Math.min(1, 5 * Math.max(0, more)));
    for (let c = 0; c < 3; c++) {
      let value = paper[c] + both * (ink[c] - paper[c]);
      only.forEach((weight, side) => { value += weight * (sides[side][c] - value); });
      image.data[4 * i + c] = value;
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** A picture of both futures of one world, and how far they are apart. */
function fanPanel(words, label) {
  const canvas = element("canvas", { width: SHOWN, height: 32, role: "img" });
  const gap = element("strong");
  const node = element("div", {}, element("p", {}, element("span", {}, words), gap), canvas);
  const context = canvas.getContext("2d");
  const show = (futures, n, from, colours) => {
    paintBoth(context, futures.map(({ frames }) => frames[n]), from, colours);
    const apart = futures[1].thetas[n] - futures[0].thetas[n];
    gap.textContent = Number.isFinite(apart) ? `${inWords(Math.abs(apart), 2)}\u00b0 apart` : futures.map((future, side) =>
      (Number.isFinite(future.thetas[n]) ? "" : label === "truth" ? `${SIDES[side]}: fallen` : `${SIDES[side]}: no pole`)).filter(Boolean).join(", ");
    canvas.setAttribute("aria-label", `Both futures in the ${label}: ${gap.textContent}`);
  };
  return { node, show };
}

/** The fan: four angles over the steps. Colour tells the push, solid lines are the truth, dashed ones the dream. */
function fanCurve(onscrub) {
  const svg = svgElement("svg", { class: "ld-fan-curve", role: "img", height: HEIGHT });
  const line = svgElement("line", { class: "ld-fan-now" });
  let x = (n) => n;

  function layout({ truth, dream }) {
    const width = Math.max(200, svg.parentElement?.clientWidth || Number(svg.getAttribute("width")) || 600);
    const [left, right, bottom] = [36, width - 52, HEIGHT - 34];
    const angles = [...truth, ...dream].flatMap(({ thetas }) => thetas).filter(Number.isFinite);
    const [low, high] = [Math.min(...angles, -1), Math.max(...angles, 1)];
    const last = truth[0].thetas.length - 1;
    x = (n) => left + (n / last) * (right - left);
    const y = (angle) => bottom - ((angle - low) / (high - low)) * (bottom - 10);
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("aria-label", `Pole angles over ${last} steps. ${["truth", "dream"].map((who) => lastGap(who, { truth, dream })).join(" ")}`);
    svg.replaceChildren(...fanAxes(low, high, last, x, y, left, right, bottom),
      ...fanLines(truth, "truth", x, y), line, ...fanLines(dream, "dream", x, y));
    furnish(line, { y1: 6, y2: bottom }, []);
  }
  const move = (step) => furnish(line, { x1: x(step), x2: x(step) }, []);

  scrubbed(svg, (n) => x(n), onscrub);
  return { node: svg, layout, move };
}

function lastGap(who, futures) {
  const [left, right] = futures[who].map(({ thetas }) => thetas);
  const n = left.findLastIndex((theta, i) => Number.isFinite(theta) && Number.isFinite(right[i]));
  return n < 0 ? "" : `In the ${who} the two differ by ${inWords(Math.abs(right[n] - left[n]), 1)} degrees at step ${n}.`;
}

function fanAxes(low, high, last, x, y, left, right, bottom) {
  const apart = [1, 2, 5, 10, 20].find((size) => (high - low) / size <= 5) ?? 50;
  const marks = [];
  for (let angle = Math.ceil(low / apart) * apart; angle <= high; angle += apart) marks.push(angle);
  const every = Math.ceil(last / ((right - left) / 32));
  return [
    ...marks.flatMap((angle) => [
      svgElement("line", { class: angle ? "ld-fan-grid" : "ld-fan-zero", x1: left, x2: right, y1: y(angle), y2: y(angle) }),
      svgElement("text", { x: left - 6, y: y(angle) + 4, "text-anchor": "end" }, `${inWords(angle, 0)}\u00b0`),
    ]),
    ...Array.from({ length: last + 1 }, (_, n) => n).filter((n) => n % every === 0)
      .map((n) => svgElement("text", { x: x(n), y: bottom + 16, "text-anchor": "middle" }, String(n))),
    svgElement("text", { x: right, y: bottom + 31, "text-anchor": "end" }, "steps after the picture"),
  ];
}

/** The two lines of one world, the fan between them, and its name at their end. */
function fanLines(futures, who, x, y) {
  const [left, other] = futures.map(({ thetas }) => thetas);
  const both = left.flatMap((theta, i) => (Number.isFinite(theta) && Number.isFinite(other[i]) ? [i] : []));
  const point = (thetas) => (i) => `${x(i).toFixed(1)} ${y(thetas[i]).toFixed(1)}`;
  const fan = svgElement("path", { class: `ld-fan-between ld-fan-${who}`,
    d: both.length ? `M${[...both.map(point(left)), ...both.toReversed().map(point(other))].join("L")}Z` : "" });
  const lines = futures.map(({ thetas }, side) => {
    const told = thetas.flatMap((theta, i) => (Number.isFinite(theta) ? [i] : []));
    const d = told.length ? `M${told.map(point(thetas)).join("L")}` : "";
    return svgElement("path", { class: `ld-fan-line ld-fan-line-${who} ld-push-${SIDES[side]}`, d });
  });
  const last = both.at(-1);
  if (last === undefined) return [fan, ...lines];
  const outer = Math.abs(left[last]) > Math.abs(other[last]) ? left[last] : other[last]; // where the dream's name is not
  const height = who === "truth" ? y(outer) : (y(left[last]) + y(other[last])) / 2;
  return [fan, ...lines, svgElement("text", { class: "ld-fan-name", x: x(last) + 8, y: height + 4 }, who)];
}

/** How the pole that was pushed right stands against the other one. */
const further = (gap) => `${inWords(Math.abs(gap), 2)}\u00b0 further ${gap > 0 ? "right" : "left"}`;

/** What this step shows, in words. */
function whatIfInWords({ truth, dream }, n) {
  if (n === 0) return "Step 0. The one picture from which both futures start.";
  const unseen = (futures) => futures.flatMap(({ thetas }, side) => (Number.isFinite(thetas[n]) ? [] : [SIDES[side]])).join(" and ");
  const [real, believed] = [truth, dream].map(([left, right]) => right.thetas[n] - left.thetas[n]);
  const same = truth[0].frames[n].every((value, i) => value === truth[1].frames[n][i]);
  const first = unseen(truth) ? `In truth ${unseen(truth) === "left and right" ? "both poles have" : `the pole pushed ${unseen(truth)} has`} fallen.`
    : same ? "In truth the two pictures are equal in every pixel." : `In truth the pole pushed right stands ${further(real)}.`;
  const verdict = same ? ": it believes that it sees the push at once" : real * believed < 0 ? ": the wrong way" : "";
  const second = unseen(dream) ? `The dream shows no pole to read after the push ${unseen(dream)}.`
    : Math.abs(believed) < 0.005 ? "The dream makes no difference." : `In the dream the pole pushed right stands ${further(believed)}${verdict}.`;
  return `Step ${n}. ${first} ${second}`;
}

const fanKey = (side) => element("span", { class: `ld-key ld-push-${side}` },
  element("span", { class: "ld-swatch", "aria-hidden": "true" }), element("span", {}, side === "left" ? "\u2190 pushed left first" : "pushed right first \u2192"));

async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const net = await pageModel(model, model.get("page_model"));
  const plans = model.get("plans");
  const horizon = plans[0][1].length;
  const set = setterOf(model);
  const go = (step) => set({ step: Math.max(0, Math.min(horizon, step)) });

  const panels = { truth: fanPanel("Truth: exact physics", "truth"), dream: fanPanel("Dream: the model", "dream") };
  const curve = fanCurve(go);
  const curveBox = element("div", {}, curve.node);
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const forward = iconButton("forward", "One step forward", () => go(model.get("step") + 1));
  const step = slider("Step", go);
  furnish(step.node.querySelector("input"), { min: 0 }, []);
  const start = chooser("Start", model.get("labels"), (i) => set({ start: i }));
  const plan = chooser("Then", plans.map(([words]) => words), (i) => set({ plan: i }));
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-what-if", "What if?");
  root.append(element("p", { class: "ld-fan-keys" }, fanKey("left"), fanKey("right")),
    element("div", { class: "ld-fan-panels" }, panels.truth.node, panels.dream.node),
    element("p", { class: "ld-fan-head" }, element("strong", {}, "Pole angle"), " solid: truth, dashed: dream. Colour in the pictures: where the two futures differ, strengthened."), curveBox,
    element("div", { class: "ld-controls" }, element("div", { class: "ld-fan-step" }, back.node, forward.node, step.node), start.node, plan.node), sentence.node);
  el.replaceChildren(root);
  keepKeys(root);

  let futures;
  let asked = 0;
  function drawStep() {
    const n = model.get("step");
    const middle = world.column(model.get("states")[model.get("start")]);
    const from = Math.round(Math.max(0, Math.min(100 - SHOWN, middle - SHOWN / 2)));
    const colour = (name) => cssColour(root, name);
    const colours = { paper: colour("--ld-panel"), ink: colour("--ld-true"), sides: [colour("--ld-left"), colour("--ld-right")] };
    for (const who of ["truth", "dream"]) panels[who].show(futures[who], n, from, colours);
    curve.move(n);
    step.show(n, horizon, `${n} of ${horizon}`);
    start.show(model.get("start"));
    plan.show(model.get("plan"));
    sentence.say(() => whatIfInWords(futures, n));
  }
  const drawAll = () => { curve.layout(futures); drawStep(); };

  async function imagine() {
    const mine = ++asked;
    const found = await allFutures(world, net, model.get("states")[model.get("start")], plans[model.get("plan")], model.get("limits"));
    if (mine !== asked) return; // another start was chosen meanwhile
    futures = found;
    drawAll();
  }

  await imagine();
  const askStep = oncePerFrame(drawStep);
  const askAll = oncePerFrame(drawAll);
  const deafen = listen(model, [["change:step", askStep], ["change:start", imagine], ["change:plan", imagine]]);
  const unsize = onResize(curveBox, askAll);
  const forgetTheme = onThemeChange(askAll);

  return () => {
    deafen();
    net.close?.();
    asked += 1;
    askStep.cancel();
    askAll.cancel();
    sentence.stop();
    unsize();
    forgetTheme();
  };
}

export default { render };
