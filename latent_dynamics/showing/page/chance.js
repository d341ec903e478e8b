// Chance that comes the same on every page and in the package: numbers are not drawn one after another, but looked up.

/** The n-th number of a stream, between 0 and 1; streams have seeds (a hash: Wellons' lowbias32, twice). */
export function uniform(seed, n) {
  let x = Math.imul(n, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  for (let round = 0; round < 2; round++) {
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
  }
  return ((x >>> 0) + 0.5) / 2 ** 32;
}

/** The n-th standard normal number of a stream (Box & Muller). */
const normalAt = (seed, n) => Math.sqrt(-2 * Math.log(uniform(seed, 2 * n))) * Math.cos(2 * Math.PI * uniform(seed, 2 * n + 1));

/** `count` standard normal numbers of a stream, from the n-th on. */
export const normals = (seed, n, count) => Float32Array.from({ length: count }, (_, i) => normalAt(seed, n + i));

/** What a world asks when it leaves a step to chance, for one of `count` futures: a function that gives two numbers, one by one. */
export function diceOf(seed, step, future = 0, count = 1) {
  let place = 2 * (step * count + future);
  return () => uniform(seed, place++);
}
