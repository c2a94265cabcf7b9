"""What training must find in a log, what it must not find, and what an ensemble of seeds is."""

from pathlib import Path

import numpy as np
import pytest

from interestrec.config.settings import Settings
from interestrec.corpus.store import Corpus, Timelines
from interestrec.io import artifact_files, files
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.model_opening import open_models
from interestrec.scorers.strength import Strength
from interestrec.stages import finetune, preprocess, pretrain_adapt
from interestrec.stages.run import RunContext, StageResult
from interestrec.training import example_sets
from interestrec.training.examples import Examples, without_order
from tests.scoring.asking import requests, split_candidates

pytestmark = pytest.mark.slow

_USERS, _ITEMS, _EVENTS = 80, 40, 24


def taste_log(root: Path, permuted: bool) -> None:
    """Users who like the even items and users who like the odd ones; texts say nothing.

    Permuted, every event keeps its user and time and has the item of another one, so that only popularity is left.
    """
    rng = np.random.default_rng(3)
    user = np.repeat(np.arange(_USERS), _EVENTS)
    item = 2 * rng.integers(0, _ITEMS // 2, len(user)) + user % 2
    if permuted:
        item = rng.permutation(item)
    day = rng.uniform(0, 100, len(user))
    rows = [f"u{u},i{i},{86_400 * d:.0f}" for u, i, d in zip(user, item, day, strict=True)]
    root.mkdir(parents=True, exist_ok=True)
    (root / "events.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    (root / "items.csv").write_text("\n".join(["item,name", *(f"i{i},thing" for i in range(_ITEMS))]) + "\n")


def learned(
    root: Path, encoder: Path, permuted: bool, timed: bool = True, **chosen: object
) -> tuple[RunContext, StageResult]:
    taste_log(root / "raw", permuted)
    split = {"method": "global_time"} if timed else {"method": "user_random"}
    settings = {
        "workspace": str(root / "work"),
        "data": {
            "format": "events",
            "root": str(root / "raw"),
            "events": {
                "files": ["events.csv"],
                "columns": {"user": "user", "item": "item", **({"time": "time"} if timed else {})},
            },
            "items": {"files": ["items.csv"], "columns": {"item": "item", "title": ["name"]}},
        },
        "preprocess": {"split": {**split, "valid": 0.2, "test": 0.2}, "duplicates": "keep"},
        "encoders": {"text": {"source": str(encoder)}},
        "pretrain_adapt": {"steps": 0},
        "rank": {"rules": {"seen": "in"}, **({} if timed else {"components": ["intensity", "popularity"]})},
        "finetune": {
            **{"epochs": 8, "patience": 8, "batch_size": 32, "hidden": [8], "width": 16, "learning_rate": 0.005},
            **chosen,
        },
    }
    context = RunContext(Settings.model_validate(settings))
    preprocess.run(context)
    pretrain_adapt.run(context)
    return context, finetune.run(context)


def learned_taste(root: Path, encoder: Path, timed: bool) -> tuple[StageResult, list[Examples]]:
    """What is learned of users' taste, and the examples that are learned without order."""
    asked: list[Examples] = []

    def spied(examples: Examples, timelines: Timelines) -> Examples:
        asked.append(without_order(examples, timelines))
        return asked[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example_sets, "without_order", spied)
        return learned(root, encoder, permuted=False, timed=timed)[1], asked


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[StageResult, list[Examples]]:
    """Of a log with times."""
    return learned_taste(tmp_path_factory.mktemp("taste"), tiny_encoder, timed=True)


def test_taste_is_found_by_ids_and_permuted_labels_keep_the_start(
    in_order: tuple[StageResult, list[Examples]], tmp_path: Path, tiny_encoder: Path
) -> None:
    """Half of the catalogue is of a user's taste, so lists by taste are twice as good as chance."""
    taste, _ = in_order
    assert taste.summary["decided_by"] == "valid_ndcg"
    assert taste.summary["valid_auc"] > 0.65
    assert taste.summary["valid_ndcg"] > 1.5 * taste.summary["valid_ndcg_start"]
    _, permuted = learned(tmp_path, tiny_encoder, permuted=True)
    # 384 valid events, of which the AUC has a standard error of 0.015, and the best of nine epochs.
    assert abs(permuted.summary["valid_auc"] - 0.5) < 0.05
    assert permuted.summary["valid_ndcg"] < 1.1 * permuted.summary["valid_ndcg_start"]


def test_the_start_tells_no_items_apart(tmp_path: Path, tiny_encoder: Path) -> None:
    """All texts are alike and all ids unlearned, so that what is told apart later was learned.

    Scores are compared, not the AUC: by which item of equal scores is first, rounding decides, which depends on the
    processor.
    """
    _, start = learned(tmp_path, tiny_encoder, permuted=False, epochs=0)
    asked = requests([0, 2, 4], [1, 3], [5])
    scores = Intensity(open_models(start.artifact.path)).score_catalogue(asked)
    assert scores.shape == (3, _ITEMS)
    np.testing.assert_allclose(scores, np.broadcast_to(scores[:, :1], scores.shape), rtol=1e-6, atol=1e-6)


def test_only_a_log_without_times_is_learned_without_order(
    in_order: tuple[StageResult, list[Examples]], tmp_path: Path, tiny_encoder: Path
) -> None:
    assert not in_order[1]
    result, asked = learned_taste(tmp_path, tiny_encoder, timed=False)
    assert len(asked) == 2  # events, and next events within histories
    assert result.summary["valid_ndcg"] > 1.5 * result.summary["valid_ndcg_start"]
    assert (asked[0].end - asked[0].start > 1).all()
    assert (asked[0].omitted >= asked[0].start).all() and (asked[0].omitted < asked[0].end).all()


def test_an_ensemble_is_the_mean_of_its_models(tmp_path: Path, tiny_encoder: Path) -> None:
    context, result = learned(tmp_path, tiny_encoder, permuted=False, seeds=2, epochs=1)
    path = result.artifact.path
    member = path / artifact_files.MEMBER.format(1)
    first, second = (
        files.read_safetensors(place / artifact_files.ITEM_VECTORS)["candidate"] for place in (path, member)
    )
    assert not np.array_equal(first, second)
    corpus = Corpus(context.settings.workspace / "corpus", None)
    models = open_models(path)
    assert len(models) == 2
    assert corpus.items.num_rows == len(models[0].items.texts)
    asked, (offsets, item) = requests([0, 2, 4], [1]), split_candidates([[3, 5], [6]])
    for ensemble, singles in (
        (Intensity(models), [Intensity([model]) for model in models]),
        (
            Strength(models),
            [Strength([model]) for model in models],
        ),
    ):
        mean = np.mean([single.score_catalogue(asked) for single in singles], axis=0)
        np.testing.assert_allclose(ensemble.score_catalogue(asked), mean, rtol=1e-6)
        mean = np.mean([single.score_candidates(asked, offsets, item) for single in singles], axis=0)
        np.testing.assert_allclose(ensemble.score_candidates(asked, offsets, item), mean, rtol=1e-6)
