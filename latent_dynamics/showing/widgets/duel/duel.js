// Two controllers, one start: A knows the true state, B looks at the drawn frame. Both play live, with their confidence.

import { pageFunction } from "../../page/engine.js";
import { makeScene, makeWorld, paintGrey, unitFrame } from "../../page/world.js";
import { chooser, element, furnish, iconButton, listen, metronome, oncePerFrame, playerKeys, setterOf, slider, statusLine, widgetRoot } from "../../page/common.js";

const SPEEDS = [[5, "slow: 5 steps a second"], [12.5, "a quarter of real time"], [50, "real time"]];
const SEES = { A: "It sees the true state:", B: "It sees the latent z of this picture:" };

const sideOf = (right) => (right ? "right" : "left");
/** A network is never wholly sure. */
const percent = (share) => (share > 0.99 ? "over 99%" : `${Math.round(100 * share)}%`);

/**
 * A game that is computed as far as it is asked for: { at(step) -> { state, right, expert, fallen, agreed, step } }. `right`
 * is the probability of pushing right; `agreed` counts the decisions so far that the rule would have taken too.
 */
export function makeGame(world, start, probability, weight) {
  const moments = [];
  const add = (state, agreed) => {
    const right = probability(state);
    const expert = world.expert(state, weight) === 1;
    moments.push({ state, right, expert, fallen: world.fallen(state), agreed });
  };
  add(Float64Array.from(start), 0);
  function at(step) {
    while (moments.length <= step && !moments.at(-1).fallen) {
      const { state, right, expert, agreed } = moments.at(-1);
      add(world.step(state, right > 0.5 ? 1 : 0), agreed + ((right > 0.5) === expert));
    }
    const last = Math.min(step, moments.length - 1);
    return { ...moments[last], step: last };
  }
  return { at };
}

/** Both probabilities as functions of the true state, for each rule. */
export async function readPlayers(model, world) {
  const functions = {};
  for (const [name, part] of Object.entries(model.get("functions"))) functions[name] = await pageFunction(model, part);
  return {
    A: (rule) => (state) => functions[`${rule} A`](Float32Array.from(state))[0],
    B: (rule) => (state) => functions[`${rule} B`](functions.see(unitFrame(world.draw(state))))[0],
  };
}

/** The probability of right as a bar: it grows from the middle, where nothing is known, to the side of the push. */
function confidenceBar() {
  const fill = element("div");
  const words = element("strong");
  const node = element("div", { class: "ld-sure" }, element("span", { "aria-hidden": "true" }, "left"),
    element("div", { class: "ld-sure-bar", "aria-hidden": "true" }, fill), element("span", { "aria-hidden": "true" }, "right"), words);
  const show = (right, over) => {
    const share = over ? 0.5 : Math.max(right, 1 - right);
    fill.setAttribute("style", `left: ${100 * Math.min(0.5, right)}%; width: ${100 * (share - 0.5)}%`);
    words.textContent = over ? "its game is over" : `${sideOf(right > 0.5)}, ${percent(share)} sure`;
  };
  return { node, show };
}

/** What the player sees: A the state's numbers, B a picture. */
function insight(player, world) {
  if (player === "A") {
    const node = element("p", { class: "ld-numbers" });
    const show = (state) => node.replaceChildren(...world.inWords(state).map((words) => element("span", {}, words)));
    return { node, show };
  }
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-scene-frame", role: "img", "aria-label": "The picture that B sees" });
  const context = canvas.getContext("2d");
  return { node: canvas, show: (state) => paintGrey(context, world.draw(state)) };
}

/** One player's side: the world, the confidence, the count, and what it sees. */
function playerPanel(player, world) {
  const scene = makeScene(`The cart and pole of controller ${player}`);
  const bar = confidenceBar();
  const sees = insight(player, world);
  const count = element("p", { class: "ld-count" });
  const node = element("div", { class: `ld-player ld-player-${player}` },
    element("p", { class: "ld-player-name" }, `Controller ${player}`), scene.node, count, bar.node,
    element("p", { class: "ld-sees" }, SEES[player]), sees.node);
  const show = ({ state, right, fallen, step, agreed }) => {
    scene.draw(state, { pushed: fallen ? undefined : Number(right > 0.5) });
    bar.show(right, fallen);
    sees.show(state);
    count.replaceChildren(element("strong", { class: fallen ? "ld-down" : "" }, fallen ? `fell at step ${step}` : `up for ${step} steps`),
      element("span", {}, step ? ` like the rule: ${agreed} of ${step}` : ""));
  };
  return { node, show };
}

/** The moment in words. */
function duelInWords(step, { A, B }) {
  const told = Object.entries({ A, B }).map(([name, { right, fallen, step: last, expert }]) => {
    if (fallen) return `${name} fell at step ${last}.`;
    const push = right > 0.5;
    const rule = push === expert ? "as the rule does" : `where the rule says ${sideOf(expert)}`;
    return `${name} pushes ${sideOf(push)}, ${percent(Math.max(right, 1 - right))} sure, ${rule}.`;
  });
  return `Step ${step}. ${told.join(" ")}`;
}

/** Play, step, restart, start, rule, speed; each only sets traits. */
function makeControls(model, set, go) {
  const first = iconButton("first", "Start again", () => go(0));
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const play = iconButton("play", "Play", () => set({ playing: !model.get("playing") }));
  const forward = iconButton("forward", "One step forward", () => go(model.get("step") + 1));
  play.node.classList.add("ld-button-main");
  const step = slider("Step", go);
  furnish(step.node.querySelector("input"), { min: 0 }, []);
  const rules = model.get("rules");
  const rule = chooser("Rule", rules.map(([, words]) => words), (i) => set({ rule: rules[i][0], step: -1, playing: false }));
  const start = chooser("Start", model.get("labels"), (i) => set({ start: i, step: 0 }));
  const speed = chooser("Speed", SPEEDS.map(([, words]) => words), (i) => set({ speed: SPEEDS[i][0] }));
  const buttons = element("div", { class: "ld-duel-buttons" }, first.node, back.node, play.node, forward.node);
  const node = element("div", { class: "ld-controls" }, buttons, step.node, rule.node, start.node, speed.node);

  function show(last) {
    const now = model.get("step");
    step.show(now, last, `${now}`);
    rule.show(rules.findIndex(([name]) => name === model.get("rule")));
    start.show(model.get("start"));
    speed.show(SPEEDS.findIndex(([rate]) => rate === model.get("speed")));
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
  }
  return { node, show };
}

export async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const players = await readPlayers(model, world);
  const limit = model.get("limit");
  const set = setterOf(model);
  const go = (step) => set({ playing: false, step: Math.max(0, Math.min(limit, step)) });

  const panels = { A: playerPanel("A", world), B: playerPanel("B", world) };
  const controls = makeControls(model, set, go);
  const status = statusLine();
  const root = widgetRoot(model, "ld-duel", "Controller duel.", { tabindex: 0 });
  root.append(element("div", { class: "ld-players" }, panels.A.node, panels.B.node), controls.node, ...status.nodes);
  el.replaceChildren(root);

  let games;
  /** New games under the rule and from the start that are chosen. */
  function deal() {
    const [, , weight] = model.get("rules").find(([name]) => name === model.get("rule"));
    const start = model.get("states")[model.get("start")];
    games = Object.fromEntries(["A", "B"].map((who) => [who, makeGame(world, start, players[who](model.get("rule")), weight)]));
  }
  /** Where step -1 leads. */
  function firstFall() {
    let step = 1;
    while (step < limit && !games.A.at(step).fallen && !games.B.at(step).fallen) step += 1;
    return step;
  }
  const ended = () => model.get("step") >= limit || ["A", "B"].every((who) => games[who].at(model.get("step")).fallen);

  function draw() {
    if (model.get("step") < 0) return set({ step: firstFall() }); // which draws
    const step = model.get("step");
    const now = { A: games.A.at(step), B: games.B.at(step) };
    for (const who of ["A", "B"]) panels[who].show(now[who]);
    controls.show(Math.min(limit, Math.max(50, 50 * Math.ceil((step + 1) / 50))));
    status.say(duelInWords(step, now), true); // a slider that is dragged is as quick as play
  }

  const clock = metronome(() => model.get("speed"), () => {
    if (ended()) set({ playing: false });
    else set({ step: model.get("step") + 1 });
  });
  const playOrPause = () => {
    if (!model.get("playing")) return clock.stop();
    if (ended()) set({ step: 0 });
    clock.start();
  };

  playerKeys(root, model, set, go, { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity });

  const ask = oncePerFrame(draw);
  const dealAndAsk = () => { deal(); ask(); };
  const deafen = listen(model, [
    ["change:step", ask], ["change:playing", ask], ["change:playing", playOrPause], ["change:speed", ask],
    ["change:rule", dealAndAsk], ["change:start", dealAndAsk],
  ]);
  deal();
  draw();
  playOrPause();

  return () => {
    deafen();
    status.stop();
    clock.stop();
    ask.cancel();
  };
}

export default { render };
