// Reality and models' dreams of it, driven by the same pushes. The page computes all: the world by its physics, the dreams by
// the trained models. How often the models may look at reality is a slider: never is a free rollout, every step is teacher
// forcing. What a try is stands in dream_try.js.

import { neighbour, pageModels } from "../../page/engine.js";
import { makeScene, makeWorld, paintGrey } from "../../page/world.js";
import { chooser, element, furnish, iconButton, keepKeys, listen, metronome, onceFor, oncePerFrame, onResize, onThemeChange, sessionsOf, setterOf, slider, statusLine, svgElement, widgetRoot, write } from "../../page/common.js";
import { holdButton } from "../buttons.js";
import { besideOf, modelLists, poleOutline } from "../compare.js";
import { crossesAt, linePath, lineSample, scrubbed } from "../curves.js";
import { poleInWords } from "../../page/words.js";
import { LONGEST, LOST, actorsPush, apart, capital, cutTry, describe, dreamStep, goneAt, goneBy, gustsIn, historyOf, leaning, lostAt, newTry, physicsStep, pushWorld, sentenceOf, truthAt } from "./dream_try.js";

const LOOKS = [0, 20, 10, 5, 3, 2, 1]; // look at reality every so many steps; 0 is never
const SPEEDS = [0.1, 0.25, 0.5, 1]; // of real time
const DRIVERS = [["you", "You"], ["expert", "An expert"], ["coin", "A coin"], ["actor", "The dream's actor"]];
const OUTLINES = [["truth", "the true pole"], ["physics", "exact physics"], ["none", "nothing"]];

/** The picture of a dream, with another pole as an outline over it. */
function dreamPanel(kind) {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-film ld-scene-frame", role: "img" });
  const outline = poleOutline();
  const picture = element("div", { class: "ld-outlined" }, canvas, outline.node);
  const { node, reading, rename } = panel(kind, "Dream", picture);
  const context = canvas.getContext("2d");

  function draw(run, step, state, { name, steps, several }, outlined) {
    const dream = steps[step - 1];
    canvas.setAttribute("aria-label", several ? capital(name) : "The model's dream");
    rename(capital(name));
    paintGrey(context, dream ? dream.frame : run.world.draw(state));
    picture.classList.toggle("ld-sees", step <= 0 || Boolean(dream?.looks));
    const other = outlined === "truth" ? state : outlined === "physics" ? run.physics[step - 1]?.state : null;
    const { x = NaN, theta = NaN } = other ? run.world.pose(other) : {};
    outline.place(x, theta, outlined);
    reading.textContent = step <= 0 ? "it sees reality" : goneBy(steps, step) ? `ended at step ${goneAt(steps)}`
      : dream ? `pole ${poleInWords(dream.theta)}\u00b0` : "\u2026";
  }
  return { node, draw };
}

function panel(kind, name, picture) {
  const reading = element("span", { class: "ld-reading" });
  const title = element("span", {}, name);
  const mark = element("span", { class: "ld-key" }, element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" }), title);
  const words = element("div", { class: "ld-caption" }, mark, reading);
  return { node: element("div", {}, picture, words), reading, rename: (text) => { title.textContent = text; } };
}

/** The numbers where more than one pole stands beside the true one: a line for each. */
function numbersTable() {
  const body = element("tbody");
  const head = ["", "now", "apart", `over ${LOST}\u00b0 from`, "pole gone"].map((text) => element("th", { scope: "col" }, text));
  const node = element("table", { class: "ld-numbers" }, element("thead", {}, element("tr", {}, ...head)), body);
  const degreesOr = (angle, otherwise) => (Number.isFinite(angle) ? `${poleInWords(angle)}\u00b0` : otherwise);
  const stepOr = (step) => (step ? `step ${step}` : "\u2013");
  const title = ({ kind, name, short }) => element("th", { scope: "row" }, lineSample(lineOf(kind), short ?? capital(name)));
  const numbers = (run, step, { steps }) => [
    degreesOr(steps[step - 1]?.theta, step > 0 ? "no pole" : "\u2013"), degreesOr(step > 0 ? apart(run, steps, step) : NaN, "\u2013"),
    stepOr(lostAt(run, steps)), stepOr(goneAt(steps)),
  ];
  const rows = onceFor((told) => {
    node.hidden = told.length < 2;
    node.classList.toggle("ld-wide", !told.some(({ kind }) => kind === "beside"));
    body.replaceChildren(...told.map((one) => element("tr", {}, title(one), ...Array.from({ length: 4 }, () => element("td")))));
  });
  function draw(run, step, told) {
    rows(told, namesOf(told));
    told.forEach((one, i) => numbers(run, step, one).forEach((text, j) => write(body.rows[i].cells[j + 1], text)));
  }
  return { node, draw };
}

const namesOf = (told) => told.map(({ kind, name, short }) => [kind, name, short]).join();
const lineOf = (kind) => ({ class: `ld-path ld-${kind}` });

/** All angles over the steps: context, truth, dreams, looks, and the try before, faintly. */
function angleTrace(onscrub) {
  const height = 170;
  const margin = { left: 34, right: 10, top: 10, bottom: 32 };
  const svg = svgElement("svg", { class: "ld-curve ld-trace", role: "img", height });
  const marker = svgElement("line", { class: "ld-now" });
  let x = (n) => n;
  let from = 0;
  let wide = 600;

  /** `told` is a list of { kind, name, steps }; `before` the try before, of which only the first dream is drawn. */
  function draw(run, before, step, told) {
    const width = Math.max(220, wide);
    const [right, bottom] = [width - margin.right, height - margin.bottom];
    from = -run.context.length;
    const last = Math.max(40, run.actions.length, before?.actions.length ?? 0);
    const most = 16;
    x = (n) => margin.left + ((n - from) / (last - from)) * (right - margin.left);
    const y = (angle) => bottom - ((Math.max(-most, Math.min(most, angle)) + most) / (2 * most)) * (bottom - margin.top);
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", describe(run, told));

    const line = (kind, values, first = 0) => linePath(values, first, x, y, { class: `ld-path ${kind}` });
    const rule = (angle) => svgElement("line", { class: "ld-grid", x1: margin.left, x2: right, y1: y(angle), y2: y(angle) });
    const label = (text, at) => svgElement("text", at, text);
    const parts = [
      svgElement("rect", { class: "ld-context", x: x(from), width: x(0) - x(from), y: margin.top, height: bottom - margin.top }),
      ...[-12, 0, 12].flatMap((angle) => [rule(angle), label(poleInWords(angle).replace(".0", ""), { x: margin.left - 6, y: y(angle) + 4, "text-anchor": "end" })]),
      ...ticksOf(last).map((n) => label(String(n), { x: x(n), y: bottom + 15, "text-anchor": "middle" })),
      label("steps since its eyes were closed", { x: right, y: bottom + 29, "text-anchor": "end" }),
    ];
    if (run.context.length > 4) parts.push(label("it sees", { x: x(from) + 5, y: margin.top + 14 }));
    if (before) parts.push(line("ld-true ld-before", trueAngles(before)), line("ld-free ld-before", told[0].before.map((d) => d.theta), 1));
    parts.push(line("ld-true", [...run.shown.slice(0, -1).map((s) => leaning(run, s))], from));
    parts.push(line("ld-true", [leaning(run, run.shown.at(-2) ?? run.truth[0]), ...trueAngles(run)], -1));
    for (const { kind, steps } of [...told].reverse()) parts.push(line(`ld-${kind}`, [truthAt(run, 0), ...steps.map((d) => d.theta)]));
    told.forEach(({ kind, steps }, row) => parts.push(crossesAt(steps.map((d) => d.theta), x, margin.top + 8 * row, kind)));
    for (const { step: n, side } of gustsIn(run)) {
      parts.push(svgElement("line", { class: "ld-gust", x1: x(n), x2: x(n), y1: margin.top, y2: bottom }),
        label(side < 0 ? "\u2190 gust" : "gust \u2192", { class: "ld-gust-name", x: x(n) + 4 * side, y: bottom - 6, "text-anchor": side < 0 ? "end" : "start" }));
    }
    told[0].steps.forEach((d, i) => { if (d.looks) parts.push(svgElement("path", { class: "ld-look", d: `M${x(i + 1)} ${bottom}v-7` })); });
    svg.replaceChildren(...parts, marker);
    furnish(marker, { x1: x(step), x2: x(step), y1: margin.top, y2: bottom }, []);
  }

  /** Asks the page how wide it is: before it is changed, or all of it is laid out twice. */
  const measure = () => { wide = svg.parentElement?.clientWidth || wide; }; // none while JupyterLab changes its theme
  scrubbed(svg, (n) => x(n), onscrub);
  return { node: svg, draw, measure };
}

const ticksOf = (last) => { const step = last > 120 ? 50 : last > 60 ? 20 : 10; return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step); };
const trueAngles = (run) => run.truth.slice(0, (run.fell ?? LONGEST) + 1).map((s) => leaning(run, s));

const sessions = sessionsOf(startSession); // two views of one widget show the same try

/** What all views of one widget share: the model, the try, the clock. */
async function startSession(view, session) {
  const model = await neighbour(view, view.get("key")); // a view's own model goes deaf when the view is closed
  const [world, limits] = [makeWorld(model.get("world")), model.get("limits")];
  let generation = 0; // a try that was given up stops dreaming
  let held = null;
  const nets = pageModels(model);
  const tell = () => session.views.forEach((draw) => draw());
  const set = setterOf(model);
  const first = () => -session.run.context.length;
  const chosen = () => [model.get("model"), besideOf(model)].filter((m) => m >= 0);
  const dreams = (run = session.run) => chosen().map((m) => run.dreams[m] ?? []);
  const dreamt = (run) => Math.min(...dreams(run).map((dream) => dream.length));
  const ended = (run) => dreams(run).every((dream) => goneAt(dream));
  const over = (run) => Boolean(run.fell && ended(run)) || run.actions.length >= LONGEST;

  /** What stands beside reality: a dream or two, and exact physics where it is asked for. */
  function told() {
    const { run, before } = session;
    const several = chosen().length > 1;
    /** @type {any[]} */
    const all = chosen().map((m, i) => ({
      kind: i ? "beside" : "free", name: several ? `dream of ${model.get("names")[m]}` : "dream", several,
      short: several ? model.get("names")[m] : undefined, steps: run.dreams[m] ?? [], before: before?.dreams[m] ?? [],
    }));
    if (model.get("outline") === "physics") all.push({ kind: "physics", name: "exact physics", steps: run.physics });
    return all;
  }

  /** Dreams on until every dream has met every push, without holding up the page; gives way to whoever asks later. */
  async function catchUp() {
    const mine = generation += 1;
    const { run } = session;
    let began = performance.now();
    session.trouble = "";
    while (dreamt(run) < run.actions.length) {
      if (performance.now() - began > 10) {
        tell();
        await new Promise(requestAnimationFrame);
        if (mine !== generation) return false;
        began = performance.now();
      }
      const [n, every] = [dreamt(run), model.get("look_every")];
      if (run.physics.length === n) run.physics.push(physicsStep(run, every, limits));
      for (const m of chosen()) {
        const dream = run.dreams[m] ??= [];
        if (dream.length > n) continue;
        const trouble = await nets.of(m).then((net) => dreamStep(net, run, every, limits, dream)).catch((error) => error.message);
        if (mine !== generation) return false;
        if (trouble) return giveUp(trouble);
      }
    }
    return true;
  }

  function giveUp(trouble) {
    session.trouble = trouble;
    set({ playing: false });
    tell();
    return false;
  }

  /** Catches up after a change of what is to be dreamt. */
  async function dreamOn() {
    tell();
    if (await catchUp()) settle();
  }

  function dreamAnew() {
    session.run = { ...session.run, dreams: {}, physics: [] };
    return dreamOn();
  }

  function settle() {
    if (!model.get("playing")) set({ history: historyOf(session.run, dreams()) });
    tell();
  }

  function restart() {
    generation += 1;
    const { state, actions } = model.get("starts")[model.get("start")];
    if (session.run?.actions.length > 4) session.before = session.run;
    session.run = newTry(world, state, actions);
    held = null;
    set({ step: first(), history: historyOf(session.run, dreams()) });
    tell();
  }

  /** The actor of the model that is shown acts on what that believes; undefined if it can't, or if the reader has moved on. */
  async function askActor(run) {
    const m = model.get("model");
    const actor = model.get("actors")[m];
    const ask = async () => actorsPush(actor, await nets.of(m), run, run.dreams[m]);
    const push = await ask().catch((error) => { giveUp(error.message); });
    return run === session.run ? push : undefined;
  }

  const choose = () => {
    const { run } = session;
    const alternate = 1 - (run.actions.at(-1) ?? run.context.at(-1) ?? 0);
    const driver = model.get("driver");
    if (driver === "coin") return Math.random() < 0.5 ? 0 : 1;
    if (driver === "expert") return run.fell ? alternate : world.expert(run.truth.at(-1));
    if (driver === "actor") return askActor(run);
    return held ?? alternate;
  };

  /** One step on: through the context, through what is already known, then into the future; a push begins another future. */
  async function forward(action) {
    const step = model.get("step");
    if (action !== undefined && step >= 0 && step < session.run.actions.length) {
      generation += 1;
      session.before = session.run;
      session.run = cutTry(session.run, step);
    }
    const { run } = session;
    if (step < dreamt(run)) return set({ step: step + 1 });
    if (session.busy) return undefined;
    if (over(run)) return set({ playing: false });
    session.busy = true;
    let there = await catchUp(); // a model that was only now chosen meets the pushes so far before it meets this one
    if (there && step >= run.actions.length) {
      const push = action ?? await choose();
      if (push !== undefined) pushWorld(run, push);
      there = push !== undefined && await catchUp();
    }
    if (there) set({ step: Math.min(step + 1, run.actions.length) });
    session.busy = false;
    if (over(run)) set({ playing: false });
    settle();
  }

  const clock = metronome(() => 50 * model.get("speed"), () => forward());
  const playOrPause = () => {
    if (!model.get("playing")) { clock.stop(); return settle(); }
    if ((over(session.run) || ended(session.run)) && model.get("step") >= session.run.actions.length) restart();
    clock.start();
  };

  const listeners = [
    ["change:step", tell], ["change:driver", tell], ["change:speed", tell], ["change:outline", tell],
    ["change:look_every", dreamAnew], ["change:model", dreamOn], ["change:beside", dreamOn], ["change:playing", playOrPause],
    ["change:start", () => { session.before = null; session.run = null; restart(); }],
  ];
  session.told = told;
  restart();
  const inPage = (await Promise.all(chosen().map(nets.of))).every((net) => !net.inKernel);
  const opened = playOpening();
  if (inPage) await opened; // Python takes its time: let the reader watch it
  const deafen = listen(model, listeners);

  /** The telling state: an expert plays until a dream's pole is gone, and the page shows the moment before. */
  async function playOpening() {
    const { run } = session;
    const gone = () => dreams(run).some((dream) => goneAt(dream));
    for (let n = 0; n < model.get("opening") && !over(run) && !gone(); n++) {
      const push = model.get("driver") === "actor" ? await askActor(run) : world.expert(run.truth.at(-1));
      if (push === undefined) return;
      pushWorld(run, push);
      if (!await catchUp() && !session.trouble) return; // the reader has taken over
      if (session.trouble) break;
    }
    const seen = Math.min(...dreams(run).map((dream) => dream.findLastIndex(({ theta }) => Number.isFinite(theta)) + 1));
    set({ step: run.actions.length ? Math.max(1, seen) : first(), history: historyOf(run, dreams(run)) });
  }

  Object.assign(session, {
    set, forward, restart,
    go: (step) => set({ playing: false, step: Math.max(first(), Math.min(session.run.actions.length, step)) }),
    hold(action, down) {
      if (down) {
        held = action;
        if (model.get("driver") !== "you") set({ driver: "you" });
        if (!model.get("playing")) forward(action);
      } else if (held === action) held = null;
    },
    close() {
      clock.stop();
      generation += 1;
      deafen();
      nets.close();
      sessions.close(model);
    },
  });
}

/** The controls; each only sets traits or asks the session for a step. */
function dreamControls(model, session) {
  const { set, forward, restart, go, hold } = session;
  const again = iconButton("again", "Restart from the same state", () => restart());
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const play = iconButton("play", "Play", () => set({ playing: !model.get("playing") }));
  const onward = iconButton("forward", "One step forward", () => { set({ playing: false }); forward(); });
  play.node.classList.add("ld-button-main");
  const left = holdButton("left", "Push left", (down) => hold(0, down));
  const right = holdButton("right", "Push right", (down) => hold(1, down));
  const look = slider("Look", (place) => set({ look_every: LOOKS[place - 1] }));
  const drivers = DRIVERS.filter(([kind]) => kind !== "actor" || model.get("actors").length);
  const driver = chooser("Driver", drivers.map(([, name]) => name), (i) => set({ driver: drivers[i][0] }));
  const speed = chooser("Speed", SPEEDS.map((s) => (s === 1 ? "real time" : `${s} of real time`)), (i) => set({ speed: SPEEDS[i] }));
  const models = modelLists(model, set);
  const outline = chooser("Outlined", OUTLINES.map(([, name]) => name), (i) => set({ outline: OUTLINES[i][0] }));
  const start = chooser("Start", model.get("labels"), (i) => set({ start: i }));
  const buttons = element("div", { class: "ld-buttons" }, again.node, back.node, play.node, onward.node);
  const pushes = element("div", { class: "ld-buttons ld-pushes" }, left, right);
  const lists = element("div", { class: "ld-lists" }, driver.node, speed.node, ...models.nodes, start.node, outline.node);
  const node = element("div", { class: "ld-controls ld-dream-controls" }, buttons, pushes, look.node, lists);

  function show() {
    const every = model.get("look_every");
    const often = every === 0 ? "never: free rollout" : every === 1 ? "every step: teacher forcing" : `every ${every} steps`;
    look.show(LOOKS.indexOf(every) + 1, LOOKS.length, often);
    driver.show(drivers.findIndex(([name]) => name === model.get("driver")));
    speed.show(SPEEDS.indexOf(model.get("speed")));
    models.show();
    start.show(model.get("start"));
    outline.show(OUTLINES.findIndex(([name]) => name === model.get("outline")));
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
  }
  return { node, show };
}

async function render({ model, el }) {
  const session = sessions.open(model);
  await session.ready;
  const scene = makeScene("Reality: the true cart and pole");
  const reality = panel("true", "Reality", scene.node);
  const panels = ["free", "beside"].map(dreamPanel);
  const numbers = numbersTable();
  const gap = element("span", { class: "ld-reading" });
  const keys = element("span", { class: "ld-keys" });
  const legend = element("div", { class: "ld-curve-head" }, element("strong", {}, "Pole angle in degrees"), gap, keys);
  const trace = angleTrace(session.go);
  const traceBox = element("div", {}, trace.node);
  const controls = dreamControls(model, session);
  const status = statusLine();
  const root = widgetRoot(model, "ld-dream", "Live dream.", { tabindex: 0 });
  root.append(element("div", { class: "ld-films" }, reality.node, panels[0].node, numbers.node, panels[1].node), legend, traceBox, controls.node, ...status.nodes);
  el.replaceChildren(root);

  const showKeys = onceFor((told) => keys.replaceChildren(
    ...[{ kind: "true", name: "reality" }, ...told].map(({ kind, name }) => lineSample(lineOf(kind), name)),
  ));

  function drawNow() {
    const { run } = session;
    const step = Math.max(-run.context.length, Math.min(model.get("step"), run.actions.length));
    const state = step < 0 ? run.shown[step + run.context.length] : run.truth[step];
    const told = session.told();
    const off = apart(run, told[0].steps, Math.max(step, 0));
    const pushed = step < 1 ? run.context[step + run.context.length - 1] : run.fell < step ? undefined : run.actions[step - 1];
    scene.draw(state, { pushed });
    reality.reading.textContent = run.fell <= step ? `fell at step ${run.fell}` : `pole ${poleInWords(leaning(run, state))}\u00b0`;
    panels.forEach((dreamt, i) => {
      const dream = told.find(({ kind }) => kind === ["free", "beside"][i]);
      dreamt.node.hidden = !dream;
      if (dream) dreamt.draw(run, step, state, dream, model.get("outline"));
    });
    numbers.draw(run, step, told);
    showKeys(told, namesOf(told));
    gap.textContent = told.length === 1 && Number.isFinite(off) ? `${poleInWords(off)}\u00b0 apart` : "";
    trace.draw(run, session.before, step, told);
    controls.show();
    status.say(session.trouble ? `The dream stopped: ${session.trouble}.` : sentenceOf(run, step, told), model.get("playing"));
  }

  const ask = oncePerFrame(drawNow);
  session.views.add(ask);
  const arrow = (event) => ["ArrowLeft", "ArrowRight"].indexOf(event.key);
  const push = (event, down) => { session.hold(arrow(event), down); if (down) event.preventDefault(); };
  keepKeys(root, (event) => {
    // Arrows push, whichever button was pressed last; lists and sliders have them for themselves, also while it plays.
    if (event.target.closest("select, input")) return;
    if (arrow(event) >= 0) return push(event, true);
    if (event.target.closest("button")) return;
    if (event.key === " ") session.set({ playing: !model.get("playing") });
    else if (event.key === "r") session.restart();
    else if (event.key === ".") session.forward();
    else if (event.key === ",") session.go(model.get("step") - 1);
    else return;
    event.preventDefault();
  });
  root.addEventListener("keyup", (event) => { if (arrow(event) >= 0) push(event, false); });
  const elsewhere = (event) => { // a reader who has clicked beside the widget still plays
    if (event.target === document.body && arrow(event) >= 0 && model.get("playing")) push(event, event.type === "keydown");
  };
  for (const kind of ["keydown", "keyup"]) document.addEventListener(kind, elsewhere);
  const unsize = onResize(traceBox, () => { trace.measure(); ask(); });
  const forgetTheme = onThemeChange(ask);
  trace.measure();
  drawNow();

  return () => {
    session.views.delete(ask);
    for (const kind of ["keydown", "keyup"]) document.removeEventListener(kind, elsewhere);
    ask.cancel();
    unsize();
    status.stop();
    forgetTheme();
    if (!session.views.size) session.close();
  };
}

export default { render };
