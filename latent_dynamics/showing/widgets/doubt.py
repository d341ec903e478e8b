"""What the widgets have in common that show what a model holds possible: models, starts in a gusty world, samples."""

import traitlets as t

from ..page.base import BookWidget, within
from ..page.page_model import PageModel
from ..page.uncertain import noise_sizes
from .start_states import checked_contexts


class Doubt(BookWidget):
    """A widget of models that doubt. A subclass says in `asks` what its page asks of them beside the usual."""

    asks = ("scatter", "sample_step", "pose")

    title = t.Unicode().tag(sync=True)
    models = t.List(t.Unicode(), help="the page's models").tag(sync=True)
    names = t.List(t.Unicode(), help="and what the list calls them").tag(sync=True)
    noise = t.List(help="of how many numbers each makes a sample: [of a belief, of a step]").tag(sync=True)
    starts = t.List(help="[{states, actions}, ...]").tag(sync=True)
    labels = t.List(t.Unicode()).tag(sync=True)
    world = t.Dict(help="what the page's world has other than CartPole, see world.js").tag(sync=True)
    samples = t.Int(help="of what a model holds possible").tag(sync=True)
    seed = t.Int(help="of the chance").tag(sync=True)
    model = t.Int(0, help="model shown, from 0").tag(sync=True)
    start = t.Int(0, help="start shown, from 0").tag(sync=True)

    def opened(self, models, states, actions, labels, samples, seed, title, world):
        """Keep what it shows, and return its traits; raises ValueError for what does not fit together.

        models: {name: world model}; states (B, K + 1, S) and actions (B, K): what was seen before each start, in
        `world`, where gusts blow; labels: names of the starts, or None.
        """
        if not models:
            raise ValueError("there is no model to doubt; give {name: world model}")
        if not world.page.get("gusts"):
            raise ValueError(f"no gusts blow in the world {world.name!r}; take one where they do, such as gusty.GUSTY")
        if samples < 2:
            raise ValueError(f"{samples} samples; at least 2 are needed to see how far they spread")
        starts = checked_contexts(states, actions, world)
        labels = [f"number {n + 1}" for n in range(len(starts))] if labels is None else list(map(str, labels))
        if len(labels) != len(starts):
            raise ValueError(f"{len(labels)} labels for {len(starts)} starts; give one for each")
        self.world_models, self._true = dict(models), world
        self.page_models = [PageModel.of(model, name).needs(*self.asks) for name, model in models.items()]
        return {
            "title": title,
            "models": [f"IPY_MODEL_{page.model_id}" for page in self.page_models],
            "names": list(models),
            "noise": [list(noise_sizes(model)) for model in models.values()],
            "starts": starts,
            "labels": labels,
            "world": dict(world.page),
            "samples": samples,
            "seed": seed,
        }

    @t.validate("model", "start")
    def _check_shown(self, proposal):
        several = self.starts if proposal["trait"].name == "start" else self.names
        return within(proposal, 0, len(several) - 1)
