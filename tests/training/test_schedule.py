"""How learning rates go, by hand."""

import numpy as np
import pytest

from interestrec.training.schedule import DECAYS, rate_share


@pytest.mark.parametrize(
    ("decay", "expected"),
    # After a warm-up of a fifth: at its middle and end, then after 1/4, 1/2 and all of the rest.
    [
        ("linear", [0.5, 1.0, 0.75, 0.5, 0.0]),
        ("cosine", [0.5, 1.0, (1 + 0.5**0.5) / 2, 0.5, 0.0]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_shares_by_hand(decay: str, expected: list[float]) -> None:
    found = [rate_share(DECAYS[decay], 0.2, done) for done in (0.1, 0.2, 0.4, 0.6, 1.0)]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decay", DECAYS)
def test_without_a_warm_up_it_starts_at_the_peak(decay: str) -> None:
    assert rate_share(DECAYS[decay], 0.0, 1e-9) == pytest.approx(1.0)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("warm_up", [0.0, 0.1, 0.9])
def test_it_rises_then_never_rises_again_and_stays_within_0_and_1(decay: str, warm_up: float) -> None:
    done = (np.arange(1000) + 0.5) / 1000
    shares = np.array([rate_share(DECAYS[decay], warm_up, float(d)) for d in done])
    assert (shares >= 0).all()
    assert (shares <= 1).all()
    slope = np.diff(shares)
    assert (slope[done[1:] < warm_up] > 0).all()
    assert (slope[done[:-1] > warm_up] <= 0).all()
