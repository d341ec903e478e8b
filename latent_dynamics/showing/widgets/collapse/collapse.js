// Two settings of a sequential latent, and what a model trained so keeps in z and imagines.

import { element, keepKeys, listen, oncePerFrame, onResize, restingSentence, setterOf, slider, svgElement, widgetRoot } from "../../page/common.js";
import { linePath, lineSample, ticks } from "../curves.js";

const HEIGHT = 190;
const LEFT = 44; // pixels for an axis' numbers
const BOTTOM = 34;
const LIMIT = 13; // degrees shown either way: a pole has fallen at 12

/** A chart's frame: its marks and names. `x` and `y` turn values into pixels. */
function axes(svg, width, { xs, ys, x, y, xName, yName }) {
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  const text = (words, attributes) => svgElement("text", attributes, words);
  svg.replaceChildren(
    ...ys.map((value) => svgElement("path", { class: "ld-collapse-grid", d: `M${LEFT} ${y(value)}H${width}` })),
    ...ys.map((value) => text(String(value).replace("-", "−"), { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" })),
    ...xs.map((value) => text(String(value), { x: x(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" })),
    text(xName, { x: (LEFT + width) / 2, y: HEIGHT - 3, "text-anchor": "middle" }),
    text(yName, { x: 0, y: 11 }),
  );
}

/** Bars of KL, the fullest number first; those that count as used are filled. */
function drawBars(svg, width, kl, most, used) {
  const step = (width - LEFT) / kl.length;
  const x = (number) => LEFT + step * (number - 0.5);
  const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - 24);
  axes(svg, width, { xs: kl.map((_, i) => i + 1), ys: ticks(most, 3), x, y, xName: "number of the latent", yName: "KL, nats a step" });
  svg.append(...kl.map((value, i) => svgElement("rect", {
    class: value > used ? "ld-collapse-used" : "ld-collapse-idle",
    x: x(i + 1) - 0.36 * step, width: 0.72 * step, y: y(value), height: Math.max(0.5, y(0) - y(value)),
  })));
}

/** What the model imagines, and what may really come. */
function drawFan(svg, width, fan, futures) {
  const steps = futures[0].length;
  const x = (step) => LEFT + ((step - 1) / (steps - 1)) * (width - LEFT - 8);
  const y = (angle) => 20 + ((LIMIT - angle) / (2 * LIMIT)) * (HEIGHT - BOTTOM - 20);
  axes(svg, width, { xs: [1, 5, 10, 15, 20].filter((n) => n <= steps), ys: [-10, 0, 10], x, y, xName: "step after the last frame seen", yName: "pole angle, degrees" });
  svg.append(
    ...fan.map((line) => linePath(line, 1, x, y, { class: "ld-collapse-dream" })),
    ...futures.map((line) => linePath(line, 1, x, y, { class: "ld-collapse-true" })),
  );
}

function render({ model, el }) {
  const set = setterOf(model);
  const [weights, sigmas, cells, futures, used] = ["weights", "sigmas", "cells", "futures", "used"].map((name) => model.get(name));
  const most = Math.max(...cells.flat().map((cell) => cell.kl[0]));
  const root = widgetRoot(model, "ld-collapse", "Collapse of a latent:");
  const bars = svgElement("svg", { role: "img" });
  const fan = svgElement("svg", { role: "img" });
  const weight = slider("KL weight", (at) => set({ weight: at - 1 }));
  const sigma = slider("sigma", (at) => set({ sigma: at - 1 }));
  const sentence = restingSentence();
  const legend = element("p", { class: "ld-collapse-legend" },
    lineSample({ class: "ld-collapse-dream" }, "imagined"), lineSample({ class: "ld-collapse-true" }, "what may really come"));
  root.append(
    element("div", { class: "ld-collapse-charts" }, bars, element("div", {}, fan, legend)),
    element("div", { class: "ld-controls" }, weight.node, sigma.node), sentence.node,
  );

  const chosen = () => cells[model.get("weight")][model.get("sigma")];
  const words = () => {
    const cell = chosen();
    const total = cell.kl.reduce((sum, one) => sum + one, 0);
    const busy = cell.kl.filter((one) => one > used).length;
    const lost = `With the latents of another window its fit is worse by ${cell.swapped.toFixed(2)} nats a step.`;
    return `KL weight ${weights[model.get("weight")]}, sigma ${sigmas[model.get("sigma")]}: the latent carries ${total.toFixed(2)} nats a step, `
      + `in ${busy} of its ${cell.kl.length} numbers. ${lost} Over all windows its fans score ${cell.crps.toFixed(2)}° at step 10.`;
  };
  const draw = oncePerFrame(() => {
    const { clientWidth: one } = bars;
    const { clientWidth: other } = fan;
    if (!one || !other) return;
    drawBars(bars, one, chosen().kl, most, used);
    drawFan(fan, other, chosen().fan, futures);
  });
  const update = () => {
    weight.show(model.get("weight") + 1, weights.length, String(weights[model.get("weight")]));
    sigma.show(model.get("sigma") + 1, sigmas.length, String(sigmas[model.get("sigma")]));
    bars.setAttribute("aria-label", `KL of each number of the latent, in nats a step: ${chosen().kl.map((one) => one.toFixed(2)).join(", ")}`);
    fan.setAttribute("aria-label", "Pole angles over twenty steps: imagined ones, and those that may really come");
    sentence.say(words);
    draw();
  };
  const ends = [
    listen(model, ["weight", "sigma"].map((name) => [`change:${name}`, update])),
    onResize(root, draw), draw.cancel, sentence.stop,
  ];
  keepKeys(root);
  el.append(root);
  update();
  return () => ends.forEach((end) => end());
}

export default { render };
