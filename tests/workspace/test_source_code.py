"""An edited source file makes what was built with it stale; one that has no part in it does not."""

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from interestrec.workspace import artifacts, source_code
from interestrec.workspace.plan import reasons, recipe_plan
from interestrec.workspace.source_code import PACKAGE, imported_names, source_digests
from tests.workspace.test_artifacts import build, recipe

MODULES = sorted(PACKAGE.rglob("*.py"))
STAGES = [path.stem for path in (PACKAGE / "stages").glob("*.py") if path.stem in {
    stage.replace("-", "_") for stage in artifacts.STAGE_OF_KIND.values()
}]  # fmt: skip


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that may be edited."""
    copy = tmp_path / "checkout" / "interestrec"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "configs"))
    return copy


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# edited\n")
    source_code._source.cache_clear()
    source_code._digests.cache_clear()
    source_code._modules.cache_clear()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("preprocess", "formats/mind.py"),
        ("preprocess", "formats/__init__.py"),
        ("pretrain_adapt", "pretraining/adaptation.py"),  # imported within a function
        ("finetune", "model/losses.py"),
        ("rank", "scorers/als.py"),
        ("evaluate", "metrics/ranking.py"),
        ("evaluate", "report/report.html.j2"),
        ("evaluate", "stages/run.py"),
    ],
)
def test_an_edit_behind_a_stage_changes_its_digests(package: Path, stage: str, path: str) -> None:
    before = source_digests(stage, package)
    edit(package / path)
    assert changed(before, source_digests(stage, package)) == {path}


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        ("preprocess", "scorers/als.py"),
        ("preprocess", "metrics/ranking.py"),
        ("evaluate", "scorers/als.py"),
        ("evaluate", "model/losses.py"),
        ("rank", "formats/mind.py"),
        ("rank", "config/settings.py"),  # its values stand in the recipe
        ("rank", "cli/app.py"),
        ("rank", "__init__.py"),
        ("rank", "stages/evaluate.py"),
    ],
)
def test_an_edit_elsewhere_does_not(package: Path, stage: str, path: str) -> None:
    before = source_digests(stage, package)
    edit(package / path)
    assert source_digests(stage, package) == before


def test_a_new_scorer_counts_once_it_is_imported(package: Path) -> None:
    before = source_digests("rank", package)
    (package / "scorers" / "new_scorer.py").write_text("alpha = 1\n")
    registry = package / "scorers" / "registry.py"
    registry.write_text(registry.read_text() + '\nLATE = "interestrec.scorers.new_scorer"\n')
    edit(registry)
    assert changed(before, source_digests("rank", package)) == {"scorers/registry.py", "scorers/new_scorer.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_statement_is_seen(path: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("interestrec."):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("interestrec.")}
    assert {name.partition(".")[2] for name in names} <= set(imported_names(path.read_text()))


def test_every_stage_has_source_files() -> None:
    assert len(STAGES) == 7
    for stage in STAGES:
        found = source_digests(stage)
        assert f"stages/{stage}.py" in found
        assert {len(digest) for digest in found.values()} == {16}


def test_an_installed_release_is_known_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "lib" / "python3.11" / "site-packages" / "interestrec"
    shutil.copytree(PACKAGE, installed, ignore=shutil.ignore_patterns("__pycache__", "configs"))
    assert source_digests("rank", installed) == {}
    before = recipe()
    monkeypatch.setattr(artifacts, "source_digests", lambda stage: source_digests(stage, installed))
    release = recipe()
    assert release.code == {}
    assert release.digest != before.digest
    edit(installed / "formats" / "mind.py")
    assert recipe().digest == release.digest
    monkeypatch.setattr(artifacts, "__version__", "9.9.9")
    assert recipe().digest != release.digest


def test_an_edited_reader_makes_a_corpus_stale_and_says_so(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "source_digests", lambda stage: source_digests(stage, package))
    build(tmp_path)
    assert artifacts.up_to_date(tmp_path, recipe()) is not None
    edit(package / "scorers" / "als.py")
    assert artifacts.up_to_date(tmp_path, recipe()) is not None
    edit(package / "formats" / "mind.py")
    assert artifacts.up_to_date(tmp_path, recipe()) is None
    assert reasons(tmp_path, recipe()) == ("the code of formats/mind.py changed since",)
    edit(package / "corpus" / "split.py")
    assert reasons(tmp_path, recipe()) == ("the code of corpus/split.py and formats/mind.py changed since",)
    edit(package / "text" / "tokenizer.py")
    edit(package / "io" / "files.py")
    plan = recipe_plan(tmp_path, recipe(), builds=True)
    assert plan.reasons == ("the code of corpus/split.py, formats/mind.py and 2 more source files changed since",)


def test_another_kind_of_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path)
    monkeypatch.setattr(artifacts, "source_digests", lambda stage: {})
    assert reasons(tmp_path, recipe()) == ("the code is now that of an installed release",)
    build(tmp_path)
    monkeypatch.undo()
    assert reasons(tmp_path, recipe()) == ("the code is now that of a source checkout",)
