// Drive a gusty world, shove the pole, cover the camera: and see what a model that doubts believes, and when it is surprised. The
// page computes all: the world by its physics, the belief by the trained model. What a game is stands in surprise_try.js.

import { neighbour, pageModels } from "../../page/engine.js";
import { makeScene, makeWorld, paintGrey } from "../../page/world.js";
import { chooser, element, iconButton, keepKeys, listen, metronome, onceFor, oncePerFrame, onResize, onThemeChange, sessionsOf, setterOf, statusLine, svgElement, widgetRoot } from "../../page/common.js";
import { linePath, lineSample, scrubbed, ticks } from "../curves.js";
import { holdButton, wordButton } from "../buttons.js";
import { manyPoles } from "../poles.js";
import { inWords, poleInWords } from "../../page/words.js";
import { LONGEST, SHOWN, believeStep, cameraFrame, darkIn, fallen, gustsIn, historyOf, lastOf, leaning, newGame, playStep, surpriseInWords, usual } from "./surprise_try.js";

const SPEEDS = [0.1, 0.25, 0.5, 1]; // of real time
const DRIVERS = [["you", "You"], ["expert", "An expert"], ["coin", "A coin"]];
const WANTED = ["see", "begin", "update", "surprise", "scatter", "sample_step", "pose"];
const sessions = sessionsOf(startSession); // two views of one widget show the same game

/** What all views of one widget share: the model, the game, the clock. */
async function startSession(view, session) {
  const model = await neighbour(view, view.get("key")); // a view's own model goes deaf when the view is closed
  const world = makeWorld(model.get("world"));
  const set = setterOf(model);
  const nets = pageModels(model, WANTED);
  const waiting = { gust: 0, held: null };
  let generation = 0;
  const tell = () => session.views.forEach((draw) => draw());
  const trackOf = (game = session.game) => (game.tracks[model.get("model")] ??= []);

  /** Lets the model that is shown believe as far as the world has come, without holding up the page. */
  async function catchUp() {
    const mine = generation += 1;
    const { game } = session;
    const m = model.get("model");
    const net = await nets.of(m);
    const track = game.tracks[m] ??= [];
    const noise = { count: model.get("samples"), seed: model.get("seed"), sizes: model.get("noise")[m] };
    for (let began = performance.now(); track.length <= lastOf(game);) {
      if (mine !== generation) return false;
      believeStep(net, game, track, noise);
      if (performance.now() - began < 12) continue;
      await new Promise(requestAnimationFrame);
      began = performance.now();
    }
    return mine === generation;
  }

  function settle() {
    if (!model.get("playing")) set({ history: historyOf(session.game, trackOf()) });
    tell();
  }

  async function show() {
    if (!await catchUp()) return;
    set({ step: lastOf(session.game) });
    settle();
  }

  const choose = () => {
    const { game } = session;
    const driver = model.get("driver");
    if (driver === "coin") return Math.random() < 0.5 ? 0 : 1;
    if (driver === "expert") return world.expert(game.states.at(-1));
    return waiting.held ?? 1 - game.actions.at(-1);
  };
  const over = () => fallen(session.game) || lastOf(session.game) >= LONGEST;

  async function forward(action) {
    if (session.busy) return;
    if (over()) { set({ playing: false }); return; }
    session.busy = true;
    const chance = model.get("windy") ? Math.random : null;
    playStep(session.game, action ?? choose(), { gust: waiting.gust, covered: model.get("covered"), chance });
    waiting.gust = 0;
    await show();
    session.busy = false;
    if (over()) set({ playing: false });
  }

  /** The context alone: from here on the reader plays. */
  function restart() {
    generation += 1;
    session.game = newGame(world, model.get("starts")[model.get("start")]);
    Object.assign(waiting, { gust: 0, held: null });
    return show();
  }

  /** What it opens with: an expert plays on, a gust blows, and the camera is covered for a while. */
  function playOpening() {
    const { steps, gust: [when, side], covered: [from, to] } = model.get("opening");
    session.game = newGame(world, model.get("starts")[model.get("start")]);
    while (lastOf(session.game) < steps && !over()) {
      const n = lastOf(session.game) + 1;
      playStep(session.game, world.expert(session.game.states.at(-1)), { gust: n === when ? side : 0, covered: n >= from && n < to });
    }
    return show();
  }

  const clock = metronome(() => 50 * model.get("speed"), () => { forward(); });
  const playOrPause = () => {
    if (!model.get("playing")) { clock.stop(); return settle(); }
    if (over()) restart();
    clock.start();
    return tell();
  };
  await playOpening();
  const deafen = listen(model, [
    ["change:playing", playOrPause], ["change:step", tell], ["change:model", async () => { if (await catchUp()) settle(); }], ["change:start", () => { set({ playing: false }); playOpening(); }],
    ...["covered", "windy", "driver", "speed"].map((name) => [`change:${name}`, tell]),
  ]);

  Object.assign(session, {
    set, restart, track: trackOf,
    /** One step on: through what has been, then into the future. */
    forward(action) { return action === undefined && model.get("step") < lastOf(session.game) ? session.go(model.get("step") + 1) : forward(action); },
    go: (step) => set({ playing: false, step: Math.max(0, Math.min(lastOf(session.game), step)) }),
    /** A gust is felt at the next step; the game goes on, or nobody would see what it does. */
    gust(side) { waiting.gust = side; if (!over()) set({ playing: true }); },
    cover() { set({ covered: !model.get("covered") }); if (!over()) set({ playing: true }); },
    hold(action, down) {
      if (down) {
        waiting.held = action;
        if (model.get("driver") !== "you") set({ driver: "you" });
        if (!model.get("playing")) forward(action);
      } else if (waiting.held === action) waiting.held = null;
    },
    close() {
      clock.stop();
      generation += 1;
      deafen();
      sessions.close(model);
    },
  });
}

/** A picture with its caption. */
function panel(kind, name, picture) {
  const reading = element("span", { class: "ld-reading" });
  const mark = element("span", { class: "ld-key" }, element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" }), name);
  return { node: element("div", {}, picture, element("div", { class: "ld-caption" }, mark, reading)), reading };
}

/** The camera's picture, and over it the poles that the model holds possible. */
function cameraPanel() {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-film ld-scene-frame", role: "img" });
  const poles = manyPoles("free");
  const off = element("span", { class: "ld-off", "aria-hidden": "true" }, "camera covered");
  const { node, reading } = panel("free", "The camera, and what the model believes", element("div", { class: "ld-outlined" }, canvas, poles.node, off));
  const context = canvas.getContext("2d");
  function draw(game, n, { poses, mean, std }) {
    const covered = game.covered[n];
    paintGrey(context, cameraFrame(game, n));
    poles.draw(poses);
    off.hidden = !covered;
    const words = `${poleInWords(mean)}\u00b0 \u00b1 ${inWords(std)}\u00b0`;
    canvas.setAttribute("aria-label", `${covered ? "A covered camera" : "The camera's picture"}, with ${poses.length} possible poles over it: ${words}`);
    reading.textContent = words;
  }
  return { node, draw };
}

const MARGIN = { left: 36, right: 8, top: 8 };

/** The two strips over the last steps: surprise above, the pole's angle below. */
function stripCharts(onscrub) {
  const surprise = svgElement("svg", { class: "ld-curve ld-strip", role: "img", height: 128 });
  const angle = svgElement("svg", { class: "ld-curve ld-strip", role: "img", height: 168 });
  let wide = 600;
  let x = (step) => step;
  for (const svg of [surprise, angle]) scrubbed(svg, (step) => x(step), onscrub);
  const measure = () => { wide = surprise.parentElement?.clientWidth || wide; };

  /** All that has been up to step n, and a line at the step whose pictures are shown. */
  function draw(game, track, n, now) {
    const from = Math.max(0, n - SHOWN);
    const [left, right] = [MARGIN.left, Math.max(220, wide) - MARGIN.right];
    x = (step) => left + ((step - from) / SHOWN) * (right - left);
    const shown = track.slice(from, n + 1);
    const frame = { from, n, now, x, left, right, dark: darkIn(track, from, n), gusts: gustsIn(game, from, n) };
    for (const svg of [surprise, angle]) svg.setAttribute("width", String(Math.max(220, wide)));
    drawSurprise(surprise, frame, shown, usual(track, Math.max(1, from), n));
    drawAngle(angle, frame, shown, shown.map((_, i) => leaning(game, from + i)));
  }
  return { surprise, angle, draw, measure };
}

const label = (text, at) => svgElement("text", at, text);
const rule = (y, { left, right }) => svgElement("line", { class: "ld-grid", x1: left, x2: right, y1: y, y2: y });

/** What both strips share: where nothing was seen, when gusts began, and the steps below. */
function ground({ x, dark, gusts, from, now }, top, bottom, named) {
  const every = SHOWN / 4;
  const numbers = Array.from({ length: 5 }, (_, i) => Math.ceil(from / every) * every + i * every).filter((step) => step <= from + SHOWN);
  return [
    ...dark.map(([first, last]) => svgElement("rect", { class: "ld-dark", x: x(first - 0.5), width: x(last + 0.5) - x(first - 0.5), y: top, height: bottom - top })),
    ...gusts.map(({ step }) => svgElement("line", { class: "ld-gust", x1: x(step), x2: x(step), y1: top, y2: bottom })),
    ...(named ? gusts.map(({ step, side }) => label(side < 0 ? "\u2190 gust" : "gust \u2192", { class: "ld-gust-name", x: x(step) + (side < 0 ? -4 : 4), y: top + 10, "text-anchor": side < 0 ? "end" : "start" })) : []),
    ...numbers.map((step) => label(String(step), { x: x(step), y: bottom + 15, "text-anchor": "middle" })),
    ...(now >= from ? [svgElement("line", { class: "ld-now", x1: x(now), x2: x(now), y1: top, y2: bottom })] : []),
  ];
}

function drawSurprise(svg, frame, shown, middle) {
  const [top, bottom] = [MARGIN.top, 108];
  const most = Math.max(5, ...shown.map(({ kl }) => kl).filter(Number.isFinite));
  const y = (kl) => bottom - (kl / most) * (bottom - top - 12);
  const width = Math.max(1.5, (frame.x(1) - frame.x(0)) * 0.7);
  const marks = ticks(most, 3);
  const high = shown.reduce((best, { kl }, i) => (kl > (shown[best].kl || 0) ? i : best), 0);
  svg.setAttribute("aria-label", `Surprise at each step, from step ${frame.from} to ${frame.n}: usually ${inWords(middle)} nats, at most ${inWords(shown[high].kl || 0)} at step ${frame.from + high}.`);
  svg.replaceChildren(
    ...marks.flatMap((kl) => [rule(y(kl), frame), label(String(kl), { x: frame.left - 6, y: y(kl) + 4, "text-anchor": "end" })]),
    ...ground(frame, top, bottom, true),
    ...shown.map(({ kl }, i) => (kl > 0 ? svgElement("rect", { class: "ld-bar", x: frame.x(frame.from + i) - width / 2, width, y: y(kl), height: bottom - y(kl) }) : "")),
    svgElement("line", { class: "ld-limit", x1: frame.left, x2: frame.right, y1: y(middle || 0), y2: y(middle || 0) }),
  );
}

function drawAngle(svg, frame, shown, truth) {
  const [top, bottom] = [MARGIN.top, 136];
  const most = Math.min(16, Math.max(4, ...truth.map(Math.abs), ...shown.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)])));
  const y = (angle) => bottom - ((Math.max(-most, Math.min(most, angle)) + most) / (2 * most)) * (bottom - top);
  const edge = (name) => shown.map((step, i) => `${frame.x(frame.from + i).toFixed(1)} ${y(step[name]).toFixed(1)}`);
  const mark = most > 8 ? 8 : most > 4.5 ? 4 : 2;
  const last = shown.at(-1);
  svg.setAttribute("aria-label", `The pole's angle, up to step ${frame.n}: there it is ${inWords(truth.at(-1))} degrees, and the model believes ${inWords(last.mean)}, give or take ${inWords(last.std)}.`);
  svg.replaceChildren(
    ...[-mark, 0, mark].flatMap((angle) => [rule(y(angle), frame), label(`${inWords(angle, 0)}\u00b0`, { x: frame.left - 6, y: y(angle) + 4, "text-anchor": "end" })]),
    ...ground(frame, top, bottom, false),
    svgElement("path", { class: "ld-band ld-free", d: `M${[...edge("low"), ...edge("high").reverse()].join("L")}Z` }),
    linePath(truth, frame.from, frame.x, y, { class: "ld-path ld-true" }),
    linePath(shown.map(({ mean }) => mean), frame.from, frame.x, y, { class: "ld-path ld-free ld-believed" }),
    label("steps", { x: frame.right, y: bottom + 29, "text-anchor": "end" }),
  );
}

/** The controls; each only sets traits or asks the session for a step. */
function makeControls(model, session) {
  const { set, forward, restart, go, hold, gust, cover } = session;
  const again = iconButton("again", "Start again", () => restart());
  const play = iconButton("play", "Play", () => set({ playing: !model.get("playing") }));
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const onward = iconButton("forward", "One step forward", () => { set({ playing: false }); forward(); });
  play.node.classList.add("ld-button-main");
  const pushes = [["left", 0], ["right", 1]].map(([side, action]) => holdButton(side, `Push ${side}`, (down) => hold(action, down)));
  const gusts = [["left", -1], ["right", 1]].map(([side, way]) => wordButton(`Gust ${side}`, () => gust(way), `Shift and arrow ${side}`));
  const covers = wordButton("Cover the camera", cover, "key c", true);
  const windy = wordButton("Gusts by themselves", () => set({ windy: !model.get("windy") }), "", true);
  const driver = chooser("Driver", DRIVERS.map(([, name]) => name), (i) => set({ driver: DRIVERS[i][0] }));
  const speed = chooser("Speed", SPEEDS.map((s) => (s === 1 ? "real time" : `${s} of real time`)), (i) => set({ speed: SPEEDS[i] }));
  const [names, labels] = [model.get("names"), model.get("labels")];
  const which = chooser("Model", names, (m) => set({ model: m }));
  const start = chooser("Start", labels, (i) => set({ start: i }));
  const lists = [driver.node, speed.node, ...(names.length > 1 ? [which.node] : []), ...(labels.length > 1 ? [start.node] : [])];
  const node = element("div", { class: "ld-controls ld-surprise-controls" },
    element("div", { class: "ld-buttons" }, again.node, back.node, play.node, onward.node), element("div", { class: "ld-buttons ld-pushes" }, ...pushes),
    element("div", { class: "ld-buttons ld-deeds" }, ...gusts.map((button) => button.node), covers.node, windy.node),
    element("div", { class: "ld-lists" }, ...lists));

  function show() {
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
    covers.press(model.get("covered"));
    windy.press(model.get("windy"));
    driver.show(DRIVERS.findIndex(([name]) => name === model.get("driver")));
    speed.show(SPEEDS.indexOf(model.get("speed")));
    which.show(model.get("model"));
    start.show(model.get("start"));
  }
  return { node, show };
}

/** What the lines, bars and shades of the charts stand for. */
function legends() {
  const head = (name, ...keys) => element("div", { class: "ld-curve-head" }, element("strong", {}, name), element("span", { class: "ld-keys" }, ...keys));
  const patch = (kind, words) => element("span", { class: "ld-sample" }, element("span", { class: `ld-patch ld-patch-${kind}`, "aria-hidden": "true" }), words);
  return [
    head("Surprise: KL(q \u2016 p) of each step, in nats", lineSample({ class: "ld-limit" }, "usual"), patch("dark", "nothing seen"), lineSample({ class: "ld-gust" }, "a gust began")),
    head("Pole angle in degrees", lineSample({ class: "ld-path ld-true" }, "reality"), lineSample({ class: "ld-path ld-free ld-believed" }, "belief"), patch("band", "90 % of its samples")),
  ];
}

async function render({ model, el }) {
  const session = sessions.open(model);
  await session.ready;
  const scene = makeScene("Reality: the true cart and pole");
  const reality = panel("true", "Reality", scene.node);
  const camera = cameraPanel();
  const charts = stripCharts(session.go);
  const boxes = [charts.surprise, charts.angle].map((svg) => element("div", {}, svg));
  const controls = makeControls(model, session);
  const status = statusLine();
  const [above, below] = legends();
  const root = widgetRoot(model, "ld-surprise", "Live surprise.", { tabindex: 0 });
  root.append(element("div", { class: "ld-films" }, reality.node, camera.node), controls.node, above, boxes[0], below, boxes[1], ...status.nodes);
  el.replaceChildren(root);
  const showControls = onceFor(controls.show);

  function drawNow() {
    const { game } = session;
    const track = session.track();
    const last = Math.min(track.length, game.states.length) - 1;
    const n = Math.min(last, model.get("step"));
    if (n < 0) return;
    showControls(null, ["playing", "covered", "windy", "driver", "speed", "model", "start"].map((name) => model.get(name)).join());
    scene.draw(game.states[n], { pushed: n ? game.actions[n - 1] : undefined });
    reality.reading.textContent = `pole ${poleInWords(leaning(game, n))}\u00b0`;
    camera.draw(game, n, track[n]);
    charts.draw(game, track, last, n);
    status.say(surpriseInWords(game, track, n, last), model.get("playing"));
  }

  const ask = oncePerFrame(drawNow);
  session.views.add(ask);
  const arrow = (event) => ["ArrowLeft", "ArrowRight"].indexOf(event.key);
  keepKeys(root, (event) => {
    if (event.target.closest("select, input")) return;
    if (arrow(event) >= 0 && event.shiftKey) session.gust(arrow(event) ? 1 : -1);
    else if (arrow(event) >= 0) session.hold(arrow(event), true);
    else if (event.target.closest("button")) return;
    else if (event.key === " ") session.set({ playing: !model.get("playing") });
    else if (event.key === "c") session.cover();
    else if (event.key === "r") session.restart();
    else if (event.key === ".") session.forward();
    else if (event.key === ",") session.go(model.get("step") - 1);
    else return;
    event.preventDefault();
  });
  root.addEventListener("keyup", (event) => { if (arrow(event) >= 0) session.hold(arrow(event), false); });
  const unsize = onResize(boxes[0], () => { charts.measure(); ask(); });
  const forgetTheme = onThemeChange(ask);
  charts.measure();
  drawNow();

  return () => {
    session.views.delete(ask);
    ask.cancel();
    unsize();
    status.stop();
    forgetTheme();
    if (!session.views.size) session.close();
  };
}

export default { render };
