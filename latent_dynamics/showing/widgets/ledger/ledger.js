// The ledger that closes: ln p(o) = ELBO + KL(q || p(z | o)), step by step, while the reader turns chain and q.

import { element, keepKeys, listen, oncePerFrame, onResize, restingSentence, setterOf, slider, svgElement, widgetRoot, chooser } from "../../page/common.js";
import { inWords } from "../../page/words.js";
import { chainOf, moments } from "./chain.js";

const HEIGHT = { whole: 96, belief: 150, steps: 190 };
const EDGE = { left: 34, right: 8 };
const total = (values) => values.reduce((all, value) => all + value, 0);
const rect = (kind, x, y, width, height) => svgElement("rect", { class: `ld-ledger-${kind}`, x, y, width: Math.max(0, width), height: Math.max(0, height) });
const label = (x, y, words, anchor = "start") => svgElement("text", { x, y, "text-anchor": anchor }, words);

/** All that is shown of one choice. */
function account(choice) {
  const { family, noise, ...numbers } = choice;
  const chain = chainOf(numbers);
  const o = chain.fromNoise(noise);
  const q = chain.best(family, o);
  const { steps, whole } = chain.ledger(q, o);
  const owed = steps.map(({ left }, t) => left - (t ? steps[t - 1].left : whole)); // what the step's share of -ln p(o) is
  const elbo = total(steps.map(({ fit, kl }) => fit - kl));
  const gap = total(steps.map((one) => one.gap));
  return { o, steps, whole, owed, elbo, gap, q: moments(q), exact: moments(chain.posterior(o)), price: total(chain.priceOfFiltering(o.length)) };
}

/** The whole ledger as two long bars: what the readings cost and what q pays. */
function drawWhole({ steps, whole, gap }, width) {
  const paid = { misfit: -total(steps.map(({ fit }) => fit)), kl: total(steps.map(({ kl }) => kl)) };
  const x = (nats) => (nats / Math.max(paid.misfit + paid.kl, 1e-9)) * width;
  return [
    label(0, 12, "\u2212ln p(o), and what q pays too much"), rect("owed", 0, 18, x(-whole), 20), rect("gap", x(-whole), 18, x(gap), 20),
    label(0, 58, "q pays: misfit, and KL to the prior"), rect("misfit", 0, 64, x(paid.misfit), 20), rect("kl", x(paid.misfit), 64, x(paid.kl), 20),
  ];
}

/** Bars on bars from zero up, or down where one is negative. */
function stack(parts, x, y, width) {
  let base = 0;
  return parts.map(([kind, value]) => {
    const [from, to] = [base, base + value];
    base = to;
    return rect(kind, x, y(Math.max(from, to)), width, Math.abs(y(from) - y(to)));
  });
}

/** For each step two stacks of equal height: paid (misfit, KL) and owed (its share of -ln p(o), and the gap). */
function drawSteps({ steps, owed }, width) {
  const [bottom, apart] = [HEIGHT.steps - 34, (width - EDGE.left - EDGE.right) / steps.length];
  const tops = steps.flatMap(({ fit, kl, gap }, t) => [kl - fit, owed[t] + gap, owed[t], 0]);
  const [low, high] = [Math.min(...tops), Math.max(...tops, 1)];
  const y = (nats) => bottom - ((nats - low) / (high - low)) * (bottom - 12);
  const thick = Math.min(30, 0.36 * apart);
  const mark = high > 6 ? 2 : high > 2.5 ? 1 : 0.5;
  const marks = Array.from({ length: Math.floor(high / mark) + 1 }, (_, i) => i * mark);
  return [
    ...marks.flatMap((nats) => [svgElement("line", { class: "ld-ledger-grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(nats), y2: y(nats) }),
      label(EDGE.left - 5, y(nats) + 4, String(nats), "end")]),
    ...steps.flatMap(({ fit, kl, gap }, t) => {
      const middle = EDGE.left + (t + 0.5) * apart;
      return [...stack([["owed", owed[t]], ["gap", gap]], middle - thick - 1, y, thick),
        ...stack([["misfit", -fit], ["kl", kl]], middle + 1, y, thick), label(middle, bottom + 16, String(t + 1), "middle")];
    }),
    label(width - EDGE.right, bottom + 31, "step", "end"),
  ];
}

/** Readings, and where q and the true posterior put each latent: mean and a standard deviation to either side. */
function drawBeliefs({ o, q, exact }, width) {
  const [bottom, apart] = [HEIGHT.belief - 8, (width - EDGE.left - EDGE.right) / o.length];
  const ends = [...o, ...[...q, ...exact].flatMap(({ mean, spread }) => [mean - Math.sqrt(spread), mean + Math.sqrt(spread)])];
  const [low, high] = [Math.min(...ends, -1), Math.max(...ends, 1)];
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - 8);
  const x = (t) => EDGE.left + (t + 0.5) * apart;
  const belief = (kind, at) => ({ mean, spread }, t) => svgElement("g", { class: `ld-ledger-${kind}` },
    svgElement("line", { x1: x(t) + at, x2: x(t) + at, y1: y(mean - Math.sqrt(spread)), y2: y(mean + Math.sqrt(spread)) }),
    kind === "truth" ? svgElement("rect", { x: x(t) + at - 4, y: y(mean) - 4, width: 8, height: 8 }) : svgElement("circle", { cx: x(t) + at, cy: y(mean), r: 4.5 }));
  const marks = [Math.ceil(low), 0, Math.floor(high)].filter((value, i, all) => all.indexOf(value) === i);
  return [
    ...marks.flatMap((value) => [svgElement("line", { class: "ld-ledger-grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      label(EDGE.left - 5, y(value) + 4, inWords(value, 0), "end")]),
    ...o.map((seen, t) => svgElement("path", { class: "ld-ledger-reading", d: `M${x(t) - 5} ${y(seen) - 5}l10 10m0 -10l-10 10` })),
    ...exact.map(belief("truth", -9)), ...q.map(belief("q", 9)),
  ];
}

/** A panel: its head, its keys, its drawing. */
function panel(head, keys, height, draw) {
  const svg = svgElement("svg", { role: "img", height });
  const node = element("div", { class: "ld-ledger-panel" }, element("p", {}, element("strong", {}, head), ...keys.map(([kind, words]) =>
    element("span", { class: "ld-key" }, svgElement("svg", { width: 12, height: 12, "aria-hidden": "true" }, ...keyMark(kind)), element("span", {}, words)))), svg);
  const show = (found, words) => {
    const width = Math.max(200, node.clientWidth || 600);
    svg.setAttribute("width", String(width));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", `${head}. ${words}`);
    svg.replaceChildren(...draw(found, width));
  };
  return { node, show };
}

function keyMark(kind) {
  if (kind === "reading") return [svgElement("path", { class: "ld-ledger-reading", d: "M1 1l10 10m0 -10l-10 10" })];
  if (kind === "truth") return [svgElement("g", { class: "ld-ledger-truth" }, svgElement("rect", { x: 2, y: 2, width: 8, height: 8 }))];
  if (kind === "q") return [svgElement("g", { class: "ld-ledger-q" }, svgElement("circle", { cx: 6, cy: 6, r: 4.5 }))];
  return [rect(kind, 0, 0, 12, 12)];
}

const nats = (value, digits = 2) => `${inWords(value, digits)} nats`;

/** What this choice shows, and why, in words. */
function inAllWords({ steps, gap, price }, family) {
  if (family === "smoothing") return "Smoothing: q sees all readings and the latent before. It is the true posterior; nothing is left over, and the ELBO is ln p(o).";
  if (gap < 5e-4) return `${family === "filtering" ? "Filtering" : "Mean-field"}: next to nothing is left over. Here there is nothing that this q can't know or can't say.`;
  const worst = steps.reduce((most, one, t) => (one.gap > steps[most].gap ? t : most), 0);
  const where = `The ELBO is ${nats(gap)} below ln p(o), most of it at step ${worst + 1}.`;
  if (family === "filtering") return `Filtering: q sees the readings up to its own step, and no later one. ${where} The true posterior moves once the future is known, and this q can't. Over all readings from this chain the price is ${nats(price)} on average.`;
  return `Mean-field: q sees all readings, but each latent stands alone. ${where} Its means are right; what it can't say is that two neighbours err together.`;
}

/** Both sides of the equation, to the last digit. */
function bothSides({ whole, elbo, gap }) {
  const digits = (value) => inWords(value, 12);
  const off = Math.abs(whole - elbo - gap);
  return [["ln p(o), by Kalman\u2019s filter", digits(whole)], ["ELBO", digits(elbo)], ["KL(q \u2016 p(z | o))", digits(gap)],
    ["ELBO + KL", digits(elbo + gap)], ["the two sides differ by", off ? off.toExponential(0).replace("e-", "\u00b710\u207b").replace(/\d+$/, (n) => [...n].map((d) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[d]).join("")) : "0"]];
}

function familyChoice(families, name, onchoose) {
  const inputs = families.map((family) => element("input", { type: "radio", name, value: family, onchange: () => onchoose(family) }));
  const node = element("fieldset", { class: "ld-ledger-family" }, element("legend", { class: "ld-slider-name" }, "q is"),
    ...families.map((family, i) => element("label", {}, inputs[i], element("span", {}, family))));
  return { node, show: (family) => inputs.forEach((input) => { input.checked = input.value === family; }) };
}

let groups = 0; // radio buttons of two views of one ledger must not belong together

function render({ model, el }) {
  const set = setterOf(model);
  const offered = model.get("offered");
  const dial = (trait, name) => ({ trait, ...slider(name, (n) => set({ [trait]: offered[trait][n - 1] })) });
  const dials = [dial("a", "a"), dial("Q", "Q, of a step"), dial("R", "R, of a reading")];
  const family = familyChoice(model.get("families"), `ld-ledger-${++groups}`, (one) => set({ family: one }));
  const which = chooser("Readings", model.get("noises").map((_, i) => `draw ${i + 1}`), (sequence) => set({ sequence }));
  const panels = [
    panel("Step by step, nats.", [["owed", "share of \u2212ln p(o)"], ["gap", "gap"], ["misfit", "misfit"], ["kl", "KL to the prior"]], HEIGHT.steps, drawSteps),
    panel("All steps.", [], HEIGHT.whole, drawWhole),
    panel("Readings and beliefs.", [["reading", "reading"], ["truth", "true posterior"], ["q", "q"]], HEIGHT.belief, drawBeliefs),
  ];
  const sides = element("dl", { class: "ld-ledger-sides" });
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-ledger", "Ledger");
  root.append(family.node, sentence.node, ...panels.map(({ node }) => node), sides,
    element("div", { class: "ld-controls" }, ...dials.map(({ node }) => node), which.node));
  el.replaceChildren(root);
  keepKeys(root);

  function draw() {
    const choice = Object.fromEntries(["a", "Q", "R", "P", "family"].map((name) => [name, model.get(name)]));
    const found = account({ ...choice, noise: model.get("noises")[model.get("sequence")] });
    for (const { trait, show } of dials) {
      show(offered[trait].indexOf(model.get(trait)) + 1, offered[trait].length, String(model.get(trait)));
    }
    family.show(model.get("family"));
    which.show(model.get("sequence"));
    const words = `Misfit ${nats(-total(found.steps.map(({ fit }) => fit)))}, KL ${nats(total(found.steps.map(({ kl }) => kl)))}, gap ${nats(found.gap)}, \u2212ln p(o) ${nats(-found.whole)}.`;
    for (const { show } of panels) show(found, words);
    sides.replaceChildren(...bothSides(found).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    sentence.say(() => inAllWords(found, model.get("family")));
  }
  draw();
  const ask = oncePerFrame(draw);
  const stop = listen(model, ["a", "Q", "R", "family", "sequence"].map((name) => [`change:${name}`, ask]));
  const unwatch = onResize(root, ask);
  return () => { stop(); unwatch(); ask.cancel(); sentence.stop(); };
}

export default { render };
