// One belief and what follows from it: futures that a model imagines one sample at a time, and those that the world really has.

import { LIMIT, coverage, crps, held, quantiles } from "../../page/belief.js";
import { diceOf, normals } from "../../page/chance.js";
import { inDegrees, inRadians, inWords } from "../../page/words.js";
import { unitFrame } from "../../page/world.js";

/** What a model believes after the frames of a start: { states, actions }. */
export function beliefAfter(net, world, { states, actions }) {
  const code = (state) => net.see(unitFrame(world.draw(state)));
  return actions.reduce((belief, action, n) => net.update(belief, action, code(states[n + 1])), net.begin(code(states[0])));
}

/** Poses by step and future, as [x, theta], and the angles by future in degrees; a pole that has fallen stays where it fell. */
function fanOf(moved) {
  const thetas = moved[0].map((_, i) => held(moved.map((step) => inDegrees(step[i][1]))));
  const fell = thetas.map((angles) => angles.findIndex((angle) => Math.abs(angle) >= LIMIT));
  const place = (n, i) => moved[fell[i] >= 0 ? Math.min(n, fell[i]) : n][i][0];
  const poses = moved.map((step, n) => step.map((_, i) => [place(n, i), inRadians(thetas[i][n])]));
  return { poses, thetas, at: (n) => thetas.map((angles) => angles[n]) };
}

/** The futures that a model imagines from a belief: as many as there are samples, step after step, the start first. */
export function imagined(net, belief, pushes, { count, seed, sizes: [kept, stepped] }) {
  let states = Array.from({ length: count }, (_, i) => net.scatter(belief, normals(seed, i * kept, kept)));
  const poses = [states.map((state) => [...net.pose(state)])];
  for (const [n, push] of pushes.entries()) {
    states = states.map((state, i) => net.sample_step(state, push, normals(seed + 1, (n * count + i) * stepped, stepped)));
    poses.push(states.map((state) => [...net.pose(state)]));
  }
  return fanOf(poses);
}

/**
 * The futures that the world has from a state. `gusts` says what blows: "chance" leaves it to chance, "none" lets none begin, and
 * "left" or "right" begins one on the way to step `when`, if none blows there, and no other.
 */
export function real(world, start, pushes, { gusts, when, count, seed }) {
  let states = Array.from({ length: count }, () => Float64Array.from(start));
  const poseOf = (state) => { const { x, theta } = world.pose(state); return [x, theta]; };
  const poses = [states.map(poseOf)];
  for (const [n, push] of pushes.entries()) {
    const chance = (i) => (gusts === "chance" ? diceOf(seed + 2, n, i, count) : gusts !== "none" && n + 1 === when ? world.sure(gusts === "left" ? -1 : 1) : null);
    states = states.map((state, i) => world.step(state, push, chance(i)));
    poses.push(states.map(poseOf));
  }
  return fanOf(poses);
}

/** What a fan says of a step, and what it is worth there: { low, high, lower, higher, median, inside, crps }, in degrees. */
export function told(dream, truth, n) {
  const [samples, happened] = [dream.at(n), truth.at(n)];
  const [low, lower, median, higher, high] = quantiles(samples, [0.05, 0.25, 0.5, 0.75, 0.95]);
  return { low, lower, median, higher, high, inside: coverage(happened, [low, high]), crps: crps(samples, happened), real: quantiles(happened, [0.5])[0] };
}

const degrees = (angle, digits = 1) => `${inWords(angle, digits)}\u00b0`;
const further = (gap) => (Math.abs(gap) < 0.05 ? "where it does now" : `${degrees(Math.abs(gap))} further ${gap > 0 ? "right" : "left"}`);

/** A step in words: what the fan holds possible, what really happens, and what other pushes would have done. */
export function fanInWords({ dream, truth, ghost }, n, gusts) {
  const now = told(dream, truth, n);
  const share = Math.round(100 * now.inside);
  const count = truth.thetas.length;
  const what = { chance: `the ${count} real ones`, none: "the real ones in calm air", left: "the real ones with this gust", right: "the real ones with this gust" }[gusts];
  const first = `Step ${n}: half of the ${dream.thetas.length} imagined poles lean between ${degrees(now.lower)} and ${degrees(now.higher)}, nine tenths between ${degrees(now.low)} and ${degrees(now.high)}; of ${what}, ${share} % lie in the wider band. The CRPS is ${degrees(now.crps, 2)}.`;
  if (!ghost) return first;
  const before = told(ghost.dream, ghost.truth, n);
  const gaps = [before.median - now.median, before.real - now.real].map(further);
  return `${first} After the pushes kept to compare, the middle pole of the model would stand ${gaps[0]}, that of the world ${gaps[1]}.`;
}
