"""The ladder's figure and table, Python side: medians and ranges over seeds, what is missing, what is refused."""

import copy
import re

import numpy as np
import pytest
import traitlets
from ladders import RUNGS, curves, evaluation, ladder, read_by_two, references

from latent_dynamics.showing.widgets.ladder_figure.ladder_figure import (
    METRICS,
    LadderFigure,
    _looks,
    doubling_steps,
    ladder_table,
)
from latent_dynamics.world.worlds import CARTPOLE


@pytest.fixture
def figure():
    return LadderFigure(ladder(), references(), names={"autoencoder_mlp": "one frame"}, title="The ladder")


def test_it_opens_with_the_angle_error_of_every_rung_under_coin_tosses_at_step_15(figure):
    assert (figure.metric, figure.protocol, figure.step) == ("theta", "intervened", 15)
    assert figure.shown == list(RUNGS[:4]) and figure.horizon == 20


def test_a_curve_is_the_median_over_seeds_and_its_range(figure):
    seeds = [one["intervened"]["theta"][14] for one in ladder()["two_frame"].values()]
    assert np.allclose(figure.spread("two_frame"), [np.median(seeds), min(seeds), max(seeds)], rtol=1e-3)
    one = references()["exact physics"]["intervened"]["theta"][14]
    assert np.allclose(figure.spread("exact physics"), one, rtol=1e-3)


def test_a_seed_that_lost_the_pole_counts_as_the_worst_and_not_as_missing():
    rungs = ladder(1)
    for seed, value in enumerate((3.0, None, 1.0)):
        rungs["autoencoder_mlp"][seed]["intervened"]["theta"][9] = value
        rungs["autoencoder_mlp"][seed]["intervened"]["skill"][9] = None if value is None else 1 - value / 9
    figure = LadderFigure(rungs, step=10)
    assert figure.spread("autoencoder_mlp") == [3, 1, None]
    figure.metric = "skill"
    _, worst, best = figure.spread("autoencoder_mlp")
    assert worst is None and best == pytest.approx(0.889, abs=1e-3)


def test_a_seed_that_never_leaves_the_truth_counts_as_the_longest(figure):
    rungs = ladder(1)
    for seed, value in enumerate((30, None, None)):
        rungs["autoencoder_mlp"][seed]["replayed"]["steps_2"] = value
    figure = LadderFigure(rungs, metric="steps_2", protocol="replayed")
    assert figure.spread("autoencoder_mlp") == [None, 30, None]
    assert figure.dots[""]["replayed"]["steps_2"]["autoencoder_mlp"] == [30, None, None]


def test_what_no_rung_has_is_not_offered():
    rungs = ladder(2)
    for seeds in rungs.values():
        for one in seeds.values():
            one["return"] = None
            del one["replayed"]["pixels"], one["intervened"]["pixels"], one["cost"]["seconds"]
    assert set(METRICS) - {key for key, _ in LadderFigure(rungs).metrics} == {"return", "pixels", "seconds"}


def test_a_step_beyond_the_shorter_protocol_shows_its_last(figure):
    figure.step = 40
    assert figure.spread("two_frame")[0] == figure.values[""]["intervened"]["theta"]["two_frame"][0][19]
    figure.protocol = "replayed"
    assert figure.spread("two_frame")[0] == figure.values[""]["replayed"]["theta"]["two_frame"][0][39]


def test_errors_double_in_the_steps_that_physics_says(figure):
    assert figure.doubling == doubling_steps() == pytest.approx(np.log(2) / CARTPOLE.growth_rate(), abs=1e-3)
    assert LadderFigure(ladder(1), doubling=7).doubling == 7


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("metric", "beauty", "metric is 'beauty'; expected one of theta, x,"),
        ("protocol", "dreamt", "protocol is 'dreamt'; expected one of intervened, replayed"),
        ("shown", ["two_frame", "three_frame"], "shown names 'three_frame', which is not a rung; expected some of"),
        ("step", 51, "step is 51; expected a whole number from 1 to 50"),
        ("step", 0, "step is 0"),
    ],
)
def test_refuses_what_is_not_there_and_stays_as_it_was(figure, trait, value, message):
    before = getattr(figure, trait)
    with pytest.raises(ValueError, match=message):
        setattr(figure, trait, value)
    assert getattr(figure, trait) == before


def flat(numbers):
    return [one for part in numbers for one in (flat(part) if isinstance(part, list) else [part])]


def test_every_axis_holds_all_values_between_its_ends(figure):
    for protocol, _, _, _ in figure.protocols:
        for key, parts in figure.values[""][protocol].items():
            ticks = figure.axes[protocol][key]
            known = [value for value in flat([*parts.values()]) if value is not None]
            lowest = max(min(known), max(known) / 3000) if METRICS[key].log else max(min(known), -1)
            assert ticks == sorted(ticks) and ticks[0] <= lowest and max(known) <= ticks[-1], (protocol, key)
            assert 2 <= len(ticks) <= 12 and not (METRICS[key].log and ticks[0] <= 0), (protocol, key)


@pytest.mark.parametrize("scale", [1e-4, 1, 1e4])
def test_an_axis_is_found_for_small_and_large_errors(scale):
    rungs = ladder(2)
    for one in (one for seeds in rungs.values() for one in seeds.values()):
        one["intervened"]["pixels"] = [scale * value for value in one["intervened"]["pixels"]]
    ticks = LadderFigure(rungs).axes["intervened"]["pixels"]
    assert 0 < ticks[0] < ticks[-1] < 100 * ticks[0]


def test_shown_rungs_stand_in_the_ladders_order(figure):
    figure.shown = ["noise_robust", "autoencoder_mlp"]
    assert figure.shown == ["autoencoder_mlp", "noise_robust"]


def broken(change):
    rungs = ladder(2)
    change(rungs)
    return rungs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rungs": {}}, "rungs is empty; expected"),
        ({"rungs": {"a": {}}}, "rung 'a' has no seeds; expected"),
        ({"rungs": {"a": evaluation(1)}}, "rung 'a' is one evaluation; .* write {0: evaluation}"),
        ({"rungs": {"a": {0: 3}}}, "an evaluation of 'a' is a int; expected a dict"),
        ({"rungs": {"a": {0: {"replayed": curves(1, 50)}}}}, "'a' has no 'intervened' part"),
        ({"references": {"two_frame": evaluation(1)}}, "'two_frame' is a rung and a reference"),
        ({"names": {"three_frame": "x"}}, "names has 'three_frame', which is no rung"),
        ({"doubling": 0}, "doubling is 0; expected"),
        ({"metric": "pixel"}, "metric is 'pixel'"),
        (
            {"rungs": broken(lambda rungs: rungs["two_frame"][1]["intervened"]["x"].pop())},
            r"'two_frame' has 19 steps of x \(intervened\); expected 20",
        ),
        (
            {"rungs": broken(lambda rungs: rungs["two_frame"][1]["cost"].update(seconds="long"))},
            "seconds of 'two_frame' is 'long'; expected numbers",
        ),
        (
            {"rungs": broken(lambda rungs: rungs["two_frame"][1]["cost"].update(seconds=[1, 2]))},
            r"seconds of 'two_frame' has shape \(2,\); expected one number",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(arguments, message):
    with pytest.raises((ValueError, traitlets.TraitError), match=message):
        LadderFigure(**{"rungs": ladder(2)} | arguments)


def test_its_input_is_left_as_it_was():
    rungs, others = ladder(2), references()
    before = copy.deepcopy((rungs, others))
    LadderFigure(rungs, others)
    ladder_table(rungs, others)
    assert (rungs, others) == before


@pytest.mark.parametrize("metric", METRICS)
def test_still_picture_tells_every_shown_value_in_words(figure, metric):
    figure.metric = metric
    figure.shown = ["autoencoder_mlp", "two_frame"]
    html = figure.still().data
    alt = re.search(r'alt="([^"]*)"', html)[1]
    assert METRICS[metric].label in alt and "one frame" in alt and "multi_step" not in alt
    middle = figure.spread("two_frame")[0]
    spoken = float(re.search(r"two_frame ([\u2212\d.,]+)", alt)[1].replace("\u2212", "-").replace(",", ""))
    assert spoken == pytest.approx(middle, rel=0.02, abs=0.06)


def test_the_still_picture_is_always_the_same_bytes(figure):
    assert figure.still().data == figure.still().data


def test_the_table_has_a_row_for_each_rung_and_reference():
    header, rows = ladder_table(ladder(), references(), {"autoencoder_mlp": "one frame"})
    assert [row[0] for row in rows] == ["one frame", *RUNGS[1:4], *references()]
    assert {len(row) for row in rows} == {len(header)}
    row = dict(zip(header, rows[1]))
    seeds = [one["intervened"]["theta"][14] for one in ladder()["two_frame"].values()]
    wanted = f"{np.median(seeds):.2f}\u00b0 ({min(seeds):.2f}\u2013{max(seeds):.2f})"
    assert row["angle error at step 15, coin tosses"] == wanted
    steps = sorted(one["replayed"]["steps_2"] for one in ladder()["two_frame"].values())
    assert row["steps to 2 degrees, recorded actions"] == f"{steps[1]} ({steps[0]}\u2013{steps[2]}), 25 % censored"
    assert row["the same in doubling times"].startswith(f"{steps[1] / doubling_steps():.1f}".rstrip("0").rstrip("."))
    assert row["parameters"] == "83,000" and row["return of a controller"] == "96 (91\u2013101)"
    assert dict(zip(header, rows[-1]))["return of a controller"] == "\u2013"
    assert dict(zip(header, rows[0]))["angle error at step 20, coin tosses"] == "no pole"


def test_equal_content_gets_names_of_its_own():
    one, two = LadderFigure(ladder(1)), LadderFigure(ladder(1))
    assert one.model_id != two.model_id and repr(one) == "LadderFigure()"


def test_two_readers_judge_the_same_rungs():
    both = LadderFigure.of_readers(read_by_two(), names={"two_frame": "two frames"}, title="Whose eyes?")
    alone = LadderFigure(ladder(3), references())
    assert both.reader == "by the ink" and both.spread("two_frame") == alone.spread("two_frame")
    assert "read by the ink" in both.still().data
    both.reader = "by the closest picture"
    assert both.spread("two_frame")[0] == pytest.approx(alone.spread("two_frame")[0] + 0.5, abs=0.01)
    assert both.spread("exact physics") == alone.spread("exact physics")
    assert both.axes["intervened"]["theta"][-1] >= both.spread("autoencoder_mlp")[0]
    with pytest.raises(ValueError, match="reader is 'by hand'; expected one of by the ink, by the closest picture"):
        both.reader = "by hand"


def test_readers_of_different_rungs_are_refused():
    tables = read_by_two()
    tables["by the closest picture"][0].pop("two_frame")
    with pytest.raises(ValueError, match="'by the closest picture' judges .*; expected those of 'by the ink'"):
        LadderFigure.of_readers(tables)
    with pytest.raises(ValueError, match="tables is empty"):
        LadderFigure.of_readers({})


def test_an_interval_is_that_of_the_median_seed_and_is_only_there_where_it_is_given():
    rungs = ladder(2)
    for seed, one in rungs["two_frame"].items():
        one["intervened"]["theta_interval"] = [[0.1 * seed] * 20, [3.0 + seed] * 20]
    figure = LadderFigure(rungs, references())
    intervened = figure.intervals[""]["intervened"]
    assert intervened["theta"] == {"two_frame": [[0.1] * 20, [4.0] * 20]}
    assert figure.intervals[""]["replayed"]["steps_2"]["two_frame"] == [4, 9]
    assert figure.intervals[""]["replayed"]["return"]["two_frame"] == [66, 126]
    assert "x" not in intervened
    assert figure.axes["intervened"]["theta"][-1] >= 4, "the axis holds the interval too"


@pytest.mark.parametrize("count", [3, 10, 14])
def test_no_two_rungs_look_alike(count):
    rungs = {f"rung {n}": {0: evaluation(1 + n)} for n in range(count)}
    others = {f"reference {n}": evaluation(0.1 + n) for n in range(8)}
    figure = LadderFigure(rungs, others)
    looks = [_looks(figure, rung) for rung in rungs]
    assert len({(look["marker"], look.get("markerfacecolor")) for look in looks}) == count, "told apart without colours"
    assert figure.still().data.startswith("<noscript>") and len(ladder_table(rungs, others)[1]) == count + 8
