"""`python -m latent_dynamics bench`, done in a hurry: every figure is there, positive, and not absurd."""

import json
import os

import numpy as np
import pytest

import latent_dynamics.workshop.commands as command
from latent_dynamics import bench, page_bench, store

HURRY = bench.Effort(seconds=0.01, steps=50, horizon=3, batch=4, moves=3)


@pytest.fixture(scope="module")
def report(tmp_path_factory, untrained_model):
    """The report of a machine that has kept one model and built no book."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENT_DYNAMICS_CACHE", str(folder / "cache"))
        store.kept("bench-model", {"seed": 1}, lambda: ({"x": np.zeros(1)}, {}), "npz")
        store.kept("damaged", {}, lambda: ({"x": np.zeros(99)}, {}), "npz")
        (damaged,) = (path for path in store.files() if path.name.startswith("damaged"))
        damaged.write_bytes(damaged.read_bytes()[:-20])
        return bench.measure(untrained_model, folder, {"chapter": 2.0, "other": 3.0}, HURRY)


def test_every_figure_is_a_positive_number_or_says_why_there_is_none(report):
    for group, figures in report.items():
        assert figures, group
        for name, value in figures.items():
            if isinstance(value, str):
                assert group == "measured on" or name == "not measured"
            else:
                assert np.isfinite(value) and value >= 0, (group, name, value)
                assert value > 0 or group.startswith("seconds an artifact"), (group, name, value)  # rounded to 0.01


def test_the_figures_are_sane(report):
    collected = report["frames a second, collected"]
    assert len(collected) == 3 and all(value < 100_000 for value in collected.values())
    (rendered,) = report["environment steps a second, rendered"].values()
    dreamed, ratios = report["imagined steps a second"], report["imagined steps for one rendered step"]
    assert len(dreamed) == 4 and ratios == {name: speed / rendered for name, speed in dreamed.items()}
    one, one_drawn, many, many_drawn = dreamed.values()
    assert one > one_drawn and many > many_drawn  # drawing is work
    memory = report["MB of memory at the peak of this bench"]
    assert all(isinstance(peak, str) or 50 < peak < 20_000 for peak in memory.values())


def test_seconds_come_from_the_last_build_and_from_the_kept_files_that_can_be_read(report):
    assert report["seconds a chapter, when it was last executed"] == {"chapter": 2.0, "other": 3.0, "all": 5.0}
    assert list(report["seconds an artifact took, when it was made"]) == ["bench-model", "all"]


def test_two_artifacts_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENT_DYNAMICS_CACHE", str(tmp_path))
    for size in (1, 2):
        store.kept("bench-twice", {"size": size}, lambda: ({"x": np.zeros(1)}, {}), "safetensors")
    assert len(bench.artifact_costs()) == 2


def test_without_a_built_book_it_says_what_to_do(tmp_path):
    assert "make book" in page_bench.measure_pages(tmp_path, 1)["the built pages"]["not measured"]
    assert "make book" in bench.with_sum({}, "there is no built book: make book")["not measured"]


PLAYER = """<!doctype html><!-- rollout_player.RolloutPlayer --><div class="ld-rollout"><p aria-live="polite"></p>
<input type="range" aria-label="Step" min="1" max="9" value="1" oninput="requestAnimationFrame(
    () => { document.querySelector('p').textContent = `step ${this.value}: drawn` })"></div>
<img src="https://example.com/outside.png" alt=""><script>throw Error("on purpose")</script>"""


def test_pages_are_weighed_and_timed_and_their_trouble_is_counted(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.html").write_text(PLAYER)
    found = page_bench.measure_pages(tmp_path, moves=12)
    if "the built pages" in found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(found["the built pages"]["not measured"])
    assert 0.1 < found["KB of a page over the wire, gzip"]["page"] < 1
    assert found["trouble on all pages"] == {"requests to the outside": 1, "page errors": 1}
    middle, late = found["milliseconds from the player's slider to its frame"].values()
    assert 0 < middle <= late < 1000
    assert "no page has" in found["milliseconds of a dream's step, with decoding and reading"]["not measured"]


def test_our_scripts_are_small():
    sizes = bench.javascript(command.ROOT)
    assert {"rollout_player.js", "widget_loader.js"} < set(sizes)
    assert max(size for name, size in sizes.items() if name.endswith(".js")) < 10, "KB: no widget needs more of its own"
    assert 1 < sizes["all, sent together"] < 95, "KB, for a page of which there is none, with one widget of each kind"


def test_the_fastest_run_counts():
    assert bench.fastest(lambda: 7, seconds=0) > 1000


def test_it_is_printed_as_a_table_or_as_json(report, monkeypatch, capsys, untrained_model):
    monkeypatch.setattr(bench, "load_model", lambda: untrained_model)
    monkeypatch.setattr(bench, "measure", lambda *_: report)
    assert command.main(["bench"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for figures in report.values() for name in figures)
    assert command.main(["bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report
