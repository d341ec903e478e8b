// One game of live surprise: what really happened, and what a model believed after each frame that its eyes were given.

import { quantiles, spreadOf } from "../../page/belief.js";
import { normals } from "../../page/chance.js";
import { inDegrees, inWords } from "../../page/words.js";
import { unitFrame } from "../../page/world.js";

export const LONGEST = 500; // steps of a game
export const SHOWN = 80; // steps of the strip charts
const AFTERMATH = 5; // steps after a gust began in which it can be seen
const BLANK = new Uint8Array(3200).fill(255); // what a covered camera shows: nothing at all
const SIDES = { [-1]: "left", 1: "right" };

/** A game: the states, the pushes between them, and at which of them the camera is covered. */
export function newGame(world, { states, actions }) {
  return { world, states: states.map((state) => Float64Array.from(state)), actions: [...actions], covered: states.map(() => false), tracks: {} };
}

export const lastOf = (game) => game.states.length - 1;
export const fallen = (game) => game.world.fallen(game.states.at(-1));

/** Plays a step; `gust` (-1 left, 1 right) begins one where none blows, otherwise one begins by `chance`, or not. */
export function playStep(game, action, { gust = 0, covered = false, chance = null } = {}) {
  const { world } = game;
  game.states.push(world.step(game.states.at(-1), action, gust ? world.sure(gust) : chance));
  game.actions.push(action);
  game.covered.push(covered);
}

/** What the camera shows at a step: 3200 bytes. */
export const cameraFrame = (game, n) => (game.covered[n] ? BLANK : game.world.draw(game.states[n]));

/** How far the true pole leans at a step, in degrees. */
export const leaning = (game, n) => inDegrees(game.world.pose(game.states[n]).theta);

/**
 * What a model believes after a step: { belief, seen, kl, samples, poses, mean, std, low, high }. While its eyes see, its samples
 * are drawn from the posterior; while they do not, each goes on by itself, as it may.
 */
export function believeStep(net, game, track, noise) {
  const n = track.length;
  const before = track.at(-1);
  const action = game.actions[n - 1];
  const code = net.see(unitFrame(cameraFrame(game, n)));
  const belief = n ? net.update(before.belief, action, code) : net.begin(code);
  const kl = n ? net.surprise(before.belief, action, code).reduce((sum, one) => sum + one, 0) : NaN;
  const seen = code.at(-1) > 0.5; // its own eyes say so
  const { count, seed, sizes: [kept, stepped] } = noise;
  const samples = Array.from({ length: count }, (_, i) => (seen || !n ? net.scatter(belief, normals(seed, i * kept, kept))
    : net.sample_step(before.samples[i], action, normals(seed + 1, (n * count + i) * stepped, stepped))));
  const poses = samples.map((sample) => [...net.pose(sample)]);
  const thetas = poses.map(([, theta]) => inDegrees(theta));
  const [low, high] = quantiles(thetas, [0.05, 0.95]);
  track.push({ belief, seen, kl, samples, poses, low, high, ...spreadOf(thetas) });
  if (n) delete before.samples; // only the last ones go on
}

/** The gusts that began from one step to another: [{ step, side }]. */
export function gustsIn(game, from, to) {
  const steps = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return steps.map((step) => ({ step, side: game.world.began(game.states[step]) })).filter(({ side }) => side);
}

/** From where to where nothing was seen, up to a step: [[first, last], ...]. */
export function darkIn(track, from, to) {
  const spans = [];
  for (let n = from; n <= to; n++) {
    if (track[n].seen) continue;
    if (spans.at(-1)?.[1] === n - 1) spans.at(-1)[1] = n;
    else spans.push([n, n]);
  }
  return spans;
}

/** The usual surprise: the median of what was seen from one step to another. NaN where nothing was. */
export const usual = (track, from, to) => quantiles(track.slice(from, to + 1).filter(({ seen, kl }) => seen && !Number.isNaN(kl)).map(({ kl }) => kl), [0.5])[0];

const nats = (kl) => `${inWords(kl)} nat${inWords(kl) === "1.0" ? "" : "s"}`;
const degrees = (angle) => `${inWords(angle)}\u00b0`;

/** What a step shows, in words; all of it can be seen in the picture or in the charts, which reach to step `last`. */
export function surpriseInWords(game, track, n, last) {
  const from = Math.max(1, last - SHOWN);
  const common = usual(track, from, last);
  const now = track[n];
  const fell = game.world.fallen(game.states[n]) ? " The pole has fallen: start again." : "";
  return [`Step ${n}: ${presentInWords(track, now, n)}`, gustInWords(game, track, from, n, common), darkInWords(track, from, n)].filter(Boolean).join(" ") + fell;
}

function presentInWords(track, now, n) {
  if (now.seen) return n ? `the camera sees, surprise is ${nats(now.kl)}.` : "the camera sees its first picture.";
  const [first] = darkIn(track, 0, n).at(-1);
  if (!first) return "the camera has shown nothing yet.";
  const count = n - first + 1;
  return `nothing has been seen for ${count} step${count === 1 ? "" : "s"}, and the spread of the pole's angle went from ${degrees(track[first - 1].std)} to ${degrees(now.std)}.`;
}

function gustInWords(game, track, from, n, common) {
  const last = gustsIn(game, from, n).at(-1);
  if (!last) return "";
  const what = `A gust to the ${SIDES[last.side]} began at step ${last.step}`;
  if (n - last.step < 2) return `${what}; no picture can show it yet.`;
  const steps = Array.from({ length: Math.min(AFTERMATH, n - last.step) }, (_, i) => last.step + 1 + i).filter((step) => track[step].seen);
  if (!steps.length) return `${what}, and nobody saw what it did.`;
  const peak = steps.reduce((best, step) => (track[step].kl > track[best].kl ? step : best));
  const rose = track[peak].kl > 1.5 * common ? "surprise leapt to" : "surprise was no more than";
  return `${what}: ${rose} ${nats(track[peak].kl)} at step ${peak}, where ${inWords(common)} is usual.`;
}

function darkInWords(track, from, n) {
  const last = darkIn(track, from, n).filter(([first, end]) => first > 0 && end < n).at(-1);
  if (!last) return "";
  const [first, end] = last;
  return `From step ${first} to ${end} nothing was seen: the spread went from ${degrees(track[first - 1].std)} to ${degrees(track[end].std)}, `
    + `and with the first picture after it to ${degrees(track[end + 1].std)}, at a surprise of ${nats(track[end + 1].kl)}.`;
}

const rounded = (value) => (Number.isFinite(value) ? Math.round(1e4 * value) / 1e4 : null);

/** What Python reads of a game. */
export function historyOf(game, track) {
  const all = (name) => track.map((step) => rounded(step[name]));
  return {
    actions: [...game.actions], covered: [...game.covered], seen: track.map(({ seen }) => seen), surprise: all("kl"),
    theta_true: track.map((_, n) => rounded(leaning(game, n))), mean: all("mean"), spread: all("std"), low: all("low"), high: all("high"),
    gusts: gustsIn(game, 0, lastOf(game)).map(({ step, side }) => [step, SIDES[side]]),
  };
}
