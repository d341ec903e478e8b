"""Makes our worlds known to Gymnasium by name, as soon as the package is imported."""

ENVIRONMENTS = {"GustyCartPole-v0": "gusty", "CurtainCartPole-v0": "curtain"}


def announce():
    """Register each world by name; its code is imported when one is made."""
    from gymnasium.envs.registration import register

    for name, world in ENVIRONMENTS.items():
        entry = "latent_dynamics.world.environments:WorldEnvironment"
        register(f"LatentDynamics/{name}", entry, kwargs={"world": world}, max_episode_steps=500)
