"""The whole catalogue on a device of TensorFlow, beside NumPy; the device is the CPU here."""

import numpy as np
import pytest

from interestrec.model import device_catalogue as module
from interestrec.model.catalogue_logits import CatalogueLogits
from interestrec.model.device_catalogue import DeviceCatalogue
from tests.model.test_two_tower_arrays import MOMENTS, VARIANTS, made

CPU = "CPU:0"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cells", [1, 1 << 24])
def test_logits_of_order_are_those_of_numpy(variant: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CELLS", cells)  # 1: one item a block
    _, arrays, _, histories = made(**VARIANTS[variant])
    expected = CatalogueLogits(arrays).order(histories, MOMENTS)
    found = DeviceCatalogue(arrays, CPU).order(histories, MOMENTS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5 + 1e-6 * np.abs(expected).max())


def test_other_moments_give_other_logits() -> None:
    _, arrays, _, histories = made()
    catalogue = DeviceCatalogue(arrays, CPU)
    first = catalogue.order(histories, MOMENTS)
    other = MOMENTS[::-1].copy()
    assert np.abs(catalogue.order(histories, other) - first).max() > 1e-3
    np.testing.assert_array_equal(catalogue.order(histories, MOMENTS), first)


@pytest.mark.parametrize(("precision", "relative"), [("bfloat16", 2**-6), ("float16", 2**-9)])
def test_a_lower_precision_is_near(precision: str, relative: float) -> None:
    for variant in ("history", "user", "deep"):
        _, arrays, _, histories = made(**VARIANTS[variant])
        expected = CatalogueLogits(arrays).order(histories, MOMENTS)
        found = DeviceCatalogue(arrays, CPU, precision).order(histories, MOMENTS)
        apart = np.abs(found - expected).max() / np.abs(expected).max()
        assert 0 < apart < relative
