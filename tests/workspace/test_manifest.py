"""What a version says of itself is checked before anything else of it is read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.schemas import SCHEMA_VERSION
from interestrec.workspace.artifacts import open_artifact, up_to_date
from tests.workspace.test_artifacts import build, recipe


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    build(tmp_path, "content")
    return (tmp_path / "corpus").resolve()


def test_every_changed_byte_of_every_file_is_found(tmp_path: Path, corpus: Path) -> None:
    file = corpus / "sub" / "file"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ArtifactError, match=r"sub/file: changed since .*interestrec preprocess --force"):
            open_artifact(tmp_path / "corpus", "corpus")
    file.write_bytes(whole)
    open_artifact(tmp_path / "corpus", "corpus")


def test_a_file_that_is_cut_missing_or_not_listed_is_named(tmp_path: Path, corpus: Path) -> None:
    file = corpus / "sub" / "file"
    file.write_text("longer content")
    with pytest.raises(ArtifactError, match=r"sub/file: changed"):
        up_to_date(tmp_path, recipe())
    file.unlink()
    with pytest.raises(ArtifactError, match=r"sub/file: missing; run `interestrec preprocess --force`"):
        open_artifact(tmp_path / "corpus", "corpus")
    file.write_text("content")
    (corpus / "sub" / "more").touch()
    with pytest.raises(ArtifactError, match=r"sub/more: not a file of this artifact"):
        open_artifact(tmp_path / "corpus", "corpus")


@pytest.mark.parametrize("name", ["sub/file", "sub", "manifest.json"])
def test_links_are_not_followed(tmp_path: Path, corpus: Path, name: str) -> None:
    (corpus / name).rename(tmp_path / "elsewhere")
    (corpus / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match=r"not a regular file|is missing"):
        open_artifact(tmp_path / "corpus", "corpus")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("files", [], "files"),
        ("files", {"a": {"sha256": "x", "bytes": 1}}, "sha256"),
        ("files", {"../canary": {"sha256": "0" * 64, "bytes": 0}}, "canary: missing"),
        ("files", {"/etc/passwd": {"sha256": "0" * 64, "bytes": 0}}, "passwd: missing"),
        ("inputs", "corpus", "inputs"),
        ("inputs", {"corpus": 3}, "inputs.corpus"),
        ("seed", "1", "seed"),
        ("schema_version", 1, "schema_version"),
        ("schema_version", "99.0", r"schema version 99\.0, this release reads 1\.x"),
        ("kind", "model", "expected a corpus, found 'model'"),
    ],
)
def test_a_manifest_that_lies_or_is_of_another_time(
    tmp_path: Path, corpus: Path, key: str, value: Any, told: str
) -> None:
    (tmp_path / "versions" / "preprocess" / "canary").touch()
    changed(corpus, key, value)
    with pytest.raises(ArtifactError, match=told):
        open_artifact(tmp_path / "corpus", "corpus")


def test_a_newer_minor_version_is_read(tmp_path: Path, corpus: Path) -> None:
    major, minor = SCHEMA_VERSION.split(".")
    changed(corpus, "schema_version", f"{major}.{int(minor) + 1}")
    changed(corpus, "a_key_of_that_version", 1)
    assert open_artifact(tmp_path / "corpus", "corpus").kind == "corpus"


def test_a_kind_that_no_minor_version_changed_is_read_from_the_first(tmp_path: Path, corpus: Path) -> None:
    changed(corpus, "schema_version", "1.0")
    assert open_artifact(tmp_path / "corpus", "corpus").kind == "corpus"


@pytest.mark.parametrize(
    ("kind", "before", "first", "stage"),
    [("rankings", "1.0", "1.1", "rank"), ("model", "1.1", "1.2", "finetune")],
)
def test_a_kind_that_a_minor_version_changed_is_refused_before_it(
    tmp_path: Path, corpus: Path, kind: str, before: str, first: str, stage: str
) -> None:
    changed(corpus, "kind", kind)
    changed(corpus, "schema_version", before)
    versions = f"schema version {before}, this release reads {first} and later minor "
    with pytest.raises(ArtifactError, match=rf"{re.escape(versions)}.*; run `interestrec {stage}` again"):
        open_artifact(tmp_path / "corpus", kind)
    changed(corpus, "schema_version", first)
    assert open_artifact(tmp_path / "corpus", kind).kind == kind


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"', "[" * 100_000, '{"seed": ' + "9" * 5000 + "}"])
def test_a_manifest_that_is_none(tmp_path: Path, corpus: Path, content: str) -> None:
    (corpus / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match="manifest"):
        open_artifact(tmp_path / "corpus", "corpus")


def test_a_manifest_as_large_as_none_is_not_read(tmp_path: Path, corpus: Path) -> None:
    with (corpus / "manifest.json").open("ab") as target:
        target.truncate(1 << 30)
    with pytest.raises(ArtifactError, match="exceeds the 16 MiB limit"):
        open_artifact(tmp_path / "corpus", "corpus")


def changed(corpus: Path, key: str, value: Any) -> None:
    manifest = corpus / "manifest.json"
    content = json.loads(manifest.read_text())
    merged = {**content[key], **value} if key == "files" and isinstance(value, dict) else value
    files.write_json(manifest, {**content, key: merged})
