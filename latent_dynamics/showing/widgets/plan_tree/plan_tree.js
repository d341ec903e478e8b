// The tree of plans: reality, what is imagined of each plan, and the push that follows; the reader may push instead, or blow.

import { pageFunction } from "../../page/engine.js";
import { makeScene, makeWorld, paintGrey, unitFrame } from "../../page/world.js";
import { chooser, element, furnish, iconButton, listen, metronome, oncePerFrame, onResize, onThemeChange, playerKeys, setterOf, slider, statusLine, svgElement, widgetRoot } from "../../page/common.js";
import { inDegrees, inWords } from "../../page/words.js";
import { manyPoles } from "../poles.js";
import { wordButton } from "../buttons.js";
import { growTree, hopes, lineage, treeInWords } from "./tree.js";

const LIMIT = 500; // steps of a game
const GUST_STEPS = 3;
const REACH = 15; // degrees shown to either side; a pole that leans further is lost, and its pen has never drawn it
const HEIGHT = 216;
const EDGE = { left: 42, right: 10, top: 10, bottom: 34 };
const MOST = { decisions: 6, held: 8 };

/** A game that follows from its pushes and gusts: { at(n, actions, gusts) -> { state, belief, fallen } }; it keeps what still holds. */
function makeGame(world, net, start) {
  const look = (state) => net.see(unitFrame(world.draw(state)));
  const first = Float64Array.from(start);
  const moments = [{ state: first, belief: net.begin(look(first)), fallen: world.fallen(first), came: "" }];
  return (n, actions, gusts) => {
    const begun = new Map(gusts);
    for (let k = 1; k <= n; k++) {
      const [action, side] = [actions[k - 1], begun.get(k) ?? 0];
      const came = `${action} ${side}`;
      if (moments[k]?.came === came) continue;
      moments.length = k;
      const { state, belief } = moments[k - 1];
      const next = world.step(state, action, side ? world.sure(side) : null);
      moments.push({ state: next, belief: net.update(belief, action, look(next)), fallen: world.fallen(next), came });
    }
    return moments[n];
  };
}

const clocks = new WeakSet(); // of widgets that a view of theirs has set going: one is enough

/** The angles of all branches over the steps ahead, fading with the hope behind them. */
function treeChart() {
  const svg = svgElement("svg", { class: "ld-curve", role: "img", height: HEIGHT });
  const node = element("div", {}, svg);
  const label = (x, y, words, anchor = "middle") => svgElement("text", { x, y, "text-anchor": anchor }, words);
  function draw(tree, held) {
    const width = Math.max(240, node.clientWidth || 600);
    const steps = tree.levels.length * held;
    const x = (n) => EDGE.left + (n / steps) * (width - EDGE.left - EDGE.right);
    const y = (angle) => EDGE.top + ((REACH - Math.max(-REACH, Math.min(REACH, angle))) / (2 * REACH)) * (HEIGHT - EDGE.top - EDGE.bottom);
    const hope = hopes(tree);
    const chosen = lineage(tree, tree.best);
    const lines = tree.levels.flatMap((branches, level) => branches.map(({ path, parent }, i) => {
      const before = level ? [inDegrees(tree.levels[level - 1][parent].path.at(-1)[1])] : [];
      const angles = [...before, ...path.map((pose) => inDegrees(pose[1]))];
      const from = level * held + (level ? 0 : 1); // what is imagined begins a step ahead
      const lost = angles.findIndex((angle) => Math.abs(angle) > REACH - 1);
      const shown = lost < 0 ? angles : angles.slice(0, lost ? lost + 1 : 0);
      const points = shown.map((angle, n) => `${x(from + n).toFixed(1)} ${y(angle).toFixed(1)}`);
      const kind = chosen[level] === i ? "ld-chosen" : hope[level][i] > 0.5 ? "ld-alive" : "ld-pruned";
      return [kind, svgElement("path", { class: kind, d: points.length ? `M${points.join("L")}` : "", opacity: kind === "ld-pruned" ? (0.25 + hope[level][i]).toFixed(2) : "1" })];
    }));
    const ordered = ["ld-pruned", "ld-alive", "ld-chosen"].flatMap((kind) => lines.filter(([name]) => name === kind).map(([, line]) => line));
    const every = Math.max(held, Math.ceil(steps / 8 / held) * held);
    furnish(svg, { width, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": `${tree.leaves.length} imagined plans of ${steps} steps: the pole's angle along each.` }, []);
    svg.replaceChildren(
      ...[-12, 12].map((angle) => svgElement("line", { class: "ld-limit", x1: EDGE.left, x2: width - EDGE.right, y1: y(angle), y2: y(angle) })),
      ...[-12, -6, 0, 6, 12].map((angle) => label(EDGE.left - 6, y(angle) + 4, `${inWords(angle, 0)}\u00b0`, "end")),
      ...ordered,
      ...Array.from({ length: Math.floor(steps / every) + 1 }, (_, i) => label(x(i * every), HEIGHT - EDGE.bottom + 16, String(i * every))),
      label(width - EDGE.right, HEIGHT - 3, "steps ahead", "end"));
  }
  return { node, draw };
}

/** The frame that is looked at, and over it where each plan ends: thin poles, the survivors darker. */
function plansPanel() {
  const canvas = element("canvas", { width: 100, height: 32, class: "ld-film ld-scene-frame", role: "img" });
  const [lost, alive] = [manyPoles("lost"), manyPoles("free")];
  const node = element("div", { class: "ld-outlined" }, canvas, lost.node, alive.node);
  const context = canvas.getContext("2d");
  const draw = (world, state, tree) => {
    paintGrey(context, world.draw(state));
    const ends = (some) => some.map(({ path }) => path.at(-1));
    const survives = ({ worth }) => worth > Math.log(0.5);
    alive.draw(ends(tree.leaves.filter(survives)));
    lost.draw(ends(tree.leaves.filter((leaf) => !survives(leaf))));
    canvas.setAttribute("aria-label", `The frame that the model sees, and over it ${tree.leaves.length} poles, one where each plan ends`);
  };
  return { node, draw };
}

/** The controls; each only sets traits, or asks for a step. */
function makeControls(model, set, onward, go) {
  const again = iconButton("again", "Start again", () => set({ playing: false, actions: [], gusts: [], step: 0 }));
  const back = iconButton("back", "One step back", () => go(model.get("step") - 1));
  const play = iconButton("play", "Play", () => set({ playing: !model.get("playing") }));
  play.node.classList.add("ld-button-main");
  const forward = iconButton("forward", "One step forward", () => { set({ playing: false }); if (model.get("step") < model.get("actions").length) go(model.get("step") + 1); else onward(); });
  const pushes = ["left", "right"].map((side, push) => wordButton(`Push ${side}`, () => { set({ playing: false }); onward(push); }, "you, in the planner's place"));
  const gusts = [["left", -1], ["right", 1]].map(([side, way]) => wordButton(`Gust ${side}`, () => { set({ playing: false }); onward(undefined, way); }, "blows three steps, and the planner pushes"));
  const names = { decisions: "Decisions", held: "Steps held" };
  const sliders = Object.entries(names).map(([trait, name]) => ({ trait, ...slider(name, (value) => set({ [trait]: value })) }));
  const which = chooser("Model", model.get("names"), (m) => set({ model: m }));
  const start = chooser("Start", model.get("labels"), (i) => set({ start: i, actions: [], gusts: [], step: 0, playing: false }));
  const lists = [...(model.get("names").length > 1 ? [which.node] : []), ...(model.get("labels").length > 1 ? [start.node] : [])];
  const node = element("div", { class: "ld-controls ld-plan-controls" },
    element("div", { class: "ld-buttons" }, again.node, back.node, play.node, forward.node),
    element("div", { class: "ld-buttons ld-deeds" }, ...pushes.map((button) => button.node), ...(model.get("world").gusts ? gusts.map((button) => button.node) : [])),
    ...sliders.map((part) => part.node), ...lists);
  function show() {
    if (model.get("playing")) play.rename("pause", "Pause");
    else play.rename("play", "Play");
    for (const { trait, show: move } of sliders) move(model.get(trait), MOST[trait], String(model.get(trait)));
    which.show(model.get("model"));
    start.show(model.get("start"));
  }
  return { node, show };
}

async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const set = setterOf(model);
  const nets = new Map();
  const netOf = async (m) => {
    if (!nets.has(m)) {
      const net = {};
      for (const [name, part] of Object.entries(model.get("functions")[m])) net[name] = await pageFunction(model, part);
      nets.set(m, net);
    }
    return nets.get(m);
  };
  let net = await netOf(model.get("model"));
  let game;
  let known = {};
  const deal = () => { game = makeGame(world, net, model.get("states")[model.get("start")]); known = {}; };
  const now = () => Math.min(model.get("step"), model.get("actions").length);
  const here = () => game(now(), model.get("actions"), model.get("gusts"));
  /** The tree at the step shown; grown once for each. */
  function treeNow() {
    const [moment, decisions, held] = [here(), model.get("decisions"), model.get("held")];
    if (known.moment !== moment || known.decisions !== decisions || known.held !== held) {
      known = { moment, decisions, held, tree: growTree(net.ahead, moment.belief, decisions, held) };
    }
    return known.tree;
  }
  const over = () => here().fallen || now() >= LIMIT;
  const go = (step) => set({ playing: false, step: Math.max(0, Math.min(model.get("actions").length, step)) });

  /** One step on from the moment shown: what came after it is forgotten. The planner pushes, where the reader does not. */
  function onward(push, gust) {
    if (over()) return set({ playing: false });
    const n = now();
    const action = push ?? (treeNow().right > 0.5 ? 1 : 0);
    const blown = model.get("gusts").filter(([step]) => step <= n);
    const calm = !blown.some(([step]) => step > n + 1 - GUST_STEPS); // where one blows, no other begins
    return set({ actions: [...model.get("actions").slice(0, n), action], gusts: gust && calm ? [...blown, [n + 1, gust]] : blown, step: n + 1 });
  }

  const scene = makeScene("Reality: the true cart and pole");
  const plans = plansPanel();
  const chart = treeChart();
  const controls = makeControls(model, set, onward, go);
  const status = statusLine();
  const root = widgetRoot(model, "ld-plan-tree", "The tree of plans.", { tabindex: 0 });
  const caption = (words) => element("p", { class: "ld-plan-head" }, words);
  root.append(
    element("div", { class: "ld-films" }, element("div", {}, scene.node, caption("Reality")), element("div", {}, plans.node, caption("Where each plan ends: survivors dark"))),
    caption("Imagined pole angle along every plan. Thick: the likeliest that begins as most vote; dashed: where an episode ends"), chart.node, controls.node, ...status.nodes);
  el.replaceChildren(root);

  function draw() {
    const n = now();
    const { state } = here();
    const tree = treeNow();
    scene.draw(state, { pushed: n ? model.get("actions")[n - 1] : undefined });
    plans.draw(world, state, tree);
    chart.draw(tree, model.get("held"));
    controls.show();
    status.say(treeInWords(tree, model.get("held"), n, state, world, over()), model.get("playing"));
  }

  const clock = metronome(() => 12.5, () => onward());
  let mine = false;
  const rest = () => { clock.stop(); if (mine) clocks.delete(model); mine = false; };
  const playOrPause = () => {
    if (!model.get("playing")) return rest();
    if (over()) set({ actions: [], gusts: [], step: 0 });
    if (clocks.has(model)) return undefined;
    clocks.add(model);
    mine = true;
    return clock.start();
  };
  playerKeys(root, model, set, go, { ",": -1, Home: -Infinity });
  root.addEventListener("keydown", (event) => {
    const push = ["ArrowLeft", "ArrowRight"].indexOf(event.key);
    if (event.target !== root || push < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    set({ playing: false });
    if (event.shiftKey && model.get("world").gusts) onward(undefined, push ? 1 : -1);
    else onward(push);
  });
  const ask = oncePerFrame(draw);
  const anew = () => { deal(); ask(); };
  const another = async () => {
    const m = model.get("model");
    const found = await netOf(m);
    if (m !== model.get("model")) return; // others were chosen meanwhile
    net = found;
    anew();
  };
  const deafen = listen(model, [
    ...["actions", "gusts", "step", "decisions", "held", "playing"].map((name) => [`change:${name}`, ask]),
    ["change:start", anew], ["change:model", another], ["change:playing", playOrPause],
  ]);
  const [unwatch, offTheme] = [onResize(chart.node, ask), onThemeChange(ask)];
  deal();
  draw();
  playOrPause();
  return () => { deafen(); status.stop(); rest(); ask.cancel(); unwatch(); offTheme(); };
}

export default { render };
