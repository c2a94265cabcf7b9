"""`export`: lists in runtimes without this package are the product's, and what differs is never written."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.core.errors import CannotCreateError, ConfigError, GateError, NumericError, UsageError
from interestrec.corpus.store import Corpus
from interestrec.exporting import onnx_graphs
from interestrec.exporting.shipped import onnx_runtime, requested_lists
from interestrec.io import files
from interestrec.stages import export, finetune, pretrain_adapt, rank
from interestrec.stages.recommend import open_answers
from interestrec.stages.run import RankRequest, RunContext
from tests.stages.learning import shop

pytestmark = pytest.mark.slow

# The runtime, the standard library and NumPy are all that a script may load.
_ISOLATED = """
import runpy, sys
directory, script, *blocked = sys.argv[1:]
sys.modules.update(dict.fromkeys(blocked[: blocked.index("--")]))
sys.argv = [script, *blocked[blocked.index("--") + 1 :]]
sys.path.insert(0, directory)
runpy.run_path(f"{directory}/{script}", run_name="__main__")
"""
_OURS = ["interestrec", "keras", "pandas", "pyarrow", "scipy", "transformers"]
_BLOCKED = {"savedmodel": ["interestrec", "pandas", "pyarrow", "transformers"], "onnx": [*_OURS, "tensorflow"]}
_BLOCKED["litert"] = _BLOCKED["onnx"]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    """A decision by two models that read histories in order and trained a layer of the encoder each."""
    found = shop(
        tmp_path_factory.mktemp("export"),
        tiny_encoder,
        finetune={"hidden": [8], "epochs": 1, "user_tower": "sequence", "seeds": 2, "trainable_layers": 1},
        rank={"components": ["intensity"], "systems": ["interestrec", "popularity"], "trials": 1, "top_k": 10},
    )
    for stage in (pretrain_adapt, finetune, rank):
        stage.run(found)
    return found


@pytest.fixture(scope="module")
def exported(context: RunContext, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any]]:
    """Return the export for a runtime, which is made once and only read, and what its check found."""

    @cache
    def made(runtime: str) -> tuple[Path, Any]:
        directory = tmp_path_factory.mktemp("exports") / runtime
        return directory, export.run(context, directory, runtime, int8=False)

    return made


def run_isolated(directory: Path, runtime: str, script: str, *arguments: str) -> str:
    """Run a shipped script where this package and all that the runtime does not need cannot be imported."""
    command = [sys.executable, "-I", "-c", _ISOLATED, str(directory), script, *_BLOCKED[runtime], "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def product_lists(context: RunContext, requests: list[dict[str, Any]], k: int) -> list[tuple[list[str], np.ndarray]]:
    """Items and logits of the lists that `recommend` gives the users of requests, from the log's own histories."""
    recommender = open_answers(context, k, None, ()).recommender
    ids = recommender.log.items["item_id"].to_pylist()
    users = np.array([recommender.find_user(request["user"]) for request in requests])
    found = recommender.recommend(recommender.ask_users(users, recommender.moment, k))
    rows = [np.flatnonzero(found.request == number) for number in range(len(users))]
    return [([ids[item] for item in found.item[own]], found.components["intensity"][own]) for own in rows]


@pytest.mark.parametrize("runtime", ["savedmodel", "onnx", "litert"])
def test_lists_without_this_package_are_those_of_the_product(
    context: RunContext, exported: Callable[[str], tuple[Path, Any]], runtime: str
) -> None:
    directory, done = exported(runtime)
    assert done["checked"]["order"]["values"] >= 1000
    assert max(found["difference"] for found in done["checked"].values()) <= 1e-5
    requests = files.read_json(directory / "examples.json")
    assert len(requests) == 10
    for k in (3, 10):
        printed = run_isolated(directory, runtime, "recommend.py", str(directory / "examples.json"), str(k))
        answers = [json.loads(line) for line in printed.splitlines()]
        expected = product_lists(context, requests, k)
        assert [answer["items"] for answer in answers] == [items for items, _ in expected]
        for answer, (_, logits) in zip(answers, expected, strict=True):
            np.testing.assert_allclose(answer["scores"], logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", ["savedmodel", "onnx", "litert"])
def test_strangers_empty_histories_and_full_ones_have_lists(
    exported: Callable[[str], tuple[Path, Any]], tmp_path: Path, runtime: str
) -> None:
    directory, _ = exported(runtime)
    names = files.read_json(directory / "item_ids.json")
    seen = {"item": names[0], "intensity": 1.0, "time": None}
    future = {**seen, "time": "2100-01-01T00:00:00+01:00"}
    requests = [
        {"history": []},
        {"user": "nobody", "history": [seen, seen]},
        {"user": "nobody", "history": [future, future]},
        {"history": [{**seen, "item": name} for name in names]},
    ]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    printed = run_isolated(directory, runtime, "recommend.py", str(tmp_path / "requests.json"), "999")
    answers = [json.loads(line) for line in printed.splitlines()]
    assert [len(answer["items"]) for answer in answers] == [len(names), len(names) - 1, len(names) - 1, 0]
    assert names[0] not in answers[1]["items"]
    assert answers[1] == answers[2]  # an event without a time, and one of the future, are of the moment of the export


def test_a_decision_for_a_time_is_scored_as_it_counts(tmp_path: Path, tiny_encoder: Path) -> None:
    """Events of test are no counters of a split per user, but what the decision for a time knows."""
    context = shop(
        tmp_path,
        tiny_encoder,
        preprocess={"split": {"method": "user_time", "test": 0.3, "valid": 0.2}},
        finetune={"hidden": [8], "epochs": 1},
        rank={"components": ["intensity"], "systems": ["interestrec"], "trials": 1},
    )
    for stage in (pretrain_adapt, finetune):
        stage.run(context)
    model, counted = context.open("model"), []
    half = int(np.median(Corpus(context.open("corpus").path, 0.5).timelines.time))
    for as_of in (None, half, 2**60):
        rank.run(replace(context, rank_request=RankRequest(as_of=as_of)))
        source = export._open(context, model, context.open("decision"))
        recommender = open_answers(context, 10, None, ()).recommender
        (scored,) = recommender.ensemble.scorers["intensity"].models
        counted.append(scored.item_moments(recommender.moment))
        np.testing.assert_array_equal(source.models[0].item_moments(source.corpus.moment), counted[-1])
    assert all((counted[n] != counted[n - 1]).any() for n in range(3))


def test_the_script_is_short() -> None:
    """Nobody trusts what cannot be read at once: 30 lines beside docstrings and empty ones."""
    code = Path(requested_lists.__file__).read_text().splitlines()
    assert len([line for line in code if line.strip() and not line.strip().startswith('"""')]) <= 30


def test_new_texts_are_embedded_as_the_items_are(
    context: RunContext, exported: Callable[[str], tuple[Path, Any]], tmp_path: Path
) -> None:
    directory, _ = exported("onnx")
    stored = dict(np.load(directory / "items.npz"))
    names = files.read_json(directory / "item_ids.json")
    corpus = files.read_parquet(context.open("corpus").path / "items.parquet")
    row = {name: number for number, name in enumerate(corpus["item_id"].to_pylist())}
    texts = [{field: corpus[field][row[name]].as_py() for field in ("title", "text")} for name in names[:7]]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    run_isolated(directory, "onnx", "embed.py", str(tmp_path / "texts.json"), str(tmp_path / "vectors.npz"))
    found = dict(np.load(tmp_path / "vectors.npz"))
    np.testing.assert_allclose(found["texts"], stored["texts"][:, :7], atol=1e-3)  # trained from float16 states
    graphs = onnx_runtime.open_graphs(directory)
    grown = {name: np.concatenate([stored[name], found[name]], axis=1) for name in ("texts", "entries", "candidates")}
    for name in ("categories", "prices", "item_moments"):
        grown[name] = np.concatenate([stored[name], stored[name][:7]])
    zeros = {name: np.zeros((1, 1), np.float32) for name in ("intensity", "days")}
    users = dict(np.load(directory / "users.npz"))
    request = {
        "history": np.zeros((1, 1), np.int32),
        "features": users["features"][-1:],
        "moments": users["moments"][-1:],
    }
    scores = graphs.run("score", {**zeros, **request, **grown})["scores"][0]
    assert len(scores) == len(names) + 7 and np.isfinite(scores).all()


def test_int8_is_smaller_and_stopped_when_lists_get_worse(
    context: RunContext,
    exported: Callable[[str], tuple[Path, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "MAX_LOSS", 1.0)
    done = export.run(context, tmp_path / "int8", "onnx", int8=True)
    sizes = [(kind / "embed_items.onnx").stat().st_size for kind in (tmp_path / "int8", exported("onnx")[0])]
    assert sizes[0] < sizes[1]
    loss = done["checked"]["int8"]
    assert loss["low"] <= loss["loss"] <= loss["high"] and loss["cosine"] > 0.9
    assert "8-bit" in (tmp_path / "int8" / "MODEL_CARD.md").read_text()
    monkeypatch.setattr(export, "MAX_LOSS", -1.0)
    with pytest.raises(GateError, match="nothing was written"):
        export.run(context, tmp_path / "worse", "onnx", int8=True)
    assert not (tmp_path / "worse").exists()


def test_a_runtime_that_scores_otherwise_gets_nothing(
    context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = onnx_runtime.OnnxGraphs.run

    def shifted(self: Any, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {part: value + 1e-3 if part == "scores" else value for part, value in true(self, name, inputs).items()}

    monkeypatch.setattr(onnx_runtime.OnnxGraphs, "run", shifted)
    with pytest.raises(NumericError, match="differ by"):
        export.run(context, tmp_path / "out", "onnx", int8=False)
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.parametrize("operation", ["Log1p", "Erfc"])
def test_an_operation_that_the_runtime_lacks_fails_the_export(
    context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """tf2onnx leaves such an operation in the file, logs a line and reports success."""
    monkeypatch.delitem(onnx_graphs._HANDLERS, operation)
    with pytest.raises(ConfigError, match=operation):
        export.run(context, tmp_path / "out", "onnx", int8=False)
    assert not (tmp_path / "out").exists()


def test_only_a_directory_of_an_export_is_replaced(context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(CannotCreateError, match="not written by export"):
        export.run(replace(context, force=True), tmp_path / "mine", "onnx", int8=False)
    (tmp_path / "mine" / "signature.json").write_text("{}")
    with pytest.raises(CannotCreateError, match="--force"):
        export.run(context, tmp_path / "mine", "onnx", int8=False)


def test_refusals_say_what_to_do(context: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="it is for: onnx"):
        export.run(context, tmp_path / "out", "litert", int8=True)
    with pytest.raises(ConfigError, match="choose from: litert, onnx, savedmodel"):
        export.run(context, tmp_path / "out", "torch", int8=False)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UsageError, match=r"interestrec\[export\]"):
        export.run(context, tmp_path / "out", "onnx", int8=False)
    true = files.read_json

    def of_texts(path: Path) -> Any:
        return {**true(path), "user_text": {}} if path.name == "config.json" else true(path)

    monkeypatch.setattr(export.files, "read_json", of_texts)
    with pytest.raises(ConfigError, match="user_tower: items or sequence"):
        export.run(context, tmp_path / "out", "savedmodel", int8=False)
