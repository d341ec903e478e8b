// Hands the ledger's chain to a test, as `window.account`.

import { chainOf } from "../../latent_dynamics/showing/widgets/ledger/chain.js";

/** What the package's `account` returns, for one choice. */
function account({ a, Q, R, P, family, noise }) {
  const chain = chainOf({ a, Q, R, P });
  const o = chain.fromNoise(noise);
  const { steps, whole } = chain.ledger(chain.best(family, o), o);
  const columns = Object.fromEntries(["fit", "kl", "gap", "left"].map((name) => [name, steps.map((one) => one[name])]));
  return { ...columns, whole, price: chain.priceOfFiltering(o.length).reduce((all, value) => all + value, 0) };
}

Object.assign(window, { account });
