"""Texts against pictures: the loss by hand, that it falls where pairs belong together, and that it resumes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core.errors import DataError
from interestrec.corpus.picture_table import picture_key
from interestrec.encoding.picture_inputs import PictureInputs
from interestrec.io.picture_sources import PictureBlock
from interestrec.model.bert_tensors import export
from interestrec.model.picture_encoders import load_picture_encoder
from interestrec.model.picture_preparation import read_preparation
from interestrec.model.picture_tower import PictureTower
from interestrec.pretraining.adaptation import AdaptationResult, Schedule, adapt
from interestrec.pretraining.adaptation_findings import adaptation_findings
from interestrec.pretraining.contrastive_texts import ContrastiveTexts
from interestrec.pretraining.held_out_texts import HeldOutTexts
from interestrec.pretraining.passages import Passages
from interestrec.pretraining.text_objectives import OBJECTIVES
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import load_tokenizer
from interestrec.training import device
from interestrec.training.execution import ExecutionSettings
from interestrec.training.training_checkpoint import CheckpointStore
from tests import picture_kin
from tests.kin import load_bert
from tests.training.cut_off import CutOff, PowerCut, fresh

pytestmark = pytest.mark.slow

WORDS = 6
BROKEN = picture_kin.saved(picture_kin.picture(seed=77))[:-60]


@dataclass(frozen=True)
class Shelf:
    """Pictures in memory."""

    content: list[bytes]

    def __len__(self) -> int:
        return len(self.content)

    def blocks(self, rows: np.ndarray) -> Iterator[PictureBlock]:
        for start in range(0, len(rows), 3):
            part = rows[start : start + 3].tolist()
            yield lambda part=part: [(row, self.content[row]) for row in part]


def pictures(content: list[bytes], directory: Path) -> PictureInputs:
    digests = [picture_key(one) for one in content]
    return PictureInputs(Shelf(content), read_preparation(directory), np.arange(len(content)), digests)


def texts(rows: list[list[int]]) -> TextInputs:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return TextInputs(offsets, np.concatenate(rows).astype(np.int32), 0)


def coloured(count: int, seed: int, directory: Path, shuffled: bool = False) -> Passages:
    """Each text is one of six words, and its picture has the word's colour with noise, unless they are shuffled."""
    rng = np.random.default_rng(seed)
    colours = np.random.default_rng(1).integers(0, 200, (WORDS, 3))
    words = rng.integers(0, WORDS, count)
    content = [picture_kin.saved((colours[word] + rng.integers(0, 40, (32, 32, 3))).astype(np.uint8)) for word in words]
    said = rng.permutation(words) if shuffled else words
    sides = (texts([[2, 10 + word, 3] for word in said.tolist()]), pictures(content, directory))
    return Passages(sides, 100 + np.arange(count))


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picture_kin.write(tmp_path_factory.mktemp("vision"), "vit")


def make(encoder: Path, vision: Path, temperature: float = 0.1) -> tuple[ContrastiveTexts, PictureTower]:
    bert, kind = load_bert(encoder), OBJECTIVES["image_text"]
    tower = PictureTower(load_picture_encoder(vision), read_preparation(vision), bert.width, seed=5)
    return kind.make(bert, load_tokenizer(encoder), kind.settings(temperature=temperature), tower), tower


def run(
    encoder: Path, vision: Path, steps: int, shuffled: bool = False, checkpoints: CheckpointStore | None = None
) -> tuple[AdaptationResult, dict[str, np.ndarray]]:
    device.prepare("cpu", None, 5)
    objective, tower = make(encoder, vision)
    adapted = adapt(
        objective,
        coloured(96, 0, vision, shuffled),
        coloured(32, 1, vision, shuffled),
        Schedule(steps, 16, 3e-3, 0.01, seed=5),
        ExecutionSettings(tf.distribute.get_strategy(), 1),
        checkpoints or fresh(),
    )
    return adapted, {**export(objective.encoder), **tower.encoder.export_weights(), "W": tower.projection.numpy()}


def test_the_loss_is_that_of_the_formula(tiny_encoder: Path, vision: Path) -> None:
    content = [picture_kin.saved(picture_kin.picture(seed=seed)) for seed in (1, 2, 3, 3, 4)] + [BROKEN]
    words = [[2, 10, 3], [2, 11, 12, 3], [2, 13, 3], [2, 14, 3], [2, 10, 3], [2, 15, 3]]
    objective, tower = make(tiny_encoder, vision, 0.3)
    passages = Passages((texts(words), pictures(content, vision)), np.arange(6))
    batch = objective.batch(passages, np.arange(6), [0])
    ids, mask, levels, decoded = batch
    assert (levels.dtype, levels.shape) == (np.uint8, (6, 32, 32, 3))
    assert decoded[:, 0].tolist() == [1, 1, 1, 1, 1, 0]
    totals, _ = objective.totals(*map(tf.constant, batch), noise=None)
    first = np.asarray(objective.encoder.pool(objective.encoder(ids, mask), mask), float)
    pixels = (levels / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    second = np.asarray(tower.encoder.vectors(tf.constant(pixels, tf.float32)), float) @ tower.projection.numpy()
    cosine = (first / np.linalg.norm(first, axis=1, keepdims=True)) @ (
        second / np.linalg.norm(second, axis=1, keepdims=True)
    ).T
    weight = np.exp(cosine / 0.3)
    for a, b in ((0, 4), (2, 3)):  # one text, and one picture, that two items share
        weight[a, b] = weight[b, a] = 0
    weight = weight[:5, :5]  # the last picture does not decode
    own = np.diag(weight)
    expected = -(np.log(own / weight.sum(axis=1)) + np.log(own / weight.sum(axis=0))).sum() / 2
    assert float(totals["image_text"]) == pytest.approx(expected, rel=1e-4)
    assert float(objective.counts(*map(tf.constant, batch))["image_text"]) == 5


def test_held_out_pictures_find_their_words_and_shuffled_ones_do_not(tiny_encoder: Path, vision: Path) -> None:
    chance = np.log(16 * (1 - 1 / WORDS))  # about as many candidates have another word
    matched, _ = run(tiny_encoder, vision, 60)
    shuffled, _ = run(tiny_encoder, vision, 60, shuffled=True)
    assert set(matched.before) == set(matched.after) == {"loss", "alignment", "uniformity"}
    assert matched.after["loss"] < 0.5 * min(chance, matched.before["loss"])
    assert matched.after["alignment"] < matched.before["alignment"]
    assert shuffled.after["loss"] > 0.9 * chance


def test_a_run_that_resumes_ends_with_the_bits_of_a_whole_one(tiny_encoder: Path, vision: Path, tmp_path: Path) -> None:
    whole, weights = run(tiny_encoder, vision, 8)
    with pytest.raises(PowerCut):
        run(tiny_encoder, vision, 8, checkpoints=CutOff(tmp_path, 7))  # a pass has 6 steps
    adapted, resumed = run(tiny_encoder, vision, 8, checkpoints=CheckpointStore(tmp_path, 1e9))
    assert adapted == whole
    assert resumed.keys() == weights.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(resumed[name], value)


def test_pictures_of_a_batch_are_read_by_row(vision: Path) -> None:
    content = [picture_kin.saved(picture_kin.picture(seed=seed)) for seed in range(7)]
    inputs = pictures(content, vision)
    alone = [inputs.padded(np.array([row]), 1)[0][0] for row in range(7)]
    levels, mask = inputs.select(np.array([6, 2, 4, 0])).padded(np.array([3, 0, 3, 1]), 2)
    np.testing.assert_array_equal(levels, [alone[0], alone[6], alone[0], alone[2]])
    assert mask.tolist() == [[1, 1]] * 4
    assert inputs.lengths.tolist() == [16] * 7  # 32 × 32 pixels
    assert replace(inputs, digests=[b"", *inputs.digests[1:]]).lengths[0] == 0
    twice = pictures([content[3], content[1], content[3]], vision)
    distinct, row = twice.distinct()
    assert (distinct.items.tolist(), row.tolist()) == ([0, 1], [0, 1, 0])
    changed = replace(inputs, source=Shelf([*content[:5], content[0], content[6]]))
    with pytest.raises(DataError, match="row 5 has changed"):
        changed.padded(np.array([4, 5]), 1)


def test_pictures_that_do_not_decode_leave_figures_finite_or_out(tiny_encoder: Path, vision: Path) -> None:
    objective, _ = make(tiny_encoder, vision)
    content = [picture_kin.saved(picture_kin.picture(seed=seed)) for seed in (1, 2)]
    words = texts([[2, 10, 3], [2, 11, 3], [2, 12, 3]])
    some = Passages((words, pictures([*content, BROKEN], vision)), np.arange(3))
    complete = some.select(np.arange(2))
    found, expected = (HeldOutTexts(objective, passages, 3, 5).measure() for passages in (some, complete))
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert found["alignment"] == pytest.approx(expected["alignment"], rel=1e-4)
    none = Passages((words, pictures([BROKEN + bytes(n) for n in range(3)], vision)), np.arange(3))
    assert set(HeldOutTexts(objective, none, 3, 5).measure()) == {"uniformity"}


def test_the_findings_say_what_the_map_may_have_done() -> None:
    before, after = {"loss": 3.0, "alignment": 1.5}, {"loss": 2.0, "alignment": 1.0}
    loss, alignment = adaptation_findings(before, after, "image_text", False)
    assert "the encoders and a map that started untrained match pictures with texts better" in loss["sentence"]
    assert (loss["better"], alignment["better"]) == (None, True)
    assert "a text and its picture" in alignment["sentence"]
