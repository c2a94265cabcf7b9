"""Objectives of texts alone: each lowers its loss on texts it has not seen, and goes on from where it was cut off."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import ConfigError, NumericError
from interestrec.model.bert import Bert
from interestrec.model.bert_tensors import export
from interestrec.model.contrastive import info_nce
from interestrec.model.noise import branch
from interestrec.pretraining.adaptation import AdaptationResult, Schedule, adapt
from interestrec.pretraining.contrastive_texts import ContrastiveTexts
from interestrec.pretraining.held_out_texts import HeldOutTexts
from interestrec.pretraining.masked_objective import MaskedObjectiveSettings, MaskedTokens
from interestrec.pretraining.passages import Passages
from interestrec.pretraining.text_objectives import OBJECTIVES
from interestrec.pretraining.text_task import TextTask
from interestrec.text.masking import IGNORED
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import load_tokenizer
from interestrec.training import device
from interestrec.training.execution import ExecutionSettings
from interestrec.training.training_checkpoint import CheckpointStore
from tests.kin import load_bert
from tests.training.cut_off import CutOff, PowerCut, fresh

pytestmark = pytest.mark.slow

CONTRASTS = ["views", "title_text"]


def of(rows: list[list[int]]) -> TextInputs:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return TextInputs(offsets, np.concatenate(rows).astype(np.int32), 0)


def passages(count: int, seed: int, sides: int) -> Passages:
    """Texts of three words; a second side says them the other way round, in words of its own."""
    words = np.random.default_rng(seed).integers(10, 30, (count, 3))
    titles = of([[2, *row, 3] for row in words.tolist()])
    bodies = of([[2, *row, 3] for row in (words[:, ::-1] + 20).tolist()])
    return Passages((titles, bodies)[:sides], 100 + np.arange(count))


def run(
    encoder: Path,
    name: str,
    steps: int = 40,
    rate: float = 3e-3,
    accumulate: int = 1,
    dropout: float = 0.1,
    checkpoints: CheckpointStore | None = None,
) -> tuple[AdaptationResult, dict[str, np.ndarray]]:
    device.prepare("cpu", None, 5)
    bert = load_bert(encoder, dropout)
    kind = OBJECTIVES[name]
    objective = kind.make(bert, load_tokenizer(encoder), kind.settings())
    sides = max(len(kind.sides), 1)
    adapted = adapt(
        objective,
        passages(200, 0, sides),
        passages(40, 1, sides),
        Schedule(steps, 16, rate, 0.01, seed=5),
        ExecutionSettings(tf.distribute.get_strategy(), accumulate),
        checkpoints or fresh(),
    )
    return adapted, export(bert)


@pytest.mark.parametrize("name", ["masked", *CONTRASTS])  # others need a decoder, or pictures
def test_the_held_out_loss_falls(tiny_encoder: Path, name: str) -> None:
    adapted, _ = run(tiny_encoder, name)
    assert adapted.after["loss"] < adapted.before["loss"]
    assert len(adapted.losses) == 40


@pytest.mark.parametrize("name", CONTRASTS)
def test_held_out_texts_are_told_apart_better_and_spread_further(tiny_encoder: Path, name: str) -> None:
    adapted, _ = run(tiny_encoder, name)
    before, after = adapted.before, adapted.after
    assert set(before) == set(after) == {"loss", "alignment", "uniformity"}
    assert after["loss"] < 0.8 * before["loss"]
    assert after["uniformity"] < before["uniformity"]
    assert before["alignment"] > 0  # the two views are not one
    if name == "title_text":
        assert after["alignment"] < before["alignment"]


def test_masked_tokens_report_perplexity_too(tiny_encoder: Path) -> None:
    adapted, _ = run(tiny_encoder, "masked", steps=2)
    for figures in (adapted.before, adapted.after):
        assert set(figures) == {"loss", "perplexity", "alignment", "uniformity"}
        assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]))


@pytest.mark.parametrize("name", CONTRASTS)
def test_a_contrast_goes_on_bit_by_bit(tiny_encoder: Path, tmp_path: Path, name: str) -> None:
    whole, weights = run(tiny_encoder, name, steps=16)
    for at in (1, 14):  # a pass has 13 steps
        with pytest.raises(PowerCut):
            run(tiny_encoder, name, steps=16, checkpoints=CutOff(tmp_path / str(at), at))
        adapted, resumed = run(tiny_encoder, name, steps=16, checkpoints=CheckpointStore(tmp_path / str(at), 1e9))
        assert adapted == whole
        for tensor, value in weights.items():
            np.testing.assert_array_equal(resumed[tensor], value)


def test_parts_of_a_batch_add_up_to_it(tiny_encoder: Path) -> None:
    whole, weights = run(tiny_encoder, "masked", steps=3, dropout=0.0)
    parts, summed = run(tiny_encoder, "masked", steps=3, dropout=0.0, accumulate=3)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)
    for tensor, value in weights.items():
        np.testing.assert_allclose(summed[tensor], value, atol=2e-3)


def test_negatives_are_those_of_a_part(tiny_encoder: Path) -> None:
    whole, _ = run(tiny_encoder, "title_text", steps=1)
    parts, _ = run(tiny_encoder, "title_text", steps=1, accumulate=4)
    assert parts.losses[0] < whole.losses[0] - 0.5  # four texts rather than sixteen


def test_a_loss_that_is_not_finite_names_step_and_items(tiny_encoder: Path) -> None:
    with pytest.raises(
        NumericError, match=r"not finite at step \d+, of the texts of items [12]\d\d, [12]\d\d, .*items\.parquet"
    ):
        run(tiny_encoder, "views", rate=1e30)


def loss(objective: TextTask, noise: Any, texts: Passages) -> float:
    batch = objective.batch(texts, np.arange(len(texts)), [0])
    totals, _ = objective.totals(*map(tf.constant, batch), noise=noise)
    return float(totals[objective.name] / objective.counts(*batch)[objective.name])


def test_views_are_two_branches_of_the_noise(tiny_encoder: Path) -> None:
    bert, texts, noise = load_bert(tiny_encoder), passages(12, 3, 1), tf.constant([4, 2])
    ids, mask = texts.padded(np.arange(12))
    first, second = (bert.pool(bert(ids, mask, branch(noise, n)), mask) for n in (0, 1))
    expected = float(np.mean(info_nce(first, second, 0.05)))
    assert loss(ContrastiveTexts("views", 1, bert, 0.05), noise, texts) == pytest.approx(expected, rel=1e-5)
    assert not np.allclose(first, second)
    assert loss(ContrastiveTexts("views", 1, bert, 0.5), noise, texts) != pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", CONTRASTS)
def test_held_out_views_have_dropout_and_sides_have_none(tiny_encoder: Path, name: str) -> None:
    bert, sides = load_bert(tiny_encoder), 1 + (name == "title_text")
    objective, texts = ContrastiveTexts(name, sides, bert, 0.05), passages(12, 3, sides)
    measured = HeldOutTexts(objective, texts, 12, seed=5)
    expected = loss(objective, tf.constant([5, 0]) if name == "views" else None, measured.passages)
    assert measured.measure()["loss"] == pytest.approx(expected, rel=1e-4)
    assert measured.measure() == measured.measure()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_pooled_as_asked(tiny_encoder: Path, pooling: str) -> None:
    bert, texts = load_bert(tiny_encoder, pooling=pooling), passages(12, 3, 2)
    title, title_mask, body, body_mask = texts.padded(np.arange(12))
    if pooling == "cls":
        first, second = bert(title, title_mask)[:, 0], bert(body, body_mask)[:, 0]
    else:
        first, second = (np.mean(bert(side, m)[:, :5], axis=1) for side, m in ((title, title_mask), (body, body_mask)))
    expected = float(np.mean(info_nce(first, second, 0.05)))
    assert loss(ContrastiveTexts("title_text", 2, bert, 0.05), None, texts) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("side", [0, 1])
def test_passages_with_a_text_in_common_are_no_negatives(tiny_encoder: Path, side: int) -> None:
    texts = passages(6, 3, 2)
    shared = texts.sides[side].select(np.zeros(6, int))
    sides = tuple(shared if n == side else other for n, other in enumerate(texts.sides))
    objective = ContrastiveTexts("title_text", 2, load_bert(tiny_encoder), 0.05)
    assert loss(objective, None, texts) > 0.1
    assert loss(objective, None, replace(texts, sides=sides)) == pytest.approx(0, abs=1e-6)


def masked(encoder: Path, bert: Bert, whole_words: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, labels and which tokens continue a word, of words that the tokenizer has only letters of."""
    tokenizer = load_tokenizer(encoder)
    words = ["xylem", "quiz", "storm", "zebra", "fjord"]
    rng = np.random.default_rng(0)
    rows = tokenizer.encode([" ".join(rng.choice(words, 6)) for _ in range(60)]).to_pylist()
    texts = Passages((of([[tokenizer.cls_id, *row, tokenizer.sep_id] for row in rows]),), np.arange(60))
    objective = MaskedTokens(bert, tokenizer, MaskedObjectiveSettings(mask_probability=0.3, whole_words=whole_words))
    _, _, labels = objective.batch(texts, np.arange(60), [1])
    ids, _ = texts.padded(np.arange(60))
    return ids, labels != IGNORED, tokenizer.continuation_mask()[ids]


def test_tokens_of_a_word_are_masked_together_where_asked(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    _, chosen, continues = masked(tiny_encoder, bert, whole_words=True)
    split = (chosen[:, 1:] != chosen[:, :-1])[continues[:, 1:]]
    assert continues.sum() > 200
    assert not split.any()
    assert 0.2 < chosen[continues].mean() < 0.4
    _, chosen, continues = masked(tiny_encoder, bert, whole_words=False)
    assert (chosen[:, 1:] != chosen[:, :-1])[continues[:, 1:]].any()


def test_whole_words_need_a_tokenizer_that_tells_words(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bert, tokenizer = load_bert(tiny_encoder), load_tokenizer(tiny_encoder)
    content = {"model": {"type": "WordLevel"}, "pre_tokenizer": None}
    monkeypatch.setattr("interestrec.text.tokenizer.json.loads", lambda _: content)
    with pytest.raises(ConfigError, match="whole_words"):
        MaskedTokens(bert, tokenizer, MaskedObjectiveSettings(whole_words=True))
