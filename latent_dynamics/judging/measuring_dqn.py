"""How much of the world a learner without a model needs: DQN from pixels (Mnih et al. 2015), by stable-baselines3.

It is no part of the ladder: it needs a library that nothing else here needs.
"""

import gymnasium as gym
import numpy as np

from ..world.preprocessing import View, preprocess

UNTIL = (1000, 3000, 5000, 10_000)  # real steps
GAMES, LAST_GAMES, SEED = 10, 40, 20_000  # that judge it then, and after the last of them
VIEW = View(height=80, width=100)  # the same crop; its network wants more than 36 rows
STACKED = 4  # frames that it sees at once
SETTINGS = {  # the library's own, but for what in so few steps would never happen: its target is renewed after 10,000
    "learning_starts": 500, "learning_rate": 5e-4, "target_update_interval": 500, "exploration_fraction": 0.3,
}  # fmt: skip


class Pictures(gym.ObservationWrapper):
    """CartPole whose observation is what it draws: (80, 100, 1) uint8."""

    def __init__(self, environment):
        super().__init__(environment)
        self.observation_space = gym.spaces.Box(0, 255, (*VIEW.shape, 1), np.uint8)

    def observation(self, _):
        return np.round(255 * preprocess(self.env.render(), VIEW)[..., None]).astype(np.uint8)


def learn(seed, until=UNTIL):
    """Train DQN for as many real steps, and play after each of `until`: [{"steps", "real": returns}, ...]."""
    try:
        from stable_baselines3 import DQN
        from stable_baselines3.common.callbacks import BaseCallback
        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.evaluation import evaluate_policy
        from stable_baselines3.common.vec_env import VecFrameStack
    except ImportError as reason:
        raise ImportError("DQN is measured with stable-baselines3: pip install -e '.[study]'") from reason

    def world(seed):
        made = make_vec_env(lambda: Pictures(gym.make("CartPole-v1", render_mode="rgb_array")), seed=seed)
        return VecFrameStack(made, STACKED)

    class Plays(BaseCallback):
        def _on_step(self):
            if self.num_timesteps in until:
                games = LAST_GAMES if self.num_timesteps == until[-1] else GAMES
                returns, _ = evaluate_policy(
                    self.model, world(SEED), games, deterministic=True, return_episode_rewards=True
                )
                found.append({"steps": self.num_timesteps, "real": [int(one) for one in returns]})
            return True

    found = []
    learner = DQN("CnnPolicy", world(seed), buffer_size=until[-1], seed=seed, device="cpu", **SETTINGS)
    learner.learn(until[-1], callback=Plays())
    return found
