"""Versions: whole or not at all, linked in one step, checked when opened."""

import json
from pathlib import Path

import pytest

from interestrec.core.artifacts import Recipe, building, open_artifact, up_to_date
from interestrec.core.errors import ArtifactError, CannotCreateError, InputMissingError


def recipe(**changes: object) -> Recipe:
    values: dict = {"kind": "corpus", "inputs": {"a.csv": "00"}, "config": {"x": 1}, "seed": 1}
    return Recipe(**{**values, **changes})


def build(workspace: Path, content: str = "a", made: Recipe | None = None) -> Recipe:
    made = made or recipe()
    with building(workspace, made) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "file").write_text(content)
        (partial / "timing.jsonl").write_text("{}")
    return made


@pytest.mark.parametrize("changes", [{"kind": "model"}, {"inputs": {"a.csv": "01"}}, {"config": {"x": 2}}, {"seed": 2}])
def test_everything_that_decides_the_content_decides_the_digest(changes: dict) -> None:
    assert recipe().digest == recipe().digest
    assert recipe(**changes).digest != recipe().digest


def test_commit_links_and_lists_every_file_but_timing(tmp_path: Path) -> None:
    made = build(tmp_path)
    assert (tmp_path / "corpus").resolve() == made.version_path(tmp_path)
    artifact = open_artifact(tmp_path / "corpus", "corpus")
    assert list(artifact.manifest["files"]) == ["sub/file"]
    assert artifact.manifest["inputs"] == {"a.csv": "00"}
    assert [p.name for p in made.version_path(tmp_path).parent.iterdir()] == [made.digest]


def test_a_failed_build_leaves_the_old_version_and_no_debris(tmp_path: Path) -> None:
    build(tmp_path)
    before = (tmp_path / "corpus").resolve()
    with pytest.raises(RuntimeError), building(tmp_path, recipe(seed=2)) as partial:
        (partial / "half").write_text("x")
        raise RuntimeError
    assert (tmp_path / "corpus").resolve() == before
    assert [p for p in tmp_path.rglob("*") if "partial" in p.name] == []


def test_rebuilding_the_same_version_replaces_it_whole(tmp_path: Path) -> None:
    build(tmp_path, "a")
    made = build(tmp_path, "b")
    assert (tmp_path / "corpus" / "sub" / "file").read_text() == "b"
    assert [p.name for p in made.version_path(tmp_path).parent.iterdir()] == [made.digest]


def test_up_to_date_links_an_older_version_again(tmp_path: Path) -> None:
    first = build(tmp_path)
    build(tmp_path, made=recipe(seed=2))
    assert up_to_date(tmp_path, recipe(seed=3)) is None
    found = up_to_date(tmp_path, first)
    assert found is not None
    assert (tmp_path / "corpus").resolve() == first.version_path(tmp_path)


def test_a_workspace_can_be_moved(tmp_path: Path) -> None:
    build(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    open_artifact(tmp_path / "b" / "corpus", "corpus")


def test_opening_what_is_not_there_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="run `interestrec preprocess` first"):
        open_artifact(tmp_path / "corpus", "corpus")
    with pytest.raises(ArtifactError, match="not an artifact"):
        open_artifact(tmp_path, "corpus")
    build(tmp_path)
    with pytest.raises(ArtifactError, match="expected a model, found 'corpus'"):
        open_artifact(tmp_path / "corpus", "model")


def test_a_cut_or_missing_file_and_an_unknown_schema_are_refused(tmp_path: Path) -> None:
    made = build(tmp_path)
    file = tmp_path / "corpus" / "sub" / "file"
    file.write_text("longer")
    with pytest.raises(ArtifactError, match="missing or changed"):
        up_to_date(tmp_path, made)
    file.unlink()
    with pytest.raises(ArtifactError, match="missing or changed"):
        open_artifact(tmp_path / "corpus", "corpus")
    file.write_text("a")
    manifest = tmp_path / "corpus" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 99}))
    with pytest.raises(ArtifactError, match="schema version 99"):
        open_artifact(tmp_path / "corpus", "corpus")


def test_an_artifact_of_another_corpus_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    corpus = open_artifact(tmp_path / "corpus", "corpus")
    build(tmp_path, made=recipe(kind="model", inputs={"corpus": corpus.digest}))
    model = open_artifact(tmp_path / "model", "model")
    model.require_input(corpus)
    build(tmp_path, made=recipe(seed=5))
    with pytest.raises(ArtifactError, match="built from another corpus"):
        model.require_input(open_artifact(tmp_path / "corpus", "corpus"))


def test_a_directory_in_the_way_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(CannotCreateError, match="in the way"):
        build(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreateError, match="check `workspace`"):
        build(tmp_path / "file")
