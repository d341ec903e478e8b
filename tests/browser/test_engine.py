"""The page's engine against PyTorch: the same functions, the same rounded weights, the same numbers."""

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from IPython.display import HTML
from torch import nn
from widget_page import page_of

from latent_dynamics.keeping.artifacts import LADDER, UNCERTAIN, load_episodes, load_model
from latent_dynamics.models.stepwise import OneStepAtATime
from latent_dynamics.models.world_model import WorldModel
from latent_dynamics.showing.page.base import BookWidget
from latent_dynamics.showing.page.bundle import bundle
from latent_dynamics.showing.page.page_model import FUNCTIONS, PageModel, exported, rounded
from latent_dynamics.showing.page.trace import CannotBeExported
from latent_dynamics.showing.page.uncertain import extra_functions, has_surprise, noise_sizes


class Calculator(BookWidget):
    """Hands a page's functions to a test, as `window.model`."""

    _esm = bundle(Path(__file__).with_name("calculator.js"))
    reference = traitlets.Unicode().tag(sync=True)

    def __init__(self, page):
        super().__init__(page.model_id.encode(), reference=f"IPY_MODEL_{page.model_id}")

    def still(self):
        return HTML("")


MANY = """([name, times, columns]) => {  // numbers come and go as text: as JSON they take longest
    const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
    const read = columns.map((column) => (typeof column === "string" ? floats(column) : column));
    const part = (column, n) => column.slice(n * column.length / times, (n + 1) * column.length / times);
    const found = Array.from({ length: times }, (_, n) => Array.from(
        window.model[name](...read.map((column) => (Array.isArray(column) ? column[n] : part(column, n))))));
    const bytes = new Uint8Array(Float32Array.from(found.flat()).buffer);
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def packed(values):
    return base64.b64encode(values.float().numpy().tobytes()).decode()


@pytest.fixture
def calculator(browser, tmp_path):
    """A function that opens a model in the page and returns a function to call it with: call(name, *inputs)."""
    pages = []

    def open_model(model):
        exported_model = PageModel.of(model)
        assert not exported_model.in_kernel, exported_model.why_in_kernel
        file = tmp_path / "page.html"
        file.write_text(page_of(Calculator(exported_model)), encoding="utf8")
        page = browser.new_page()
        pages.append(page)
        page.goto(file.as_uri())
        page.wait_for_function("window.model")

        def call(name, *inputs):
            return many(name, [inputs])[0]

        def many(name, asked):
            """Call a function once for each of `asked`, tuples of inputs: (times, numbers)."""
            columns = [
                packed(torch.stack([value.flatten() for value in column])) if column[0].is_floating_point()
                else [int(value) for value in column]
                for column in (list(map(torch.as_tensor, column)) for column in zip(*asked, strict=True))
            ]  # fmt: skip
            found = base64.b64decode(page.evaluate(MANY, [name, len(asked), columns]))
            return torch.from_numpy(np.frombuffer(found, np.float32).copy()).unflatten(0, (len(asked), -1))

        call.page, call.many = page, many
        return call

    yield open_model
    for page in pages:
        page.close()


class Everything(WorldModel):
    """A model of layers that later chapters need: strided and transposed convolutions, a GRU, splits, normal noise."""

    state_size = 12

    def __init__(self, noisy=False):
        super().__init__()
        self.noisy = noisy
        self.eyes = nn.Sequential(
            nn.Conv2d(1, 3, 4, 2, 1), nn.SiLU(), nn.Conv2d(3, 2, (3, 5), (2, 3)), nn.ELU(), nn.Flatten()
        )
        self.squeeze = nn.Linear(2 * 7 * 16, 6)
        self.memory = nn.GRUCell(8, 12)
        self.spread = nn.Linear(12, 24)
        self.draw = nn.Sequential(nn.Linear(12, 2 * 8 * 25), nn.Tanh())
        self.paint = nn.ConvTranspose2d(2, 1, 4, 4)

    def see(self, frames):
        return torch.sigmoid(self.squeeze(self.eyes(frames[:, None])))

    def begin(self, code):
        return True * torch.cat([code, -code.square()], 1)  # a truth value counts as a number

    def update(self, belief, action, code):
        return 0.5 * self.step(belief, action) + self.begin(code.exp() / 3).clamp(min=-1)

    def step(self, belief, action):
        push = nn.functional.one_hot(action, 2).float()
        belief = self.memory(torch.cat([belief[:, 2:8], push], 1), belief)
        mean, spread = self.spread(belief).chunk(2, -1)
        noise = torch.randn_like(mean) if self.noisy else 0.1
        return mean + nn.functional.softplus(spread) * noise

    def decode(self, states):
        return self.paint(self.draw(states).reshape(-1, 2, 8, 25))[:, 0].sigmoid()


@torch.no_grad()
def compare(call, model, frames, actions):
    """The largest difference of each function along real frames, per step from the same inputs."""
    asked, answers = ({name: [] for name in FUNCTIONS} for _ in range(2))

    def here(name, *inputs):
        found = getattr(model, name)(*inputs)
        asked[name].append(inputs)
        answers[name].append(found.flatten())
        return found

    belief = here("begin", here("see", frames[:1]))
    for frame, action in zip(frames[1:], actions, strict=True):
        here("step", belief, action[None])
        belief = here("update", belief, action[None], here("see", frame[None]))
        here("decode", belief)
    return {name: float((call.many(name, asked[name]) - torch.stack(answers[name])).abs().max()) for name in FUNCTIONS}


def film(steps):
    """Frames and actions of the longest recorded test episode, from the package's own data."""
    test = load_episodes("mixed", "test")
    longest = int(np.argmax(test.lengths))
    first, first_step = test.first_frames[longest], test.first_steps[longest]
    steps = min(steps, int(test.lengths[longest]))
    frames = torch.from_numpy(test.frames[first : first + steps + 1] / np.float32(255))
    return frames, torch.from_numpy(test.actions[first_step : first_step + steps])


@pytest.mark.parametrize("name", LADDER)
def test_every_rung_computes_in_the_page_what_it_computes_in_pytorch(calculator, name):
    model = load_model(name)
    off = compare(calculator(model), rounded(model), *film(200))
    assert max(off.values()) <= 1e-4, off


@pytest.mark.parametrize("name", LADDER)
def test_a_dream_of_30_steps_in_the_page_is_the_dream_of_pytorch(calculator, name):
    model = load_model(name)
    call, same = calculator(model), rounded(model)
    frames, actions = film(30)
    with torch.no_grad():
        belief = there = same.begin(same.see(frames[:1]))
        for action in actions:
            belief, there = same.step(belief, action[None]), call("step", there, int(action))
    assert float((belief[0] - there).abs().max()) <= 1e-3


def test_layers_of_later_chapters_compute_the_same(calculator):
    torch.manual_seed(0)
    model = Everything().eval()
    off = compare(calculator(model), rounded(model), *film(20))
    assert max(off.values()) <= 1e-5, off


def test_noise_is_standard_normal(calculator):
    call = calculator(Everything(noisy=True).eval())
    drawn = np.array(call.page.evaluate("Array.from({ length: 20000 }, noise)"))
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03
    assert abs((drawn**4).mean() - 3) < 0.3
    steps = [call("step", torch.zeros(12), 1) for _ in range(2)]
    assert not torch.equal(*steps)


class Choosy(Everything):
    """Sums, means, extremes and choices, along one dimension, several, and all."""

    def begin(self, code):
        centred = code - code.mean(1, keepdim=True)
        bounded = torch.maximum(torch.minimum(centred, 0.5 * code), -code)
        chosen = torch.where(centred > 0, code, bounded)
        size = (0.1 + centred.abs().sum(-1, keepdim=True)).reciprocal() * (1 + code.square().sum()).rsqrt()
        return torch.cat([chosen, size * centred.sign()], 1)

    def decode(self, states):
        frames = super().decode(states)
        signs = torch.where(states[:, :3] >= 0.1, 1.0, -0.5) + (states[:, 3:6] < 0) * 0.1 + (states[:, :3] <= 0.2) * 0.2
        never = (states[:, :1] == 7).float() + (states[:, :1] != states[:, :1]).float()
        return frames * frames.mean((1, 2), keepdim=True) + signs.mean() + never[..., None]


def test_sums_and_choices_compute_the_same(calculator):
    torch.manual_seed(0)
    model = Choosy().eval()
    off = compare(calculator(model), rounded(model), *film(20))
    assert max(off.values()) <= 1e-5, off


class Mixed(Everything):
    """Chances and their logarithms, the likeliest and the largest, products of matrices, layers brought to a norm."""

    def __init__(self):
        super().__init__()
        self.norm, self.plain = nn.LayerNorm(6), nn.LayerNorm((2, 3), elementwise_affine=False)
        nn.init.normal_(self.norm.weight)
        self.register_buffer("ways", torch.tensor([[0, 2, 5], [3, 1, 4]]))

    def begin(self, code):
        chance, logs = code.softmax(1), (4 * code).log_softmax(-1)
        places = torch.stack([chance.argmax(1), code.argmin(1)], 1)  # (1, 2)
        top, where = code.unflatten(1, (2, 3)).max(2)  # (1, 2), (1, 2)
        told = [self.norm(code), self.plain(code.unflatten(1, (2, 3))).flatten(1), top, logs.amin((0, 1))[None, None]]
        told += [(50 * logs).logsumexp(1, keepdim=True), places.float(), where.float(), code.amax(1, keepdim=True)]
        told += [torch.special.ndtr(code), torch.erf(code - 0.5), code.log1p(), code.expm1(), code.cumsum(1)]
        told = torch.cat(told, 1)
        return torch.cat([told[:, ::6][:, :6], told[:, 3::6][:, :6]], 1) + told.sum(1, keepdim=True) / 100

    def update(self, belief, action, code):
        table = belief.unflatten(1, (6, 2))  # (1, 6, 2)
        picked = table[:, self.ways]  # (1, 2, 3, 2)
        rows, which = torch.arange(1), table[..., 0].argmax(1)
        one = (picked @ picked.mT @ picked).flatten(1)  # (1, 12)
        spread = torch.diag_embed(belief[:, :3]) @ torch.ones(3, 4)  # (1, 3, 4)
        near = belief.gather(1, self.ways.flatten()[None].repeat(1, 2))
        dark = ((belief > 0) & ~(belief > 0.3)) | (belief < -0.5)
        both = one.clamp(-1, 1) + spread.flatten(1) + near / 2 + dark.long() / 3 + table[rows, which].repeat(1, 6)
        return both.tanh()


def test_chances_extremes_products_and_norms_compute_the_same(calculator):
    torch.manual_seed(0)
    model = Mixed().eval()
    off = compare(calculator(model), rounded(model), *film(20))
    assert max(off.values()) <= 1e-5, off


@torch.no_grad()
def along_a_film(model, steps=20):
    """Every function of a model that doubts, asked along real frames: {name: [inputs, ...]}."""
    frames, actions = film(steps)
    asked = {name: [] for name in (*FUNCTIONS, "scatter", "sample_step", "pose", "surprise")}
    if not has_surprise(model):
        del asked["surprise"]
    generator = torch.Generator().manual_seed(0)
    asked["begin"].append((model.see(frames[:1]),))
    belief = model.begin(*asked["begin"][0])
    for frame, action in zip(frames[1:], actions[:, None], strict=True):
        asked["see"].append((frame[None],))
        code = model.see(frame[None])
        kept, stepped = (torch.randn(1, size, generator=generator) for size in noise_sizes(model))
        for name, inputs in {
            "update": (belief, action, code), "step": (belief, action), "surprise": (belief, action, code),
            "scatter": (belief, kept), "sample_step": (belief, action, stepped),
        }.items():  # fmt: skip
            if name in asked:
                asked[name].append(inputs)
        belief = model.update(belief, action, code)
        asked["decode"].append((belief,))
        asked["pose"].append((belief,))
    return asked


@torch.no_grad()
@pytest.mark.parametrize("name", UNCERTAIN)
def test_the_same_noise_gives_the_same_sample_in_the_page_and_in_pytorch(calculator, name):
    """And all else that a page asks of a model that doubts is the same there, to the last digits of float32."""
    model = load_model(name)
    call, same = calculator(model), rounded(model)
    asked = along_a_film(same)
    inputs = (asked[part][0][-1] for part in ("pose", "scatter", "begin"))
    belief, _, code = inputs
    extras = extra_functions(same, belief, asked["step"][0][1], code)
    call.page.evaluate("names => window.more(names)", list(extras))
    for part, inputs in asked.items():
        here = extras[part][0] if part in extras else getattr(same, part)
        wanted = torch.stack([here(*one).flatten() for one in inputs])
        off = (call.many(part, inputs) - wanted).abs() / wanted.abs().clamp(min=1)
        most = 1e-4 if name == "unseen_causes" else 1e-5  # it adds up twenty-seven histories
        assert float(off.max()) <= most, (part, float(off.max()))
    noisy = torch.stack([model.sample_step(*one)[0] for one in asked["sample_step"]])
    calm = torch.stack([model.step(*one)[0] for one in asked["step"]])
    assert float((noisy - calm).abs().max()) > 0.01, "noise makes a difference"


class Branching(Everything):
    def step(self, belief, action):
        return belief * 2 if belief.sum() > 0 else belief - 1


class Unknown(Everything):
    def decode(self, states):
        return torch.cumprod(states, 1)


class Flat(Everything):
    def decode(self, states):
        return super().decode(states) + states.argmax()


class Deaf(Everything):
    def begin(self, code):
        return torch.zeros(1, 12)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branching, "which way to go"),
        (Unknown, "no operation 'cumprod'"),
        (Flat, "'argmax' along one dimension only"),
        (Deaf, "does not depend on what it is given"),
    ],
)
def test_what_the_page_cannot_do_is_named(model, message):
    with pytest.raises(CannotBeExported, match=message):
        exported(model())
    assert message in PageModel.of(model()).why_in_kernel


def test_models_that_share_an_encoder_share_its_weights():
    one, two = Everything(), Everything()
    two.load_state_dict(one.state_dict())
    two.paint.weight.data += 1
    names = [{name: part["weights"] for name, part in exported(model).items()} for model in (one, two)]
    assert names[0]["see"] == names[1]["see"]
    assert names[0]["decode"] != names[1]["decode"]


def test_a_model_of_the_plain_interface_alone_is_driven_step_by_step():
    model = load_model("autoencoder_mlp")
    frames, actions = film(14)
    driven = OneStepAtATime(model)
    with torch.no_grad():
        belief = driven.begin(driven.see(frames[:1]))
        for frame, action in zip(frames[1:], actions, strict=True):
            belief = driven.update(belief, action[None], driven.see(frame[None]))
        assert torch.allclose(
            driven.decode(belief), model.decode(model.observe(frames[None], actions[None])), atol=1e-5
        )
        dreamt = driven.step(belief, actions[:1])
        assert torch.allclose(dreamt[:, :8], model.imagine(belief[:, :8], actions[None, :1])[:, 0], atol=1e-5)
