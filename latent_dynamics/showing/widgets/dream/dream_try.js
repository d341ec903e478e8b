// One try of the live dream: what was pushed since the models' eyes were closed, and where it led: in truth, in the dream of
// each model that was asked, and in exact physics from the frames that the models saw.

import { diceOf } from "../../page/chance.js";
import { fitState } from "../../page/exact_physics.js";
import { unitFrame } from "../../page/world.js";
import { inDegrees, poleInWords } from "../../page/words.js";

export const LOST = 2; // degrees; beyond it the book calls a prediction lost
export const LONGEST = 300; // steps of a dream
const GUSTS = 9; // by which stream of chance gusts come: the first soon, then now and then
const MEMORY = 20; // steps: exact physics fits what was seen since then; before, or longer ago than the context, it forgets

/** One try: a start, what was done since, and where it led; `dreams` are by the model's number, `fell` is when the truth fell. */
export function newTry(world, state, actions) {
  const truth = [state];
  for (const action of actions) truth.push(world.step(truth.at(-1), action));
  return {
    world, context: actions, shown: truth, actions: [], truth: [truth.at(-1)], dreams: {}, physics: [], glances: {}, fell: undefined,
  };
}

/** The same try up to a step, to go on from there into another future. */
export function cutTry(run, step) {
  const dreams = Object.entries(run.dreams).map(([m, dream]) => [m, dream.slice(0, step)]);
  return {
    ...run, actions: run.actions.slice(0, step), truth: run.truth.slice(0, step + 1), dreams: Object.fromEntries(dreams),
    physics: run.physics.slice(0, step), glances: {}, fell: run.fell <= step ? run.fell : undefined,
  };
}

/** Moves the true world on by a push; once it has fallen it stays where it lies. Gusts come by chance, in each try the same. */
export function pushWorld(run, action) {
  const last = run.truth.at(-1);
  const chance = diceOf(GUSTS, run.actions.length);
  run.actions.push(action);
  run.truth.push(run.fell ? last : run.world.step(last, action, chance));
  if (!run.fell && run.world.fallen(run.truth.at(-1))) run.fell = run.actions.length;
}

/** Whether eyes that open every so many steps (0: never) see the frame of a step. */
const looksAt = (run, n, every) => every > 0 && n % every === 0 && !(run.fell <= n);

/** What the model believes after the frames that it was shown. */
async function beliefAfter(net, run) {
  const code = async (state) => net.see(unitFrame(run.world.draw(state)));
  let belief = await net.begin(await code(run.shown[0]));
  for (const [n, action] of run.context.entries()) belief = await net.update(belief, action, await code(run.shown[n + 1]));
  return belief;
}

/** Which push an actor makes on what a model believes now: what it dreamt last, or what it saw; 0 or 1. */
export async function actorsPush({ mean, spread, weight, bias }, net, run, dream) {
  const belief = dream?.at(-1)?.belief ?? await beliefAfter(net, run);
  const bounded = (value, i) => Math.max(-5, Math.min(5, (value - mean[i]) / spread[i]));
  return weight.reduce((sum, w, i) => sum + w * bounded(belief[i], i), bias) > 0 ? 1 : 0;
}

/** The true frame of a step, kept for all who look at it, and where the reader finds cart and pole in it: { frame, x, theta }. */
function glance(run, n, limits) {
  const state = n < 0 ? run.shown[n + run.context.length] : run.truth[n];
  if (!run.glances[n]) {
    const frame = unitFrame(run.world.draw(state));
    run.glances[n] = { frame, ...run.world.read(frame, limits) };
  }
  return run.glances[n];
}

/**
 * Adds a step to a dream: what the model expects of the next push, and whether it then looks at what came of it. Who was
 * slower than another that dreamt the same step adds nothing.
 */
export async function dreamStep(net, run, every, limits, dream = run.dreams[0] ??= []) {
  const n = dream.length + 1;
  const before = dream.at(-1)?.belief ?? await beliefAfter(net, run);
  const action = run.actions[n - 1];
  const expected = await net.step(before, action);
  const frame = await net.decode(expected);
  const seen = run.world.read(frame, limits);
  const looks = looksAt(run, n, every);
  const belief = looks ? await net.update(before, action, await net.see(glance(run, n, limits).frame)) : expected;
  const gone = !seen.valid || run.world.fallen(run.world.standing(seen));
  if (dream.length < n) dream.push({ belief, frame, theta: seen.valid ? inDegrees(seen.theta) : NaN, looks, gone });
}

/** One step more of exact physics: simulated, or fitted anew where the models look; a pole that fell stays where it lies. */
export function physicsStep(run, every, limits) {
  const n = run.physics.length + 1;
  const before = run.physics.at(-1)?.state ?? fitAt(run, 0, every, limits);
  const state = looksAt(run, n, every) ? fitAt(run, n, every, limits)
    : run.world.fallen(before) ? before : run.world.step(before, run.actions[n - 1]);
  return { state, theta: leaning(run, state), gone: run.world.fallen(state) };
}

/** The state at a step that best explains the last frames that the models saw: as many as there were before their eyes closed. */
function fitAt(run, last, every, limits) {
  const context = run.context.length;
  const oldest = Math.max(-context, last - Math.max(context, MEMORY));
  const when = [];
  for (let n = last; n >= oldest && when.length <= context; n--) if (n <= 0 || looksAt(run, n, every)) when.unshift(n);
  const seen = when.map((n) => ({ after: n - when[0], ...glance(run, n, limits) }));
  return fitState(run.world, seen, [...run.context, ...run.actions].slice(context + when[0], context + last));
}

/** How far the pole leans in a state of the world, in degrees. */
export const leaning = (run, state) => inDegrees(run.world.pose(state).theta);

export const truthAt = (run, n) => leaning(run, run.truth[n]);

/** The gusts that began up to a step: [{ step, side }], side -1 left, 1 right. */
export const gustsIn = (run, last = run.truth.length - 1) => run.truth.slice(0, last + 1)
  .map((state, step) => ({ step, side: step && !(run.fell < step) ? run.world.began(state) : 0 })).filter(({ side }) => side);

/** How many degrees a dream's pole, or that of exact physics, is from the true one; NaN where there is none to compare. */
export const apart = (run, steps, n) => (run.fell <= n ? NaN : Math.abs((steps[n - 1]?.theta ?? NaN) - truthAt(run, n)));

/** The first step at which it is lost (0: at none), and that at which its pole is gone. */
export const lostAt = (run, steps) => steps.findIndex((_, i) => !(run.fell <= i + 1) && !(apart(run, steps, i + 1) <= LOST)) + 1;
export const goneAt = (steps) => steps.findIndex(({ gone }) => gone) + 1;

/** Whether it was gone by a step. */
export const goneBy = (steps, n) => goneAt(steps) > 0 && goneAt(steps) <= n;

const rounded = (angle) => (Number.isFinite(angle) ? Math.round(1000 * angle) / 1000 : null);

/** What Python reads of the present try; `dreams` are the one shown and, where there is one, the one beside it. */
export function historyOf(run, dreams) {
  const [dream, beside = []] = dreams;
  const angles = (steps) => steps.map(({ theta }) => rounded(theta));
  return {
    actions: [...run.actions],
    theta_true: run.truth.slice(1).map((state) => rounded(leaning(run, state))),
    theta_dream: angles(dream), theta_beside: angles(beside), theta_physics: angles(run.physics),
    looked: dream.map(({ looks }) => looks),
    true_fell: run.fell ?? null, dream_fell: goneAt(dream) || null, beside_fell: goneAt(beside) || null,
  };
}

// In words. What is told of beside reality is a list of { kind, name, steps }: dreams, and exact physics.

/** The fate of all poles, for those who can't see the curves. */
export function describe(run, told) {
  const fates = told.map(({ name, kind, steps }) => {
    const [lost, gone] = [lostAt(run, steps), goneAt(steps)];
    const drift = lost ? `is more than ${LOST} degrees off from step ${lost}` : `stays within ${LOST} degrees`;
    const end = !gone ? "" : kind === "physics" ? ` and falls at step ${gone}` : ` and ends at step ${gone}`;
    return `${capital(article(name, kind))} ${drift}${end}.`;
  });
  const truth = run.fell ? `falls at step ${run.fell}` : "stands";
  return `Pole angle over ${run.actions.length} steps. The real pole ${truth}. ${fates.join(" ")}`;
}

const article = (name, kind) => (kind === "physics" ? name : `the ${name}`);
export const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** What a listener hears of a step. */
export function sentenceOf(run, step, told) {
  if (step < 0) return `The model sees reality; ${-step} frame${step === -1 ? "" : "s"} to go until its eyes close.`;
  if (step === 0) return "Now the model's eyes close. Whatever it shows from here on, it dreams.";
  if (told.some(({ steps }) => !steps[step - 1])) return "";
  const truth = run.fell <= step ? `the real pole fell at step ${run.fell}` : `reality ${poleInWords(truthAt(run, step))} degrees`;
  const shown = told.map(({ name, kind, steps }) => {
    const { theta } = steps[step - 1];
    const off = apart(run, steps, step);
    const distance = Number.isFinite(off) ? `, ${poleInWords(off)} apart` : "";
    return Number.isFinite(theta) ? `${name} ${poleInWords(theta)} degrees${distance}` : `${article(name, kind)} shows no pole`;
  });
  const ends = told.filter(({ steps }) => goneBy(steps, step)).map(({ name, kind, steps }) => (
    ` ${capital(article(name, kind))} ${kind === "physics" ? "fell" : "ended"} at step ${goneAt(steps)}.`));
  const gust = gustsIn(run, step).at(-1);
  const blew = gust ? ` A gust to the ${gust.side < 0 ? "left" : "right"} began at step ${gust.step}; nobody sees it.` : "";
  return `Step ${step}: ${[truth, ...shown].join(told.length > 1 ? "; " : ", ")}.${ends.join("")}${blew}`;
}
