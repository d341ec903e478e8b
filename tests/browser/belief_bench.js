// Hands to a test, as globals, what the page knows of beliefs and of chance, and a step of live surprise.

import { coverage, crps, held, quantiles, spreadOf } from "../../latent_dynamics/showing/page/belief.js";
import { diceOf, normals, uniform } from "../../latent_dynamics/showing/page/chance.js";
import { pageModel } from "../../latent_dynamics/showing/page/engine.js";
import { makeWorld } from "../../latent_dynamics/showing/page/world.js";
import { believeStep, newGame, playStep } from "../../latent_dynamics/showing/widgets/surprise/surprise_try.js";

Object.assign(window, {
  believeStep, coverage, crps, diceOf, held, makeWorld, newGame, normals, pageModel, playStep, quantiles, spreadOf, uniform,
});
