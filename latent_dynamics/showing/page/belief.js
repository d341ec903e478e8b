// What a fan of samples says, and what it is worth: judging/belief.py's, in the page. Angles are in degrees.

export const LIMIT = 12; // at which an episode ends
const LOST = 2 * LIMIT; // how wrong a sample without a pole is

/** Holds angles where they first pass the limit: a fallen pole stays fallen. */
export function held(thetas) {
  const first = thetas.findIndex((theta) => Math.abs(theta) >= LIMIT);
  return thetas.map((theta, n) => (first >= 0 && n >= first ? Math.sign(thetas[first]) * LIMIT : theta));
}

/** The continuous ranked probability score of samples against what happened; a sample without a pole is as wrong as can be. */
export function crps(samples, happened) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const off = mean(samples.map((sample) => mean(happened.map((theta) => {
    const apart = Math.abs(sample - theta);
    return Number.isNaN(apart) ? LOST : apart;
  }))));
  const count = samples.length;
  if (count === 1) return off;
  const ordered = samples.map((value) => (Number.isNaN(value) ? LIMIT : value)).sort((a, b) => a - b);
  const between = ordered.reduce((sum, value, i) => sum + (2 * i - count + 1) * value, 0) * 2 / (count * (count - 1));
  return off - between / 2;
}

/** The values below which these shares of some numbers lie, between neighbours in proportion: as torch.quantile. */
export function quantiles(values, shares) {
  const ordered = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return shares.map((share) => {
    const at = share * (ordered.length - 1);
    const low = Math.floor(at);
    return ordered.length ? ordered[low] + (at - low) * (ordered[Math.min(low + 1, ordered.length - 1)] - ordered[low]) : NaN;
  });
}

/** The share of what happened that lies in a band. */
export const coverage = (happened, [low, high]) => happened.filter((theta) => theta >= low && theta <= high).length / happened.length;

/** Mean and standard deviation of numbers. */
export function spreadOf(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1)) };
}
