// Hands the world's functions to a test, as globals.

import { fitState } from "../../latent_dynamics/showing/page/exact_physics.js";
import { makeScene, makeWorld, paintGrey, unitFrame } from "../../latent_dynamics/showing/page/world.js";
import { element } from "../../latent_dynamics/showing/page/common.js";
import { poleOutline } from "../../latent_dynamics/showing/widgets/compare.js";

Object.assign(window, { cartpole: makeWorld(), element, fitState, makeScene, makeWorld, paintGrey, poleOutline, unitFrame });
