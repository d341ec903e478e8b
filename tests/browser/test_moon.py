"""A second world in the page: collected, judged, played and dreamt of, with a hidden entry in its state."""

import numpy as np
import torch
from moon import MOON
from open_widgets import opener

from latent_dynamics import drift
from latent_dynamics.data.collection import collect
from latent_dynamics.judging.references import ExactPhysics, RepeatLastFrame
from latent_dynamics.showing.widgets import Dream, RolloutPlayer
from latent_dynamics.world.reader import degrees


def test_a_pole_on_the_moon_is_played_and_dreamt_of(browser, tmp_path):
    episodes = collect("mixed", 300, workers=1, world=MOON)
    numbers = np.flatnonzero(episodes.lengths > 30)[:2]
    windows = drift.intervened_windows(episodes[numbers], context=10, horizon=15, stride=15)
    models = {"exact physics": ExactPhysics(world=MOON), "nothing moves": RepeatLastFrame()}
    assert np.isfinite(drift.judge(models["exact physics"], windows).median()).all()
    player = RolloutPlayer.of(models, windows[:2], physics=True)
    dream = Dream.of({"nothing moves": models["nothing moves"]}, episodes, numbers, opening=12)
    with opener(browser, tmp_path) as open_page:
        page = open_page(player, dream)
        assert page.locator(".ld-rollout").count() == page.locator(".ld-dream").count() == 1
        page.wait_for_function("document.querySelector('.ld-dream .ld-say').textContent.includes('Step 12')")
        said = page.locator(".ld-dream .ld-say").inner_text()
    state, pushes = torch.tensor([dream.starts[0]["state"]]), torch.tensor([dream.starts[0]["actions"]])
    state = MOON.simulate(state.double(), pushes)[:, -1]
    for _ in range(12):
        state = MOON.step(state, torch.as_tensor(MOON.expert(state)))
    theta = float(degrees(MOON.entry(state, "theta")))
    told = f"reality {theta:.1f} degrees".replace("-", "\u2212")
    assert told in said and abs(theta) < 12, "the page's reality is the Moon's, wind and all"
