"""Words of items: the effects are complete, and belong to the words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.answering.word_effects import COMPLETE_WITHIN, WordEffects, word_effects
from interestrec.core.errors import ConfigError, DataError
from interestrec.io import schemas
from interestrec.model.encoders import load_encoder
from interestrec.scorers.model_opening import open_model
from interestrec.scorers.requests import Requests
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scorers.word_logits import text_network
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import Tokenizer, load_tokenizer
from tests.scorers.models import write_model
from tests.scoring.asking import requests

TEXTS = ["the red house", "markets fall", "", "red red markets", "the house of the market"]


class Setting:
    def __init__(self, encoder: Path, path: Path) -> None:
        self.encoder = load_encoder(encoder)
        self.tokenizer: Tokenizer = load_tokenizer(encoder)
        columns = [range(len(TEXTS)), self.tokenizer.encode(TEXTS), self.tokenizer.encode([""] * len(TEXTS))]
        features = pa.table(dict(zip(schemas.TEXT_FEATURES.names, columns, strict=True)))
        self.inputs: TextInputs = self.encoder.item_inputs(encoder, features, [("title", 16)])
        vectors = self.encoder.pooled(*self.inputs.padded(np.arange(len(TEXTS)), 24)).numpy()
        write_model(path, vectors, np.full((len(TEXTS), 2), -1, np.int32), 3)
        self.model: TwoTowerModel = open_model(path)
        self.network = text_network(path, self.encoder)
        self.asked: Requests = requests([1, 4], users=[0], days=[3, 5], at=[9.0])

    def effects(self, item: int) -> WordEffects:
        return word_effects([self.model], [self.network], self.tokenizer, self.inputs, self.asked, item)


@pytest.fixture(scope="module")
def setting(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tiny_encoder, tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("item", [0, 1, 3, 4])
def test_effects_are_complete_and_the_logit_is_the_models(setting: Setting, item: int) -> None:
    found = setting.effects(item)
    assert " ".join(word for word, _ in found.words) == TEXTS[item]
    logit = setting.model.candidate_order(setting.asked, np.array([0, 1]), np.array([item]))[0]
    assert found.logit == pytest.approx(logit, abs=1e-4)
    assert found.complete
    assert sum(effect for _, effect in found.words) == pytest.approx(
        found.logit - found.baseline_logit, rel=COMPLETE_WITHIN
    )


def test_two_models_are_explained_by_their_mean(setting: Setting) -> None:
    args = (setting.tokenizer, setting.inputs, setting.asked, 0)
    both = word_effects([setting.model] * 2, [setting.network] * 2, *args)
    alone = setting.effects(0)
    assert both.logit == pytest.approx(alone.logit)
    np.testing.assert_allclose([e for _, e in both.words], [e for _, e in alone.words], rtol=1e-6)


def test_what_has_no_words_is_refused(setting: Setting) -> None:
    with pytest.raises(DataError, match="no text"):
        setting.effects(2)


def test_users_that_are_texts_are_refused(setting: Setting) -> None:
    config = setting.model.model.config
    try:
        setting.model.model.config = replace(config, user_text="any")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="user_tower"):
            setting.effects(0)
    finally:
        setting.model.model.config = config


def test_effects_that_miss_a_part_of_the_change_say_so() -> None:
    assert not WordEffects([("a", 1.0)], 2.0, 1.0, 0.021).complete
    assert WordEffects([("a", 1.0)], 2.0, 1.0, 0.019).complete
