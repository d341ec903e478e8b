// A duel whose page lends its games to a test, as `window.gameOf(rule, player, steps)`.

import { makeWorld } from "../../latent_dynamics/showing/page/world.js";
import { makeGame, readPlayers, render as renderDuel } from "../../latent_dynamics/showing/widgets/duel/duel.js";

async function render({ model, el }) {
  const world = makeWorld(model.get("world"));
  const players = await readPlayers(model, world);
  const gameOf = (rule, player, steps) => {
    const [, , weight] = model.get("rules").find(([name]) => name === rule);
    const game = makeGame(world, model.get("states")[model.get("start")], players[player](rule), weight);
    return Array.from({ length: steps + 1 }, (_, n) => game.at(n))
      .map(({ state, right, step, fallen }) => ({ state: [...state], right, step, fallen }));
  };
  Object.assign(window, { gameOf });
  return renderDuel({ model, el });
}

export default { render };
