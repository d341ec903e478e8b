// The chain of models/linear_chain.py in the page, for one sequence of readings: names and formulas are the same there.

const sum = (values) => values.reduce((all, value) => all + value, 0);
const logNormal = (miss, variance) => -((miss * miss) / variance + Math.log(2 * Math.PI * variance)) / 2;

/** E KL(N(c + k z, s2) || N(d + b z, u2)) over z of this mean and variance. */
function kl(c, k, s2, mean, spread, d, b, u2) {
  const apart = (c - d + (k - b) * mean) ** 2 + (k - b) ** 2 * spread;
  return ((apart + s2) / u2 - 1 - Math.log(s2 / u2)) / 2;
}

/** Means and variances of a walk's latents: [{ mean, spread }, ...]. */
export function moments({ c, k, s2 }) {
  let [mean, spread] = [0, 0];
  return c.map((_, t) => {
    mean = c[t] + k[t] * mean;
    spread = k[t] ** 2 * spread + s2[t];
    return { mean, spread };
  });
}

export function chainOf({ a, Q, R, P }) {
  const step = (t) => (t ? Q : P);
  const slope = (t) => (t ? a : 0);
  const carry = (J) => a / (1 + Q * J);

  /** The readings that standard normal noise makes, [[of the step, of the reading], ...]. */
  function fromNoise(noise) {
    let z = 0;
    return noise.map(([w, v], t) => {
      z = a * z + Math.sqrt(step(t)) * w;
      return z + Math.sqrt(R) * v;
    });
  }

  /** Predicted means and variances, and ln p(o_t | o_{<t}). */
  function kalman(o) {
    let [mean, spread] = [0, P];
    return o.map((seen) => {
      const expected = spread + R;
      const now = { mean, spread, log: logNormal(seen - mean, expected) };
      mean = a * (mean + (spread / expected) * (seen - mean));
      spread = (a * a * spread * R) / expected + Q;
      return now;
    });
  }

  /** ln p(o_{t:T} | z_t) = eta z - J z^2 / 2 + n, from the last step backwards. */
  function parabolas(o) {
    const found = [];
    for (const seen of o.toReversed()) {
      let [eta, J, n] = [seen / R, 1 / R, logNormal(seen, R)];
      if (found.length) {
        const next = found[0];
        const shrink = 1 + Q * next.J;
        eta += (a * next.eta) / shrink;
        J += (a * a * next.J) / shrink;
        n += next.n - Math.log(shrink) / 2 + (Q * next.eta ** 2) / (2 * shrink);
      }
      found.unshift({ eta, J, n });
    }
    return found;
  }

  /** p(z_t | z_{t-1}, o_{t:T}) = N(c + k z_{t-1}, s2). */
  function posterior(o) {
    const told = parabolas(o);
    const s2 = told.map(({ J }, t) => 1 / (1 / step(t) + J));
    return { c: told.map(({ eta }, t) => eta * s2[t]), k: s2.map((one, t) => (slope(t) * one) / step(t)), s2 };
  }

  /** The q of a family that leaves the least of ln p(o). */
  function best(family, o) {
    const exact = posterior(o);
    if (family === "smoothing") return exact;
    if (family === "filtering") {
      const told = parabolas(o);
      const ahead = kalman(o);
      const expected = o.map((seen, t) => seen / R + (t + 1 < o.length ? carry(told[t + 1].J) * told[t + 1].J * ahead[t + 1].mean : 0));
      return { ...exact, c: expected.map((eta, t) => eta * exact.s2[t]) };
    }
    const precision = o.map((_, t) => 1 / step(t) + 1 / R + (t + 1 < o.length ? (a * a) / Q : 0));
    return { c: moments(exact).map(({ mean }) => mean), k: o.map(() => 0), s2: precision.map((one) => 1 / one) };
  }

  /** Where ln p(o) goes, at each step, in nats: { fit, kl, gap, left }, and the whole of it by Kalman's filter. */
  function ledger(q, o) {
    const told = parabolas(o);
    const exact = posterior(o);
    const after = moments(q);
    const steps = o.map((seen, t) => {
      const before = t ? after[t - 1] : { mean: 0, spread: 0 };
      const from = [q.c[t], q.k[t], q.s2[t], before.mean, before.spread];
      const { mean, spread } = after[t];
      return {
        fit: logNormal(seen - mean, R) - spread / (2 * R),
        kl: kl(...from, 0, slope(t), step(t)),
        gap: kl(...from, exact.c[t], exact.k[t], exact.s2[t]),
        left: t + 1 < o.length ? ahead(told[t + 1], mean, spread) : 0,
      };
    });
    return { steps, whole: sum(kalman(o).map(({ log }) => log)) };
  }

  /** E ln p(o_{t+1:T} | z_t) for z_t of this mean and variance, of the parabola of step t + 1. */
  function ahead({ eta, J, n }, mean, spread) {
    const shrink = 1 + Q * J;
    return n - Math.log(shrink) / 2 + ((Q * eta * eta) / 2 + a * mean * eta - (J * a * a * (mean * mean + spread)) / 2) / shrink;
  }

  /** What the best filtering q leaves of ln p(o) at each step, on average over readings. */
  function priceOfFiltering(count) {
    const o = Array(count).fill(0);
    const [told, filtered, { s2 }] = [parabolas(o), kalman(o), posterior(o)];
    return o.map((_, t) => {
      if (t + 1 === count) return 0;
      const { J } = told[t + 1];
      return (s2[t] / 2) * carry(J) ** 2 * (J + J * J * filtered[t + 1].spread);
    });
  }

  return { fromNoise, posterior, best, ledger, priceOfFiltering };
}
