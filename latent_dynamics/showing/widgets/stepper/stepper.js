// An episode frame by frame: what the prior expects, what the frame shows, what the posterior believes, and the KL between.

import { element, furnish, iconButton, keepKeys, listen, oncePerFrame, onResize, onThemeChange, restingSentence, setterOf, slider, svgElement, widgetRoot } from "../../page/common.js";
import { makeWorld, paintGrey, unitFrame } from "../../page/world.js";
import { inWords, signed } from "../../page/words.js";
import { ticks } from "../curves.js";

const HEIGHT = { density: 108, bars: 132 };
const EDGE = { left: 30, right: 8 };
const REACH = 3; // standard deviations drawn to either side
const label = (x, y, words, anchor = "middle") => svgElement("text", { x, y, "text-anchor": anchor }, words);

/** A bell over an axis: its line, and what lies under it. */
function bell(kind, [mean, std], x, bottom, height, ends) {
  const points = Array.from({ length: 61 }, (_, i) => mean + (i / 30 - 1) * REACH * std).filter((value) => value >= ends[0] && value <= ends[1]);
  if (!points.length) return [];
  const d = points.map((value) => `${x(value).toFixed(1)} ${(bottom - height * Math.exp(-(((value - mean) / std) ** 2) / 2)).toFixed(1)}`).join("L");
  const foot = (value) => `${x(value).toFixed(1)} ${bottom}`;
  return [svgElement("path", { class: `ld-stepper-${kind} ld-stepper-area`, d: `M${foot(points[0])}L${d}L${foot(points.at(-1))}Z` }),
    svgElement("path", { class: `ld-stepper-${kind} ld-stepper-line`, d: `M${d}` })];
}

/** One number's beliefs at this frame: [unit, which of the four numbers, which of the two readings]. */
function densityPanel(head, unit, column, every) {
  const svg = svgElement("svg", { role: "img", height: HEIGHT.density });
  const node = element("div", {}, element("p", { class: "ld-stepper-head" }, element("strong", {}, head), ` ${unit}`), svg);
  const means = every.flatMap((row) => [row[2 * column] - 2 * row[2 * column + 1], row[2 * column] + 2 * row[2 * column + 1]]);
  const ends = [Math.min(...means), Math.max(...means)];
  const show = (prior, posterior, seen) => {
    const width = Math.max(140, node.clientWidth || 300);
    const bottom = HEIGHT.density - 22;
    const x = (value) => 8 + ((value - ends[0]) / (ends[1] - ends[0])) * (width - 16);
    const step = ticks(ends[1] - ends[0], 4)[1];
    const marks = [];
    for (let value = Math.ceil(ends[0] / step) * step; value <= ends[1]; value += step) marks.push(value);
    furnish(svg, { width, viewBox: `0 0 ${width} ${HEIGHT.density}`, "aria-label": `${head} ${unit}: ${said(prior, posterior, seen, column)}` }, []);
    const of = (row) => row.slice(2 * column, 2 * column + 2);
    svg.replaceChildren(svgElement("line", { class: "ld-stepper-axis", x1: 8, x2: width - 8, y1: bottom, y2: bottom }),
      ...marks.map((value) => label(x(value), bottom + 16, inWords(value, 0))),
      ...bell("prior", of(prior), x, bottom, 50, ends), ...(posterior ? bell("posterior", of(posterior), x, bottom, 74, ends) : []),
      ...(seen ? [svgElement("path", { class: "ld-stepper-seen", d: `M${x(seen[column])} ${bottom}V4` })] : []));
  };
  return { node, show };
}

function said(prior, posterior, seen, column) {
  const belief = (row) => `${signed(row[2 * column], 1)}, give or take ${inWords(row[2 * column + 1], 1)}`;
  return `expected ${belief(prior)}${posterior ? `; read ${signed(seen[column], 1)}; believed ${belief(posterior)}` : ""}.`;
}

/** The surprise of each frame seen so far; gusts as bands, where the reader asked for them. */
function surprisePanel(kl, gusts, onpick) {
  const svg = svgElement("svg", { role: "img", height: HEIGHT.bars, class: "ld-stepper-bars" });
  const node = element("div", {}, element("p", { class: "ld-stepper-head" }, element("strong", {}, "Surprise"), " KL(posterior \u2016 prior) of each frame seen, nats"), svg);
  let x = (frame) => frame;
  const pick = ({ clientX }) => onpick(Math.round((clientX - svg.getBoundingClientRect().left - x(0)) / (x(1) - x(0))));
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); pick(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) pick(event); });
  const show = (moment, revealed) => {
    const width = Math.max(220, node.clientWidth || 600);
    const bottom = HEIGHT.bars - 34;
    const apart = (width - EDGE.left - EDGE.right) / kl.length;
    x = (frame) => EDGE.left + (frame + 0.5) * apart;
    const most = Math.max(...kl);
    const y = (nats) => bottom - (nats / most) * (bottom - 8);
    const count = Math.floor((moment + 1) / 2);
    furnish(svg, { width, viewBox: `0 0 ${width} ${HEIGHT.bars}`, "aria-label": `Surprise of ${count} frames: ${kl.slice(0, count).map((nats) => inWords(nats, 1)).join(", ")} nats.` }, []);
    const every = Math.ceil(kl.length / ((width - EDGE.left) / 30));
    svg.replaceChildren(
      ...(revealed ? gusts.flatMap((gust, i) => (gust ? [svgElement("rect", { class: "ld-stepper-gust", x: x(i) - apart / 2, y: 4, width: apart, height: bottom - 4 }),
        ...(gusts[i - 1] ? [] : [label(x(i), 14, gust > 0 ? "\u2192" : "\u2190")])] : [])) : []),
      ...ticks(most, 3).flatMap((nats) => [svgElement("line", { class: "ld-stepper-axis", x1: EDGE.left, x2: width - EDGE.right, y1: y(nats), y2: y(nats) }), label(EDGE.left - 5, y(nats) + 4, String(nats), "end")]),
      ...kl.slice(0, count).map((nats, i) => svgElement("rect", { class: `ld-stepper-bar${2 * i + 1 === moment ? " ld-stepper-now" : ""}`, x: x(i) - 0.36 * apart, y: y(nats), width: 0.72 * apart, height: bottom - y(nats) })),
      ...kl.flatMap((_, i) => (i % every ? [] : [label(x(i), bottom + 16, String(i + 1))])), label(width - EDGE.right, bottom + 31, "frame", "end"));
  };
  return { node, show };
}

/** What this moment shows, in words. */
function inAllWords({ prior, posterior, seen, kl, gusts }, moment, revealed) {
  const t = Math.floor(moment / 2);
  const [expected, spread] = prior[t].slice(2);
  if (moment % 2 === 0) return `Frame ${t + 1}, before it is seen: the model expects the pole at ${signed(expected, 1)}\u00b0, give or take ${inWords(spread, 1)}\u00b0.`;
  const usual = [...kl].sort((one, other) => one - other)[Math.floor(kl.length / 2)];
  const weight = kl[t] > 1.7 * usual ? `more than usual, which is ${inWords(usual, 1)}` : kl[t] < 0.6 * usual ? "less than usual" : "about as usual";
  const air = !revealed ? "" : gusts[t] ? ` On the way here a gust blew to the ${gusts[t] > 0 ? "right" : "left"}; it has changed a speed, and will show from the next frame on.` : " No gust blew on the way here.";
  return `Frame ${t + 1}, seen: the pole stands at ${signed(seen[t][1], 1)}\u00b0, expected was ${signed(expected, 1)}\u00b0, now believed ${signed(posterior[t][2], 1)}\u00b0. Surprise ${inWords(kl[t], 1)} nats, ${weight}.${air}`;
}

function render({ model, el }) {
  const set = setterOf(model);
  const [prior, posterior, seen, kl, gusts, states] = ["prior", "posterior", "seen", "kl", "gusts", "states"].map((name) => model.get(name));
  const told = { prior, posterior, seen, kl, gusts, states };
  const world = makeWorld(model.get("world"));
  const last = 2 * told.kl.length - 1;
  const go = (moment) => set({ moment: Math.max(0, Math.min(last, moment)) });

  const canvas = element("canvas", { width: 100, height: 32, role: "img", class: "ld-scene-frame" });
  const frameHead = element("p", { class: "ld-stepper-head" });
  const every = [...told.prior, ...told.posterior];
  const panels = [densityPanel("Cart", "centimetres", 0, every), densityPanel("Pole", "degrees", 1, every)];
  const bars = surprisePanel(told.kl, told.gusts, (frame) => go(2 * frame + 1));
  const back = iconButton("back", "Back", () => go(model.get("moment") - 1));
  const forward = iconButton("forward", "On", () => go(model.get("moment") + 1));
  const moment = slider("Moment", go);
  furnish(moment.node.querySelector("input"), { min: 0 }, []);
  const reveal = element("button", { type: "button", class: "ld-button ld-stepper-reveal", onclick: () => set({ revealed: !model.get("revealed") }) });
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-stepper", "Prior and posterior");
  root.append(
    element("p", { class: "ld-stepper-head" }, element("span", { class: "ld-key ld-stepper-prior" }, "\u2508 prior, before the frame"), element("span", { class: "ld-key ld-stepper-posterior" }, "\u2500 posterior, after it"), element("span", { class: "ld-key" }, "\u2502 read off the frame")),
    element("div", { class: "ld-stepper-panels" }, element("div", {}, frameHead, canvas), ...panels.map(({ node }) => node)), bars.node,
    element("div", { class: "ld-controls ld-stepper-controls" }, back.node, forward.node, moment.node, reveal), sentence.node);
  el.replaceChildren(root);
  keepKeys(root);

  function draw() {
    const [now, revealed] = [model.get("moment"), model.get("revealed")];
    const [t, isSeen] = [Math.floor(now / 2), now % 2 === 1];
    const context = canvas.getContext("2d");
    if (isSeen) paintGrey(context, unitFrame(world.draw(told.states[t])));
    else furnishBlank(context, root);
    frameHead.replaceChildren(element("strong", {}, `Frame ${t + 1}`), isSeen ? "" : " not seen yet");
    canvas.setAttribute("aria-label", isSeen ? `Frame ${t + 1}` : `Frame ${t + 1}, not seen yet`);
    for (const { show } of panels) show(told.prior[t], isSeen ? told.posterior[t] : null, isSeen ? told.seen[t] : null);
    bars.show(now, revealed);
    moment.show(now, last, `${t + 1} ${isSeen ? "after" : "before"}`);
    reveal.textContent = revealed ? "Hide the gusts" : "Where were the gusts?";
    reveal.setAttribute("aria-pressed", String(revealed));
    sentence.say(() => inAllWords(told, model.get("moment"), model.get("revealed")));
  }
  draw();
  const ask = oncePerFrame(draw);
  const stop = listen(model, [["change:moment", ask], ["change:revealed", ask]]);
  const [unwatch, offTheme] = [onResize(root, ask), onThemeChange(ask)];
  return () => { stop(); unwatch(); offTheme(); ask.cancel(); sentence.stop(); };
}

/** A frame that nobody has seen yet: the panel's own colour. */
function furnishBlank(context, root) {
  context.fillStyle = getComputedStyle(root).getPropertyValue("--ld-panel");
  context.fillRect(0, 0, 100, 32);
}

export default { render };
