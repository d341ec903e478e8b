// Hands a dream's steps to a test, as globals.

import { pageModel } from "../../latent_dynamics/showing/page/engine.js";
import { makeWorld } from "../../latent_dynamics/showing/page/world.js";
import { dreamStep, newTry, pushWorld } from "../../latent_dynamics/showing/widgets/dream/dream_try.js";

Object.assign(window, { dreamStep, makeWorld, newTry, pageModel, pushWorld });
