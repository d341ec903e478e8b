// Says which shape each of the curves in its argument has, as the sketch's page judges them: { name: heights }.

import { shapeOf } from "../../latent_dynamics/showing/widgets/sketch/sketch.js";

const curves = JSON.parse(globalThis["Deno"].args[0]);
console.log(JSON.stringify(Object.values(curves).map((heights) => shapeOf(heights, 8))));
