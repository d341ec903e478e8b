"""`python -m latent_dynamics play`: real games from rendered frames, by any rung, with a film of what it believes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from tqdm import tqdm

from ..acting import controllers
from ..acting.actor_training import by_evolution
from ..acting.dreamt_games import where_dreams_begin
from ..acting.planning import Planner
from ..acting.real_games import Acting, Dreamer, Planning, Sighted, make, play
from ..keeping.artifacts import load_episodes, load_model
from ..models.stepwise import defines
from ..world import gusty  # noqa: F401  (makes its world known)
from ..world.worlds import world_called

WIDTH = 300  # pixels of a film's picture


def main(rung, act, world, games, seed, film=None):
    """Play `games` games and print each return, their mean and its 95 % interval; returns them: (games,).

    act: "plan" by the rung's dreams, be an "actor" evolved in them, "clone" an expert on its beliefs, or, without
    looking at a frame, be the "expert" itself or a "coin". film: the GIF to write the first game to. Raises
    ValueError for a name that does not exist.
    """
    if games < 1:
        raise ValueError(f"asked for {games} games; ask for at least 1")
    if film and (not Path(film).suffix == ".gif" or not Path(film).absolute().parent.is_dir()):
        raise ValueError(f"no film can be written to {film}; expected a name that ends in .gif, in a folder there is")
    true = world_called(world)
    player, environment, returns = player_of(rung, act, true, seed), make(true), []
    pictures = [] if film else None
    with tqdm(range(games), desc=f"{rung}, {act}", unit=" games") as shown:
        for game in shown:
            watch = (lambda *seen: pictures.append(together(*seen))) if film and game == 0 else None
            returns.append(play(player, environment, seed + game, true.time_limit, watch))
            shown.write(f"game {game + 1}, seed {seed + game}: {returns[-1]:.0f}")
    environment.close()
    mean, low, high = controllers.mean_interval(returns)
    print(f"mean return {mean:.1f} of {games} games in {world}, 95 % interval {low:.1f} to {high:.1f}")
    if film:
        pictures[0].save(film, save_all=True, append_images=pictures[1:], duration=40, loop=0)
        print(f"the first game: {film}")
    return np.array(returns)


def player_of(rung, act, world, seed):
    """Make the player: of a rung's name and how it acts."""
    model = load_model(rung)  # even for those who need none: its name may be wrong
    if act == "coin":
        chance = np.random.default_rng(seed)
        return Sighted(lambda state: chance.integers(2))
    if act == "expert":
        return Sighted(lambda state: world.expert(torch.from_numpy(state)))
    if act in ("plan", "actor") and not defines(model, "outcome"):
        what = "plan" if act == "plan" else "dream of games"
        raise ValueError(
            f"{rung} cannot {what}: it does not say whether an episode goes on; most rungs do, such as rssm"
        )
    if act == "plan":
        chancy = bool(world.hidden)
        samples = 8 if chancy and getattr(model, "stochastic", False) else None
        return Planning(model, Planner(model, decisions=4 if chancy else 6, samples=samples, seed=seed))
    if act == "actor":
        return Acting(model, evolved(model, seed))
    data = "gusty" if world.hidden else "mixed"
    splits = [load_episodes(data, split)[:200] for split in ("train", "validation")]
    controller, _ = controllers.clone_on_belief(model, world.expert, *splits, seed=0)
    return Dreamer(model, lambda belief: controller.act(belief)[0])


def evolved(model, seed=0):
    """Evolve an actor in a model's dreams, which begin where its training games have been."""
    doubts = getattr(model, "stochastic", False)
    episodes = load_episodes("gusty" if doubts else "mixed", "train")[:300]
    return by_evolution(model, where_dreams_begin(model, episodes), temperature=float(doubts), seed=seed)[0]


def together(picture, player):
    """Lay reality beside what is believed of it and, where it plans, where the plan leads: an Image."""
    rows = [("reality", Image.fromarray(picture).crop((0, 160, 600, 320)))]
    if isinstance(player, Dreamer):
        rows.append(("believed", _grey(player.model.decode(player.belief)[0].numpy())))
    if isinstance(player, Planning):
        rows.append((f"planned, {player.planner.decisions * player.planner.held} steps on", _grey(player.planned())))
    height = WIDTH * 160 // 600
    film = Image.new("RGB", (WIDTH, (height + 16) * len(rows)), "white")
    pen = ImageDraw.Draw(film)
    for n, (name, image) in enumerate(rows):
        pen.text((4, n * (height + 16) + 2), name, fill="black")
        film.paste(image.convert("RGB").resize((WIDTH, height)), (0, n * (height + 16) + 16))
    return film


def _grey(frame):
    return Image.fromarray((255 * frame).round().astype(np.uint8))
