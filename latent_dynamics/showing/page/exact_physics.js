// Exact physics from the frames seen: references.ExactPhysics, in the page. The simulator, started from the state that best
// explains what the reader of angles finds.

const PRIOR = [0, 1, 0, 1 / 1.5]; // a wide belief about both velocities before anything has moved

/** What [x, theta] tell in standard deviations of the reader's error. */
const weighed = (x, theta, error) => [x / error[0], theta / error[1]];

/** What would be read if the world began in a state, and how far this state is from the belief before: one list. */
function explain(world, first, actions, seen) {
  const states = [first];
  for (const action of actions) states.push(world.step(states.at(-1), action));
  const read = seen.flatMap(({ after, error }) => weighed(states[after][0], states[after][2], error));
  return [...read, ...PRIOR.map((weight, i) => weight * first[i])];
}

/** How the explanation changes with each of the first state's four numbers: four lists, by central differences. */
function slopesOf(world, first, actions, seen) {
  const reach = 1e-5;
  const moved = (i, by) => explain(world, first.map((value, j) => value + (i === j ? by : 0)), actions, seen);
  return first.map((_, i) => {
    const [up, down] = [moved(i, reach), moved(i, -reach)];
    return up.map((value, n) => (value - down[n]) / (2 * reach));
  });
}

/** Solves a positive definite system, rows [A | b], by elimination. */
function solve(rows) {
  for (let i = 0; i < rows.length; i++) {
    const own = rows[i].map((value) => value / rows[i][i]);
    rows = rows.map((row, j) => (i === j ? own : row.map((value, k) => value - row[i] * own[k])));
  }
  return rows.map((row) => row.at(-1));
}

/**
 * Fits the last state to what was read, [{ after, x, theta, valid, error }, ...] where `after` counts the pushes since the
 * first of them. What is not valid tells nothing. Gauss-Newton, as in references.fit_state.
 */
export function fitState(world, readings, actions, rounds = 3) {
  const seen = readings.filter(({ valid }) => valid);
  const target = [...seen.flatMap(({ x, theta, error }) => weighed(x, theta, error)), 0, 0, 0, 0];
  const dot = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
  let first = [readings[0].x, 0, readings[0].valid ? readings[0].theta : 0, 0]; // a pole that nobody saw may stand
  for (let round = 0; seen.length && round < rounds; round++) {
    const explained = explain(world, first, actions, seen);
    const miss = target.map((value, n) => value - explained[n]);
    const slopes = slopesOf(world, first, actions, seen);
    const change = solve(slopes.map((a) => [...slopes.map((b) => dot(a, b)), dot(a, miss)]));
    first = first.map((value, i) => value + change[i]);
  }
  return actions.reduce((state, action) => world.step(state, action), Float64Array.from(first));
}
