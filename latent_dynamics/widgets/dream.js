// Reality and the model's dream of it, driven by the same pushes. The page computes both: the world by its physics,
// the dream by the trained model. How often the model may look at reality is a slider: never is a free rollout,
// every step is teacher forcing.

const LOST = 2; // degrees; beyond it the book calls a prediction lost
const LOOKS = [0, 20, 10, 5, 3, 2, 1]; // look at reality every so many steps; 0 is never
const SPEEDS = [0.1, 0.25, 0.5, 1]; // of real time
const DRIVERS = [["you", "You"], ["expert", "An expert"], ["coin", "A coin"]];
const LONGEST = 300; // steps of a dream
const inDegrees = (radians) => radians * 180 / Math.PI;
const inWords = (angle) => (Number.isFinite(angle) ? angle.toFixed(1).replace("-", "\u2212") : "no pole");

/** One try: a start, what was done since, and where it led in truth and in the dream. */
function newTry(state, actions) {
  const truth = [state];
  for (const action of actions) truth.push(stepWorld(truth.at(-1), action));
  return { context: actions, shown: truth, actions: [], truth: [truth.at(-1)], dream: [], fell: {} };
}

/** The same try up to a step, to go on from there into another future. */
function cutTry(run, step) {
  const kept = Object.entries(run.fell).filter(([, when]) => when <= step);
  return {
    ...run, actions: run.actions.slice(0, step), truth: run.truth.slice(0, step + 1), dream: run.dream.slice(0, step),
    fell: Object.fromEntries(kept),
  };
}

/** Moves the true world on by a push; once it has fallen it stays where it lies. */
function pushWorld(run, action) {
  const last = run.truth.at(-1);
  run.actions.push(action);
  run.truth.push(run.fell.truth ? last : stepWorld(last, action));
  if (!run.fell.truth && hasFallen(run.truth.at(-1))) run.fell.truth = run.actions.length;
}

/** What the model believes after the frames that it was shown. */
async function beliefAfter(world, run) {
  const code = async (state) => world.see(unitFrame(drawFrame(state)));
  let belief = await world.begin(await code(run.shown[0]));
  for (const [n, action] of run.context.entries()) belief = await world.update(belief, action, await code(run.shown[n + 1]));
  return belief;
}

/** Dreams one step further: what the model expects of the next push, and whether it then looks at what came of it. */
async function dreamStep(world, run, every, limits) {
  const n = run.dream.length + 1;
  const before = run.dream.at(-1)?.belief ?? await beliefAfter(world, run);
  const action = run.actions[n - 1];
  const expected = await world.step(before, action);
  const frame = await world.decode(expected);
  const seen = readFrame(frame, limits);
  const looks = every > 0 && n % every === 0 && !(run.fell.truth <= n);
  const belief = looks ? await world.update(before, action, await world.see(unitFrame(drawFrame(run.truth[n])))) : expected;
  if (!run.fell.dream && (!seen.valid || hasFallen([seen.x, 0, seen.theta, 0]))) run.fell.dream = n;
  run.dream.push({ belief, frame, theta: seen.valid ? inDegrees(seen.theta) : NaN, looks });
}

const truthAt = (run, n) => inDegrees(run.truth[n][2]);
const apart = (run, n) => Math.abs(run.dream[n - 1].theta - truthAt(run, n));
const lostAt = (run) => run.dream.findIndex((_, i) => !(run.fell.truth < i + 1) && !(apart(run, i + 1) <= LOST)) + 1;

/** Both angles over the steps: context, truth, dream, looks, and the try before, faintly. */
function angleTrace(onscrub) {
  const height = 170;
  const margin = { left: 34, right: 10, top: 10, bottom: 32 };
  const svg = svgElement("svg", { class: "ld-curve ld-trace", role: "img", height });
  const marker = svgElement("line", { class: "ld-now" });
  let x = () => 0;
  let from = 0;
  let wide = 600;

  function draw(run, before, step) {
    wide = svg.parentElement?.clientWidth || wide; // none while JupyterLab changes its theme
    const width = Math.max(220, wide);
    const [right, bottom] = [width - margin.right, height - margin.bottom];
    from = -run.context.length;
    const last = Math.max(40, run.actions.length, before?.actions.length ?? 0);
    const most = 16;
    x = (n) => margin.left + ((n - from) / (last - from)) * (right - margin.left);
    const y = (angle) => bottom - ((Math.max(-most, Math.min(most, angle)) + most) / (2 * most)) * (bottom - margin.top);
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", describe(run));

    const line = (kind, values, first = 0) => {
      let path = "";
      values.forEach((value, i) => {
        if (Number.isFinite(value)) path += `${path && Number.isFinite(values[i - 1]) ? "L" : "M"}${x(first + i).toFixed(1)} ${y(value).toFixed(1)}`;
      });
      return svgElement("path", { class: `ld-path ${kind}`, d: path });
    };
    const rule = (angle) => svgElement("line", { class: "ld-grid", x1: margin.left, x2: right, y1: y(angle), y2: y(angle) });
    const label = (text, at) => svgElement("text", at, text);
    const parts = [
      svgElement("rect", { class: "ld-context", x: x(from), width: x(0) - x(from), y: margin.top, height: bottom - margin.top }),
      ...[-12, 0, 12].flatMap((angle) => [rule(angle), label(inWords(angle).replace(".0", ""), { x: margin.left - 6, y: y(angle) + 4, "text-anchor": "end" })]),
      ...ticksOf(last).map((n) => label(String(n), { x: x(n), y: bottom + 15, "text-anchor": "middle" })),
      label("steps since its eyes were closed", { x: right, y: bottom + 29, "text-anchor": "end" }),
    ];
    if (run.context.length > 4) parts.push(label("it sees", { x: x(from) + 5, y: margin.top + 14 }));
    if (before) parts.push(line("ld-true ld-before", trueAngles(before)), line("ld-free ld-before", before.dream.map((d) => d.theta), 1));
    parts.push(line("ld-true", [...run.shown.slice(0, -1).map((s) => inDegrees(s[2]))], from));
    parts.push(line("ld-true", [inDegrees(run.shown.at(-2)?.[2] ?? run.truth[0][2]), ...trueAngles(run)], -1));
    parts.push(line("ld-free", [truthAt(run, 0), ...run.dream.map((d) => d.theta)]));
    run.dream.forEach((d, i) => {
      if (d.looks) parts.push(svgElement("path", { class: "ld-look", d: `M${x(i + 1)} ${bottom}v-7` }));
      if (!Number.isFinite(d.theta)) parts.push(svgElement("path", { class: "ld-lost ld-free", d: `M${x(i + 1) - 3} ${margin.top}l6 6m0 -6l-6 6` }));
    });
    svg.replaceChildren(...parts, marker);
    furnish(marker, { x1: x(step), x2: x(step), y1: margin.top, y2: bottom }, []);
  }

  const scrub = (event) => {
    const span = x(1) - x(0);
    onscrub(Math.round((event.clientX - svg.getBoundingClientRect().left - x(0)) / span));
  };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); scrub(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) scrub(event); });
  return { node: svg, draw };
}

const ticksOf = (last) => { const step = last > 120 ? 50 : last > 60 ? 20 : 10; return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step); };
const trueAngles = (run) => run.truth.slice(0, (run.fell.truth ?? LONGEST) + 1).map((s) => inDegrees(s[2]));

function describe(run) {
  const lost = lostAt(run);
  const [truth, dream] = [run.fell.truth, run.fell.dream];
  return `Pole angle over ${run.actions.length} steps, in reality and in the dream. `
    + (lost ? `They are more than ${LOST} degrees apart from step ${lost}. ` : `They stay within ${LOST} degrees. `)
    + (dream ? `The dream ends at step ${dream}` : "The dream's pole stands") + (truth ? `; the real pole falls at step ${truth}.` : "; the real pole stands.");
}

/** The picture of the dream, with reality's pole as an outline over it. */
function dreamPanel() {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-film ld-scene-frame", role: "img", "aria-label": "The model's dream" });
  const outline = svgElement("rect", { x: -5, y: -120, width: 10, height: 125, rx: 2 });
  const axes = svgElement("g", {}, outline);
  const over = svgElement("svg", { class: "ld-over", viewBox: "0 160 600 160", "aria-hidden": "true" }, axes);
  const node = element("div", { class: "ld-dreamt" }, canvas, over);
  const place = (state) => {
    axes.setAttribute("transform", `translate(${state[0] * PIXELS_PER_METRE + CENTRE} ${400 - AXLE})`);
    outline.setAttribute("transform", `rotate(${inDegrees(state[2])})`);
  };
  return { node, place, context: canvas.getContext("2d") };
}

function panel(kind, name, picture) {
  const reading = element("span", { class: "ld-reading" });
  const words = element("div", { class: "ld-caption" }, element("span", { class: "ld-key" }, element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" }), name), reading);
  return { node: element("div", {}, picture, words), reading };
}

/** A push button that pushes as long as it is held. */
function holdButton(icon, name, hold) {
  const { node } = iconButton(icon, name, () => {});
  node.classList.add("ld-push");
  node.append(name.split(" ")[1]);
  const down = (event) => { event.preventDefault(); node.setPointerCapture?.(event.pointerId); hold(true); };
  for (const event of ["pointerup", "pointercancel", "lostpointercapture"]) node.addEventListener(event, () => hold(false));
  node.addEventListener("pointerdown", down);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); hold(true); } });
  node.addEventListener("keyup", () => hold(false));
  node.addEventListener("contextmenu", (event) => event.preventDefault());
  return node;
}

const sessions = new Map(); // by widget: two views of one widget show the same try

/** What all views of one widget share: the model, the try, the clock. */
function openSession(model) {
  const key = model.get("key");
  if (!sessions.has(key)) sessions.set(key, { views: new Set(), ready: null });
  const session = sessions.get(key);
  session.ready ??= startSession(model, session);
  return session;
}

async function startSession(view, session) {
  const model = await neighbour(view, view.get("key")); // a view's own model goes deaf when the view is closed
  const limits = model.get("limits");
  let generation = 0; // a try that was given up stops dreaming
  let held = null;
  let lastDrawn = 0;
  const worlds = new Map();
  const tell = () => session.views.forEach((draw) => draw());
  const set = (traits) => {
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    model.save_changes();
  };
  const load = async () => {
    const index = model.get("model");
    if (!worlds.has(index)) worlds.set(index, await pageModel(model, model.get("models")[index]));
    session.world = worlds.get(index);
  };
  const first = () => -session.run.context.length;

  /** Dreams on until the dream has met every push, without holding up the page; gives way to whoever asks later. */
  async function catchUp() {
    const mine = generation += 1;
    const { run, world } = session;
    let began = performance.now();
    while (run.dream.length < run.actions.length) {
      const entry = { ...run, dream: [...run.dream], fell: { ...run.fell } };
      const trouble = await dreamStep(world, entry, model.get("look_every"), limits).then(() => "", (error) => error.message);
      if (mine !== generation) return false;
      session.trouble = trouble;
      if (trouble) {
        set({ playing: false });
        tell();
        return false;
      }
      run.dream.push(entry.dream.at(-1));
      run.fell.dream = entry.fell.dream;
      if (performance.now() - began > 10) {
        tell();
        await new Promise(requestAnimationFrame);
        if (mine !== generation) return false;
        began = performance.now();
      }
    }
    return true;
  }

  async function dreamAnew() {
    session.run = { ...session.run, dream: [], fell: { truth: session.run.fell.truth } };
    tell();
    if (await catchUp()) settle();
  }

  function settle() {
    if (!model.get("playing")) set({ history: historyOf(session.run) });
    tell();
  }

  function restart() {
    generation += 1;
    const { state, actions } = model.get("starts")[model.get("start")];
    if (session.run?.actions.length > 4) session.before = session.run;
    session.run = newTry(state, actions);
    held = null;
    set({ step: first(), history: historyOf(session.run) });
    tell();
  }

  const choose = () => {
    const { run } = session;
    const alternate = 1 - (run.actions.at(-1) ?? run.context.at(-1) ?? 0);
    const driver = model.get("driver");
    if (driver === "coin") return Math.random() < 0.5 ? 0 : 1;
    if (driver === "expert") return run.fell.truth ? alternate : expertAction(run.truth.at(-1));
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
    if (step < run.dream.length) return set({ step: step + 1 });
    if (session.busy) return undefined;
    if (over(run)) return set({ playing: false });
    session.busy = true;
    if (run.dream.length === run.actions.length) pushWorld(run, action ?? choose());
    if (await catchUp()) set({ step: Math.min(step + 1, run.actions.length) });
    session.busy = false;
    if (over(run)) set({ playing: false });
    settle();
  }

  const clock = metronome(() => 50 * model.get("speed"), () => forward());
  const playOrPause = () => {
    if (!model.get("playing")) { clock.stop(); return settle(); }
    if ((over(session.run) || session.run.fell.dream) && model.get("step") >= session.run.actions.length) restart();
    clock.start();
  };
  const changeModel = async () => {
    try { await load(); } catch (error) { session.trouble = error.message; return tell(); }
    await dreamAnew();
  };

  const listeners = {
    "change:step": tell, "change:driver": tell, "change:speed": tell,
    "change:look_every": dreamAnew, "change:model": changeModel, "change:playing": playOrPause,
    "change:start": () => { session.before = null; session.run = null; restart(); },
  };
  await load();
  restart();
  const opened = playOpening();
  if (!session.world.inKernel) await opened; // Python takes its time: let the reader watch it
  for (const [event, act] of Object.entries(listeners)) model.on(event, act);

  /** The telling state: an expert plays until the dream's pole is gone, and the page shows that moment. */
  async function playOpening() {
    const { run } = session;
    for (let n = 0; n < model.get("opening") && !over(run) && !run.fell.dream; n++) {
      pushWorld(run, expertAction(run.truth.at(-1)));
      if (!await catchUp() && !session.trouble) return; // the reader has taken over
      if (session.trouble) break;
    }
    const seen = run.dream.findLastIndex((d) => Number.isFinite(d.theta)) + 1;
    set({ step: run.actions.length ? Math.max(1, seen) : first(), history: historyOf(run) });
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
      for (const [event, act] of Object.entries(listeners)) model.off(event, act);
      sessions.delete(model.get("key"));
    },
  });
}

const over = (run) => Boolean(run.fell.truth && run.fell.dream) || run.actions.length >= LONGEST;

const rounded = (angle) => (Number.isFinite(angle) ? Math.round(1000 * angle) / 1000 : null);

/** What Python reads of the present try. */
const historyOf = (run) => ({
  actions: [...run.actions],
  theta_true: run.truth.slice(1).map((state) => rounded(inDegrees(state[2]))),
  theta_dream: run.dream.map((d) => rounded(d.theta)),
  looked: run.dream.map((d) => d.looks),
  true_fell: run.fell.truth ?? null,
  dream_fell: run.fell.dream ?? null,
});

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
  const driver = chooser("Driver", DRIVERS.map(([, name]) => name), (i) => set({ driver: DRIVERS[i][0] }));
  const speed = chooser("Speed", SPEEDS.map((s) => (s === 1 ? "real time" : `${s} of real time`)), (i) => set({ speed: SPEEDS[i] }));
  const which = chooser("Model", model.get("names"), (i) => set({ model: i }));
  const start = chooser("Start", model.get("labels"), (i) => set({ start: i }));
  const buttons = element("div", { class: "ld-buttons" }, again.node, back.node, play.node, onward.node);
  const pushes = element("div", { class: "ld-buttons ld-pushes" }, left, right);
  const lists = element("div", { class: "ld-lists" }, driver.node, speed.node, which.node, start.node);
  const node = element("div", { class: "ld-controls ld-dream-controls" }, buttons, pushes, look.node, lists);

  function show() {
    const every = model.get("look_every");
    const often = every === 0 ? "never: free rollout" : every === 1 ? "every step: teacher forcing" : `every ${every} steps`;
    look.show(LOOKS.indexOf(every) + 1, LOOKS.length, often);
    driver.show(DRIVERS.findIndex(([name]) => name === model.get("driver")));
    speed.show(SPEEDS.indexOf(model.get("speed")));
    which.show(model.get("model"));
    start.show(model.get("start"));
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
  }
  return { node, show };
}

/** What a listener hears of a step. */
function sentenceOf(run, step) {
  if (step < 0) return `The model sees reality; ${-step} frame${step === -1 ? "" : "s"} to go until its eyes close.`;
  if (step === 0) return "Now the model's eyes close. Whatever it shows from here on, it dreams.";
  const dream = run.dream[step - 1];
  if (!dream) return "";
  const fallen = run.fell.truth <= step;
  const off = Number.isFinite(dream.theta) && !fallen ? `, ${inWords(apart(run, step))} apart` : "";
  const truth = fallen ? `the real pole fell at step ${run.fell.truth}` : `reality ${inWords(truthAt(run, step))} degrees`;
  const shown = Number.isFinite(dream.theta) ? `dream ${inWords(dream.theta)} degrees` : "the dream shows no pole";
  const gone = run.fell.dream <= step ? ` The dream ended at step ${run.fell.dream}.` : "";
  return `Step ${step}: ${truth}, ${shown}${off}.${gone}`;
}

async function render({ model, el }) {
  const session = openSession(model);
  await session.ready;
  const scene = makeScene("Reality: the true cart and pole");
  const dreamt = dreamPanel();
  const panels = [panel("true", "Reality", scene.node), panel("free", "Dream", dreamt.node)];
  const gap = element("span", { class: "ld-reading" });
  const legend = element("div", { class: "ld-curve-head" }, element("strong", {}, "Pole angle in degrees"), gap,
    ...[["true", "reality"], ["free", "dream"]].map(([kind, words]) => element("span", { class: "ld-key" }, element("span", { class: `ld-swatch ld-${kind}`, "aria-hidden": "true" }), words)));
  const trace = angleTrace(session.go);
  const traceBox = element("div", {}, trace.node);
  const controls = dreamControls(model, session);
  const status = statusLine();
  const root = element("div", { class: "ld ld-dream", role: "group", tabindex: 0, "aria-label": `Live dream. ${model.get("title")}` });
  if (model.get("title")) root.append(element("p", { class: "ld-title" }, model.get("title")));
  root.append(element("div", { class: "ld-films" }, ...panels.map((p) => p.node)), legend, traceBox, controls.node, ...status.nodes);
  el.replaceChildren(root);

  function drawNow() {
    const { run } = session;
    const step = Math.max(-run.context.length, Math.min(model.get("step"), run.actions.length));
    const state = step < 0 ? run.shown[step + run.context.length] : run.truth[step];
    const dream = run.dream[step - 1];
    scene.draw(state, { pushed: step < 1 ? run.context[step + run.context.length - 1] : run.fell.truth < step ? undefined : run.actions[step - 1] });
    paintGrey(dreamt.context, dream ? dream.frame : drawFrame(state));
    dreamt.place(state);
    dreamt.node.classList.toggle("ld-sees", step <= 0 || Boolean(dream?.looks));
    panels[0].reading.textContent = run.fell.truth <= step ? `fell at step ${run.fell.truth}` : `pole ${inWords(inDegrees(state[2]))}\u00b0`;
    panels[1].reading.textContent = step <= 0 ? "it sees reality" : run.fell.dream <= step ? `ended at step ${run.fell.dream}`
      : dream ? `pole ${inWords(dream.theta)}\u00b0` : "\u2026";
    gap.textContent = dream && !(run.fell.truth <= step) && Number.isFinite(dream.theta) ? `${inWords(apart(run, step))}\u00b0 apart` : "";
    trace.draw(run, session.before, step);
    controls.show();
    status.say(session.trouble ? `The dream stopped: ${session.trouble}.` : sentenceOf(run, step), model.get("playing"));
  }

  const ask = oncePerFrame(drawNow);
  session.views.add(ask);
  const arrow = (event) => ["ArrowLeft", "ArrowRight"].indexOf(event.key);
  const push = (event, down) => { session.hold(arrow(event), down); if (down) event.preventDefault(); };
  keepKeys(root, (event) => {
    // Arrows push, whatever was pressed last; lists and sliders have them for themselves while nothing plays.
    if (arrow(event) >= 0 && (model.get("playing") || !event.target.closest("select, input"))) return push(event, true);
    if (event.target.closest("select, input, button")) return;
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
  const resize = new ResizeObserver(ask);
  resize.observe(traceBox);
  const forgetTheme = onThemeChange(ask);
  drawNow();

  return () => {
    session.views.delete(ask);
    for (const kind of ["keydown", "keyup"]) document.removeEventListener(kind, elsewhere);
    ask.cancel();
    resize.disconnect();
    forgetTheme();
    if (!session.views.size) session.close();
  };
}

export default { render };
