// A slider for each number of z: the decoded frame at once, the reader's verdict, and how far z is from any real frame's.

import { halves, pageFunction } from "../../page/engine.js";
import { makeWorld, paintGrey, unitFrame } from "../../page/world.js";
import { chooser, element, furnish, keepKeys, listen, oncePerFrame, restingSentence, setterOf, slider, widgetRoot } from "../../page/common.js";
import { inDegrees, signed } from "../../page/words.js";

const STEP = 0.05; // standard deviations

const tilt = (theta) => `${signed(inDegrees(theta), 1)}\u00b0`;

const verdict = ({ x, theta, valid }) => (valid ? `cart ${signed(x, 2)} m, pole ${tilt(theta)}` : "no pole");

/** What the sliders stand for: the real frames, their latents, and where training latents lie. */
function latentSpace(model, world, encode) {
  const [mean, spread, seen] = [model.get("mean"), model.get("spread"), halves(model.get("seen"))];
  const frames = model.get("states").map(world.draw);
  const codes = frames.map((frame) => encode(unitFrame(frame)));
  const size = mean.length;
  const standard = (z) => Array.from(z, (value, i) => (value - mean[i]) / spread[i]);

  function nearest(z) {
    const here = standard(z);
    let least = Infinity;
    for (let at = 0; at < seen.length; at += size) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += (here[i] - seen[at + i]) ** 2;
      least = Math.min(least, sum);
    }
    return Math.sqrt(least);
  }

  /** How far number i may be moved from a real frame's, in steps of its slider: [least, most]. */
  function room(frame, i) {
    const now = standard(codes[frame])[i];
    const [low, high] = model.get("reach")[i];
    return [Math.min(0, Math.ceil((low - now) / STEP)), Math.max(0, Math.floor((high - now) / STEP))];
  }
  const moved = (frame, by) => codes[frame].map((value, i) => value + by[i] * spread[i]);
  return { size, frames, count: seen.length / size, nearest, room, moved };
}

/** A frame with a caption and what the reader finds in it. */
function picturePanel(words, label) {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-scene-frame", role: "img", "aria-label": label });
  const found = element("strong");
  const node = element("div", {}, canvas, element("p", {}, element("span", {}, words), found));
  const context = canvas.getContext("2d");
  const show = (frame, reading) => {
    paintGrey(context, frame);
    found.textContent = verdict(reading);
    found.classList.toggle("ld-lost-pole", !reading.valid);
    canvas.setAttribute("aria-label", `${label}: ${verdict(reading)}`);
  };
  return { node, show };
}

/** How far z is from the nearest training latent, as a bar; the mark is where real frames end. */
function distanceBar(usual, count) {
  const words = element("span");
  const fill = element("div");
  const mark = element("i", { style: "left: 25%" });
  const node = element("div", { class: "ld-far" },
    element("p", {}, `From the nearest of ${count} training latents: `, words),
    element("div", { class: "ld-far-bar", "aria-hidden": "true" }, fill, mark),
    element("p", { class: "ld-far-key", "aria-hidden": "true" }, `real frames: within ${usual.toFixed(1)} sd`));
  const show = (distance) => {
    words.textContent = `${distance.toFixed(1)} sd`;
    fill.style.width = `${Math.min(100, (25 * distance) / usual)}%`;
    fill.className = distance > usual ? "ld-far-off" : "";
  };
  return { node, show };
}

/** One slider a number; each knows where the real frame lies, at its zero. */
function makeSliders(space, move) {
  const sliders = Array.from({ length: space.size }, (_, i) => slider(`z${i + 1}`, (n) => move(i, n * STEP)));
  sliders.forEach(({ node }) => node.append(element("i", { "aria-hidden": "true" })));
  const node = element("div", { class: "ld-latent-sliders" }, ...sliders.map((one) => one.node));

  function show(frame, by) {
    sliders.forEach((one, i) => {
      const [low, high] = space.room(frame, i);
      furnish(one.node.querySelector("input"), { min: low }, []);
      one.show(Math.round(by[i] / STEP), high, by[i] ? `${signed(by[i], 2)} sd` : "as it is");
      one.node.style.setProperty("--real", -low / Math.max(1, high - low));
      one.node.classList.toggle("ld-moved", by[i] !== 0);
    });
  }
  return { node, show };
}

/** What was moved, what is drawn, and whether z belongs to anything. */
function latentInWords(by, real, drawn, distance, usual) {
  const changed = by.flatMap((value, i) => (value ? [`z${i + 1} by ${signed(value, 2)}`] : []));
  const what = changed.length === 0 ? "This is the latent of the real frame."
    : changed.length > 3 ? `${changed.length} of the ${by.length} numbers are moved.` : `Moved ${changed.join(" and ")} sd.`;
  const draws = drawn.valid ? `It is drawn with the pole at ${tilt(drawn.theta)}; in the real frame it is at ${tilt(real.theta)}.`
    : "The decoder draws no pole that can be read.";
  const where = distance > usual ? `The nearest training latent is ${distance.toFixed(1)} sd away, farther than those of real frames: no picture belongs to this z.`
    : `The nearest training latent is ${distance.toFixed(1)} sd away, as for real frames.`;
  return `${what} ${draws} ${where}`;
}

async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const encode = await pageFunction(model, model.get("functions").encode);
  const decode = await pageFunction(model, model.get("functions").decode);
  const space = latentSpace(model, world, encode);
  const [limits, usual] = [model.get("limits"), model.get("usual")];
  const set = setterOf(model);
  const snap = (frame) => set({ frame, moved: Array(space.size).fill(0) });
  const move = (i, by) => set({ moved: model.get("moved").with(i, Math.round(by * 100) / 100) });
  const anywhere = () => set({ moved: Array.from({ length: space.size }, (_, i) => {
    const [low, high] = space.room(model.get("frame"), i);
    return Math.round(100 * STEP * Math.round(low + Math.random() * (high - low))) / 100;
  }) });

  const panels = [picturePanel("A real frame", "The real frame"), picturePanel("Drawn from z", "The frame decoded from z")];
  const bar = distanceBar(usual, space.count);
  const sliders = makeSliders(space, move);
  const frames = chooser("Real frame", model.get("labels"), snap);
  const button = (words, onclick) => element("button", { type: "button", class: "ld-button", onclick }, words);
  const back = button("Back to the real frame", () => snap(model.get("frame")));
  const next = button("Next real frame", () => snap((model.get("frame") + 1) % space.frames.length));
  const sentence = restingSentence();
  const root = widgetRoot(model, "ld-latent", "Latent explorer.");
  root.append(element("div", { class: "ld-latent-pictures" }, ...panels.map(({ node }) => node)), bar.node,
    element("div", { class: "ld-controls" }, sliders.node,
      element("div", { class: "ld-latent-buttons" }, back, next, button("Anywhere at random", anywhere), frames.node)), sentence.node);
  el.replaceChildren(root);
  keepKeys(root);

  function draw() {
    const [frame, by] = [model.get("frame"), model.get("moved")];
    const z = space.moved(frame, by);
    const picture = decode(z);
    const real = world.read(unitFrame(space.frames[frame]), limits);
    const drawn = world.read(picture, limits);
    const distance = space.nearest(z);
    panels[0].show(space.frames[frame], real);
    panels[1].show(picture, drawn);
    bar.show(distance);
    sliders.show(frame, by);
    frames.show(frame);
    back.disabled = by.every((value) => value === 0);
    sentence.say(() => latentInWords(by, real, drawn, distance, usual));
  }

  const ask = oncePerFrame(draw);
  const deafen = listen(model, [["change:frame", ask], ["change:moved", ask]]);
  draw();

  return () => {
    deafen();
    ask.cancel();
    sentence.stop();
  };
}

export default { render };
