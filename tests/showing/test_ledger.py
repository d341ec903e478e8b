"""The ledger's Python side: it closes for everything that a reader can choose, and refuses what isn't offered."""

import itertools
import re

import numpy as np
import pytest

from latent_dynamics.models.linear_chain import FAMILIES
from latent_dynamics.showing.widgets.ledger.ledger import SLOPES, VARIANCES, Ledger


def test_it_closes_for_all_that_can_be_chosen():
    ledger = Ledger()
    for a, Q, R, family, sequence in itertools.product(SLOPES, VARIANCES[::3], VARIANCES[::3], FAMILIES, range(4)):
        ledger.a, ledger.Q, ledger.R, ledger.family, ledger.sequence = a, Q, R, family, sequence
        found = ledger.account()
        assert abs((found["fit"] - found["kl"] + found["gap"]).sum() - found["whole"]) < 1e-12
        assert found["gap"].min() > -1e-12 and (found["fit"] < 0).all()  # so bars stand on bars


def test_it_opens_where_the_gap_can_be_seen():
    found = Ledger().account()
    assert found["gap"].sum() > 0.5 and found["gap"].argmax() < len(found["gap"]) - 1
    assert found["gap"][-1] == pytest.approx(0, abs=1e-12)  # nothing comes after the last reading


def test_each_family_has_its_way_to_leave_nothing():
    assert np.abs(Ledger(family="smoothing").account()["gap"]).max() < 1e-12
    assert np.abs(Ledger(family="mean-field", a=0.0).account()["gap"]).max() < 1e-12
    assert np.abs(Ledger(family="filtering", a=0.0).account()["gap"]).max() < 1e-12
    assert Ledger(family="mean-field").account()["gap"].sum() > 0.05  # control


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"a": 0.5}, "a is 0.5; expected one of 0.0, 0.2"),
        ({"Q": 0.0}, "Q is 0.0; expected one of"),
        ({"family": "best"}, "family is best; expected one of mean-field, filtering, smoothing"),
        ({"sequence": 4}, "sequence is 4; expected one of 0, 1, 2, 3"),
        ({"steps": 1}, "4 sequences of 1 steps; expected at least 1 of at least 2"),
    ],
)
def test_what_is_not_offered_is_named(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Ledger(**settings)


def test_still_picture_has_its_figures_in_words():
    ledger = Ledger()
    found = ledger.account()
    words = re.search(r'alt="([^"]*)"', ledger.still().data)[1]
    assert f"{found['whole']:.2f} nats, the ELBO {(found['fit'] - found['kl']).sum():.2f}" in words
