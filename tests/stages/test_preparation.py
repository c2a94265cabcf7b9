"""What settings and corpus make of a training: seen where training begins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ConfigError
from interestrec.stages import finetune, pretrain_adapt
from interestrec.stages.run import RunContext
from interestrec.training import finetuning, preparation
from interestrec.training.preparation import TrainingSetup
from tests.stages.learning import shop, workspace

pytestmark = pytest.mark.slow


class _PreparedError(Exception):
    """Ends a training at its start."""

    def __init__(self, setup: TrainingSetup) -> None:
        self.setup = setup


def prepared(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> TrainingSetup:
    """The setup that `finetune` trains with."""
    pretrain_adapt.run(context)

    def end(*inputs: object) -> TrainingSetup:
        raise _PreparedError(preparation.prepare(*inputs))

    monkeypatch.setattr(finetuning, "prepare", end)
    with pytest.raises(_PreparedError) as caught:
        finetune.run(context)
    return caught.value.setup


def test_impressions_are_learned_by_their_positions_if_the_settings_say_so(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = workspace(tmp_path, tiny_encoder, finetune={"positions": True})
    setup = prepared(context, monkeypatch)
    batch = setup.batches(setup.examples.train)[0]
    first = batch.position[0]
    np.testing.assert_array_equal(first[first > 0], np.arange(1, (first > 0).sum() + 1))
    assert setup.most_negatives == 64  # each is compared with every event


def test_a_shop_is_learned_from_relevant_events_by_its_whole_catalogue(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = prepared(shop(tmp_path, tiny_encoder, pretrain_adapt={"steps": 0}), monkeypatch)
    batch = setup.batches(setup.examples.train)[0]
    own = batch.present[:, : batch.candidates.shape[1]]
    labels = batch.labels[:, : batch.candidates.shape[1]]
    assert ((labels > 0) & (labels < 0.5)).any()  # views are known and not present, purchases are
    assert own.any() and (labels[own] >= 0.5).all()
    assert not batch.position.any()
    assert setup.most_negatives == 4096
    assert replace(setup, popularity=np.full(5000, 1 / 5000)).most_negatives == 1024
    liked = setup.frozen_vectors[setup.popularity > 0]
    mean = (liked / np.linalg.norm(liked, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(setup.model.fused_items.centre.numpy(), mean, atol=1e-6)


def test_positions_of_a_log_without_lists_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    context = shop(tmp_path, tiny_encoder, pretrain_adapt={"steps": 0}, finetune={"positions": True})
    pretrain_adapt.run(context)
    with pytest.raises(ConfigError, match="no impression of train shows several items"):
        finetune.run(context)
