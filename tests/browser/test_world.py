"""The true CartPole in the page against the package: the same physics, the same frames to the byte, the same readings,
and the same fit of the physics to what was read.

A widget that shows reality beside a dream is only honest if its reality is the one that the models were trained on.
"""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Error as PageError

from latent_dynamics import cartpole, curtain, gusty, reader, references
from latent_dynamics.showing.page.bundle import bundle, styles
from latent_dynamics.world.curtain import CURTAIN
from latent_dynamics.world.gusty import GUSTY
from latent_dynamics.world.preprocessing import from_bytes
from latent_dynamics.world.rendering import draw
from latent_dynamics.world.worlds import CARTPOLE

UNPACK = "text => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer"
PACK = """views => {
    const text = views.map((v) => String.fromCharCode(...new Uint8Array(v.buffer, v.byteOffset, v.byteLength)));
    return btoa(text.join(""));
}"""


@pytest.fixture(scope="module")
def page(browser):
    """A blank page with the world's functions in it."""
    page = browser.new_page()
    style = styles("page/common.css", "page/world.css")
    page.set_content(f'<style>{style}</style><div class="ld" style="width: 634px"></div>')
    page.add_script_tag(content=bundle(Path(__file__).with_name("world_bench.js")))
    page.evaluate(f"() => {{ window.unpack = {UNPACK}; window.pack = {PACK}; }}")
    yield page
    page.close()


def each(page, function, rows, dtype):
    """Call a function of the page with each row (M, n); return the arrays that it gives, one after another."""
    text = base64.b64encode(np.ascontiguousarray(rows)).decode()
    kind = {"f8": "Float64Array", "f4": "Float32Array"}[rows.dtype.str[1:]]
    script = f"""([text, length]) => {{
        const rows = new {kind}(unpack(text));
        const call = {function};
        const results = [];
        for (let i = 0; i < rows.length; i += length) results.push(call(rows.subarray(i, i + length)));
        return pack(results);
    }}"""
    answer = page.evaluate(script, [text, int(np.prod(rows.shape[1:]))])
    return np.frombuffer(base64.b64decode(answer), dtype).reshape(len(rows), -1)


def random_states(count, x, theta, seed=0):
    """Draw states (count, 4) with |x| and |theta| up to these limits."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, 4)) * [x, 3, theta, 3]


def pages_frames(page, states):
    """The page's model frames of states (M, 4): (M, 32, 100) uint8."""
    return each(page, "cartpole.draw", states, np.uint8).reshape(-1, 32, 100)


def test_each_of_200_steps_is_gymnasiums_own(page):
    env = cartpole.make().unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    states, actions, after = [], [], []
    for _ in range(200):  # an expert that errs now and then: it stays up, and swings
        states.append(np.array(env.state, dtype=np.float64))
        expert = cartpole.sign_theta_and_velocity(states[-1])
        actions.append(int(rng.integers(2) if rng.random() < 0.3 else expert))
        env.step(actions[-1])
        after.append(np.array(env.state, dtype=np.float64))
    rows = np.column_stack([states, actions])
    moved = each(page, "(row) => cartpole.step(row.subarray(0, 4), row[4])", rows, np.float64)
    assert np.abs(moved - after).max() <= 1e-14
    assert np.ptp(rows[:, 2]) > 0.05 and set(actions) == {0, 1}


def test_a_step_from_any_state_is_the_packages(page):
    states = random_states(1000, 3, 1.5)
    actions = np.arange(1000) % 2
    rows = np.column_stack([states, actions])
    moved = each(page, "(row) => cartpole.step(row.subarray(0, 4), row[4])", rows, np.float64)
    expected = cartpole.step(torch.from_numpy(states), torch.from_numpy(actions)).numpy()
    assert np.abs(moved - expected).max() <= 1e-14


def test_another_gravity_and_a_hidden_wind_move_the_world_as_they_should(page):
    """A pole on the Moon, and a wind that the state carries along behind what the mechanics need."""
    rng = np.random.default_rng(0)
    winds = rng.uniform(-5, 5, (300, 1))
    rows = np.column_stack([random_states(300, 2, 0.2), winds, np.arange(300) % 2])
    there = "makeWorld({ gravity: 1.62, wind: 4 })"
    moved = each(page, f"(row) => {there}.step(row.subarray(0, 5), row[5])", rows, np.float64)
    x, x_dot, theta, theta_dot = rows[:, :4].T
    force = np.where(rows[:, 5] == 1, cartpole.FORCE, -cartpole.FORCE) + winds[:, 0]
    pole, mass, half = cartpole.POLE_MASS * cartpole.HALF_POLE, cartpole.TOTAL_MASS, cartpole.HALF_POLE
    push = (force + pole * theta_dot**2 * np.sin(theta)) / mass
    turn = (1.62 * np.sin(theta) - np.cos(theta) * push) / (
        half * (4 / 3 - cartpole.POLE_MASS * np.cos(theta) ** 2 / mass)
    )
    change = np.column_stack([x_dot, push - pole * turn * np.cos(theta) / mass, theta_dot, turn, 0 * x])
    assert np.abs(moved - (rows[:, :5] + cartpole.TIME_STEP * change)).max() <= 1e-14
    calm = each(page, f"(row) => {there}.step(row.subarray(0, 4), row[5])", rows, np.float64)
    assert np.abs(calm - moved[:, :4])[:, 1].min() > 1e-6, "where the state has no wind there is none"


def test_gusts_begin_blow_and_end_as_in_the_package(page):
    """The same chances, drawn here, for both: some gusts begin, some go on, and without chance none begins."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, 3, 400)
    air = np.column_stack([rng.choice([-10.0, 0.0, 10.0], 400), left])
    chances = torch.rand(2, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chances[0, ::4] *= gusty.GUST_CHANCE  # in a quarter of the states one is due
    rows = np.column_stack([random_states(400, 2, 0.2), air, np.arange(400) % 2, chances.T.numpy()])
    states, actions = torch.from_numpy(rows[:, :6]), torch.from_numpy(rows[:, 6]).long()
    call = "(row) => makeWorld({ gusts: true }).step(row.subarray(0, 6), row[6], %s)"
    drawn = each(page, call % "((given) => () => given.shift())([row[7], row[8]])", rows, np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gusty.torch, "rand", lambda *size, **_: chances)
        expected = gusty.step(states, actions, torch.Generator()).numpy()
    assert np.abs(drawn - expected).max() <= 1e-14
    began = (expected[:, 5] == gusty.GUST_STEPS - 1) & (left == 0)
    assert 30 < began.sum() < 70 and (expected[began, 4] > 0).any() and (expected[began, 4] < 0).any()
    bare = each(page, "(row) => makeWorld({ gusts: true }).step(row.subarray(0, 4), row[6])", rows, np.float64)
    still = torch.cat([states[:, :4], torch.zeros(400, 2, dtype=torch.float64)], 1)
    assert np.abs(bare - gusty.step(still, actions).numpy()).max() <= 1e-14, "it says nothing of the air"
    calm = each(page, call % "null", rows, np.float64)
    assert np.abs(calm - gusty.step(states, actions).numpy()).max() <= 1e-14


def test_the_cloth_hides_the_same_pixels_and_is_read_as_in_the_package(page):
    there = f"makeWorld({json.dumps(CURTAIN.page)})"
    x, theta = np.meshgrid(np.linspace(-1.2, 1.2, 49), np.linspace(-0.2, 0.2, 5))
    states = np.column_stack([x.ravel(), 0 * x.ravel(), theta.ravel(), 0 * x.ravel(), 0 * x.ravel(), 0 * x.ravel()])
    frames = each(page, f"{there}.draw", states, np.uint8).reshape(-1, 32, 100)
    assert np.array_equal(frames, CURTAIN.draw(states, workers=1))
    bare = GUSTY.draw(states, workers=1)
    shown = from_bytes(np.concatenate([frames, bare]))
    expected = curtain.read_behind(shown)
    limits = json.dumps({name: list(pair) for name, pair in reader.limits().items()})
    call = f"""(frame) => {{
        const seen = {there}.read(frame, {limits});
        return Float64Array.of(seen.x, seen.theta, seen.valid ? 1 : 0, seen.hidden ? 1 : 0);
    }}"""
    found = each(page, call, shown.reshape(len(shown), -1), np.float64)
    valid = expected.valid.numpy()
    assert np.array_equal(found[:, 2] == 1, valid) and np.array_equal(found[:, 3] == 1, expected.hidden.numpy())
    for column, of in enumerate((expected.x, expected.theta)):
        assert np.abs(found[valid, column] - of.numpy()[valid]).max() < 1e-6
    assert 0.2 < expected.hidden[: len(frames)].double().mean() < 0.8 and not expected.hidden[len(frames) :].any()


def test_a_setting_that_the_page_does_not_know_is_refused(page):
    with pytest.raises(PageError, match='no setting "friction"; it has gravity, wind, gusts and curtain'):
        page.evaluate("() => { makeWorld({ friction: 1 }); }")


def test_falling_and_the_experts_push_are_the_packages(page):
    x, theta = cartpole.X_LIMIT, cartpole.THETA_LIMIT
    at_limits = [[s * (x + e), 0, 0, 0] for s in (1, -1) for e in (0, 1e-12)]
    at_limits += [[0, 0, s * (theta + e), 0] for s in (1, -1) for e in (0, 1e-12)]
    states = np.concatenate([random_states(500, 3, 0.3), at_limits, np.zeros((1, 4))])
    both = each(page, "(s) => Uint8Array.of(cartpole.fallen(s), cartpole.expert(s))", states, np.uint8)
    assert (both[:, 0] == cartpole.fallen(states)).all() and 0 < both[:, 0].mean() < 1
    assert (both[:, 1] == cartpole.sign_theta_and_velocity(states)).all()


@pytest.mark.parametrize(
    ("x", "theta"), [(2.4, 0.21), (2.7, 1.2)], ids=["states of an episode", "half off the screen, and falling"]
)
def test_a_drawn_frame_is_the_packages_to_the_byte(page, x, theta):
    states = random_states(500, x, theta)
    assert (pages_frames(page, states) == draw(states, workers=1)).all()


def test_a_frame_is_right_where_rounding_is_close(page):
    tiny = [0, 1e-9, 9e-7, 1.1e-6, 1e-4, 0.02]
    x = [0, 0.008, 0.5, 2.2, 2.4, 2.6]
    places = [(a * s, b * t) for a in x for s in (1, -1) for b in tiny for t in (1, -1)]
    states = np.array([[x, 0, theta, 0] for x, theta in places])
    assert (pages_frames(page, states) == draw(states, workers=1)).all()


def test_a_world_gone_mad_is_still_drawn(page):
    states = np.array([[0, 0, 3.0, 0], [50, 0, 0, 0], [-50, 0, 2, 0], [0, 0, -400, 0], [2.4, 0, 1.57, 0]])
    assert pages_frames(page, states).shape == (5, 32, 100)


def test_bytes_become_the_numbers_that_models_read(page):
    states = random_states(20, 2.4, 0.21)
    frames = each(page, "(s) => unitFrame(cartpole.draw(s))", states, np.float32)
    assert (frames.reshape(-1, 32, 100) == from_bytes(draw(states, workers=1))).all()


def mush(frames):
    """What bad dreams look like: frames (M, 32, 100) float32 blurred, faded, doubled, dark, noisy, and none at all."""
    noise = np.random.default_rng(0).normal(0, 0.05, frames.shape)
    blurred = sum(np.roll(frames, shift, -1) for shift in range(-2, 3)) / 5
    faded, dark = 1 - 0.4 * (1 - frames), 1 - np.minimum(1, 2.4 * (1 - frames))
    doubled, none = (frames + frames[::-1]) / 2, np.ones_like(frames[:2])
    wrong = [blurred, faded, dark, doubled, frames + noise, none]
    return np.concatenate(wrong).astype(np.float32)


def test_a_frame_is_read_as_the_package_reads_it(page, untrained_model):
    real = from_bytes(draw(random_states(60, 2.4, 0.3), workers=1))
    with torch.no_grad():
        haze = untrained_model.decode(torch.randn(20, untrained_model.state_size)).numpy()
    frames = np.concatenate([real, mush(real), haze])
    limits = str({name: list(pair) for name, pair in reader.limits().items()})
    numbers = "Float64Array.of(r.x, r.theta, r.valid, ...r.error)"
    function = f"(f) => {{ const r = cartpole.read(f, {limits}); return {numbers}; }}"
    x, theta, valid, *error = each(page, function, frames, np.float64).T
    expected = reader.read(frames)
    seen = expected.valid.numpy()
    assert (np.stack(error, -1)[seen] == reader.errors(expected).numpy()[seen]).all()
    assert {cut := reader.limits()["error_cut"][1]} < set(error[1][seen]), f"some are whole, and some are not: {cut}"
    assert (valid == expected.valid.numpy()).all() and 0.1 < valid.mean() < 0.9
    assert np.abs(x - expected.x.numpy()).max() <= 1e-9
    assert np.abs(theta - expected.theta.numpy()).max() <= 1e-9


@pytest.mark.parametrize("context", [0, 1, 4, 10, 25])
def test_exact_physics_is_fitted_as_the_package_fits_it(page, context):
    rng = np.random.default_rng(context)
    start = torch.from_numpy(random_states(60, 2, 0.1, seed=context) / [1, 2, 1, 2])
    actions = torch.from_numpy(cartpole.random_actions((60, context), rng))
    after = [CARTPOLE.simulate(start, actions)] if context else []
    states = torch.cat([start[:, None], *after], 1)[..., [0, 2]]
    error = torch.from_numpy(rng.choice([0.002, 0.004, np.inf], (60, context + 1, 1)) * [1.0, 1.5])  # inf: no pole
    x, theta = (states + torch.from_numpy(rng.normal(0, [0.0025, 0.0045], states.shape))).unbind(-1)
    function = f"""(row) => {{
        const part = (i) => [...row.subarray({context + 1} * i, {context + 1} * (i + 1))];
        const [x, theta, pushes, off] = [0, 1, 2, 3].map(part);
        const seen = x.map((_, n) => ({{
            after: n, x: x[n], theta: theta[n], valid: Number.isFinite(off[n]), error: [off[n], 1.5 * off[n]],
        }}));
        return fitState(cartpole, seen, pushes.slice(0, {context}));
    }}"""
    rows = torch.cat([x, theta, actions.double(), torch.zeros(60, 1).double(), error[..., 0]], 1).numpy()
    fitted = each(page, function, rows, np.float64)
    expected = references.fit_state(x, theta, actions, error).numpy()
    assert np.abs(fitted - expected).max() <= 1e-6


def test_what_was_not_seen_is_left_out_of_the_fit(page):
    """Frames 0, 7 and 20 of 20 noiseless steps are enough to know the last state."""
    start, actions = torch.tensor([[0.3, 0.1, 0.02, -0.2]]).double(), torch.tensor([[0, 1, 1, 0, 1, 0, 0, 1, 0, 1] * 2])
    states = torch.cat([start[:, None], CARTPOLE.simulate(start, actions)], 1)[0]
    sure = {"valid": True, "error": [0.0025, 0.0045]}
    seen = [{"after": n, "x": float(states[n, 0]), "theta": float(states[n, 2]), **sure} for n in (0, 7, 20)]
    fitted = page.evaluate("([seen, pushes]) => [...fitState(cartpole, seen, pushes)]", [seen, actions[0].tolist()])
    assert np.abs(np.array(fitted) - states[-1].numpy()).max() < 0.01


def test_bytes_and_fractions_paint_the_same_grey(page):
    painted = page.evaluate("""() => {
        const frame = cartpole.draw([0.3, 0, 0.1, 0]);
        return [frame, unitFrame(frame)].map((f) => {
            const context = element("canvas", { width: 100, height: 32 }).getContext("2d");
            paintGrey(context, f);
            return pack([context.getImageData(0, 0, 100, 32).data]);
        });
    }""")
    rgba = np.frombuffer(base64.b64decode(painted[0]), np.uint8).reshape(32, 100, 4)
    assert (rgba[..., :3] == draw(np.array([0.3, 0, 0.1, 0]), workers=1)[..., None]).all()
    assert (rgba[..., 3] == 255).all() and painted[0] == painted[1]


PLACES = """([x, theta, pushed]) => {
    const scene = makeScene("The true world");
    document.querySelector(".ld").replaceChildren(scene.node);
    scene.draw([x, 0, theta, 0], { pushed });
    const at = (name, x, y) => {
        const part = scene.node.querySelector(".ld-scene-" + name);
        const on = new DOMPoint(x, y).matrixTransform(part.getScreenCTM());
        const back = on.matrixTransform(scene.node.getScreenCTM().inverse());
        return [back.x, back.y];
    };
    const hidden = getComputedStyle(scene.node.querySelector(".ld-scene-push")).display === "none";
    const name = scene.node.getAttribute("aria-label");
    return { cart: at("cart", 0, 0), tip: at("pole", 0, -120), arrow: hidden ? null : at("push", 62, -8), name };
}"""


@pytest.mark.parametrize(("x", "theta"), [(0, 0), (1.2, 0.15), (-2.3, -0.2), (0.5, 1.0)])
def test_the_drawing_stands_where_the_true_world_stands(page, x, theta):
    seen = page.evaluate(PLACES, [x, theta, None])
    axle = 300 + cartpole.PIXELS_PER_METRE * x
    assert seen["cart"] == pytest.approx([axle, reader.AXLE_ROW], abs=1e-3)
    assert seen["tip"] == pytest.approx([axle + 120 * np.sin(theta), reader.AXLE_ROW - 120 * np.cos(theta)], abs=1e-3)
    assert seen["name"] == "The true world"


OUTLINE = """([x, theta]) => {
    const [scene, outline] = [makeScene("The true world"), poleOutline()];
    const over = element("div", { style: "position: relative" }, scene.node, outline.node);
    document.querySelector(".ld").replaceChildren(over);
    outline.node.style = "position: absolute; inset: 0; width: 100%; height: 100%";
    scene.draw([x, 0, theta, 0]);
    outline.place(x, theta);
    const places = [...over.querySelectorAll("rect")].map((rect) => { // on the screen
        const { left, right, top, bottom } = rect.getBoundingClientRect();
        return [left, right, top, bottom];
    });
    outline.place(NaN, 0);
    return { places, hidden: outline.node.style.display };
}"""


@pytest.mark.parametrize(("x", "theta"), [(0, 0), (1.2, 0.15), (-2.3, -0.2)])
def test_the_outline_lies_on_the_drawing(page, x, theta):
    found = page.evaluate(OUTLINE, [x, theta])
    cart, pole, outlined_cart, outlined_pole = found["places"]
    assert outlined_cart == pytest.approx(cart, abs=1.5)  # pixels: the drawing has a border
    assert outlined_pole == pytest.approx(pole, abs=1.5)
    assert found["hidden"] == "none", "no number, no outline"


def test_the_arrow_points_to_where_the_cart_was_pushed(page):
    left, right, none = (page.evaluate(PLACES, [0, 0, pushed])["arrow"] for pushed in (0, 1, None))
    assert left[0] < 300 < right[0] and none is None
