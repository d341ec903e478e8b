// All plans at once: a tree of imagined states that forks at each decision, and how its leaves vote.

import { inDegrees } from "../../page/words.js";

const ROWS = 64; // that `ahead` moves at a time
const EXTRA = 3; // what it says beside a state: x, theta, and a logit of going on

const logSigmoid = (logit) => (logit < 0 ? logit - Math.log1p(Math.exp(logit)) : -Math.log1p(Math.exp(-logit)));

/** Moves rows of states, each by its own push: [{ state, x, theta, lives }], where `lives` is ln of the chance to go on. */
function moved(ahead, rows, pushes) {
  const size = rows[0].length;
  const inputs = new Float32Array(ROWS * size);
  const actions = new Float32Array(ROWS);
  rows.forEach((row, i) => { inputs.set(row, i * size); actions[i] = pushes[i]; });
  const all = ahead(inputs, actions);
  const wide = size + EXTRA;
  return rows.map((_, i) => {
    const own = all.subarray(i * wide, (i + 1) * wide);
    return { state: own.subarray(0, size), x: own[size], theta: own[size + 1], lives: logSigmoid(own[size + 2]) };
  });
}

/**
 * Every plan of so many decisions, each held for so many steps, dreamt from a belief: { levels, leaves, right }. A level has two
 * branches for each of the one before, [{ parent, push, path: [[x, theta], ...], worth }]; leaves vote by e to their worth, and
 * `best` is the likeliest of those that begin as the vote says.
 */
export function growTree(ahead, belief, decisions, held) {
  const levels = [];
  let tips = [{ state: belief, worth: 0 }];
  for (let level = 0; level < decisions; level++) {
    const branches = tips.flatMap((tip, parent) => [0, 1].map((push) => ({ parent, push, path: [], state: tip.state, worth: tip.worth })));
    for (let n = 0; n < held; n++) {
      const next = moved(ahead, branches.map(({ state }) => state), branches.map(({ push }) => push));
      next.forEach(({ state, x, theta, lives }, i) => {
        branches[i].state = state;
        branches[i].worth += lives;
        branches[i].path.push([x, theta]);
      });
    }
    levels.push(branches);
    tips = branches;
  }
  const leaves = levels.at(-1);
  const likeliest = (from, to) => leaves.reduce((best, { worth }, i) => (i >= from && i < to && !(worth <= leaves[best]?.worth) ? i : best), -1);
  const top = leaves[likeliest(0, leaves.length)].worth;
  const weights = leaves.map(({ worth }) => Math.exp(worth - top));
  const half = leaves.length / 2; // the first decision is the slowest to change
  const share = (some) => some.reduce((sum, weight) => sum + weight, 0);
  const right = share(weights.slice(half)) / share(weights);
  return { levels, leaves, right, best: right > 0.5 ? likeliest(half, leaves.length) : likeliest(0, half) };
}

/** The branches from the root to a leaf: their numbers, level by level. */
export function lineage({ levels }, leaf) {
  const found = [leaf];
  for (let level = levels.length - 1; level > 0; level--) found.unshift(levels[level][found[0]].parent);
  return found;
}

/** The survival of the likeliest leaf behind each branch: numbers in [0, 1], level by level. */
export function hopes({ levels }) {
  const found = levels.map((branches) => branches.map(() => 0));
  levels.at(-1).forEach(({ worth }, i) => { found.at(-1)[i] = Math.exp(worth); });
  for (let level = levels.length - 1; level > 0; level--) {
    levels[level].forEach(({ parent }, i) => { found[level - 1][parent] = Math.max(found[level - 1][parent], found[level][i]); });
  }
  return found;
}

const sideOf = (push) => (push ? "right" : "left");

/** What a tree says, in words. */
export function treeInWords(tree, held, step, state, world, over) {
  const { leaves, levels, right } = tree;
  const truth = `Step ${step}: the pole leans ${Math.abs(inDegrees(world.pose(state).theta)).toFixed(1)}\u00b0 to the ${sideOf(world.pose(state).theta > 0)}.`;
  if (over) return `${truth} The game is over: start again.`;
  const alive = leaves.filter(({ worth }) => worth > Math.log(0.5)).length;
  const share = Math.round(100 * Math.max(right, 1 - right));
  const hope = alive ? `${alive} of ${leaves.length} plans` : `None of ${leaves.length} plans`;
  return `${truth} ${hope} of ${levels.length * held} steps ${alive === 1 ? "survives" : "survive"} in the dream; ${share} % of the votes are for a push to the ${sideOf(right > 0.5)}.`;
}
