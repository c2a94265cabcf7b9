"""What `import interestrec` offers, and the page that says so: its code runs."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import interestrec
from interestrec.config.yaml_positions import dump_yaml
from interestrec.core.errors import ConfigError, InputMissingError
from tests.stages.reports import by_hand

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with `configs/my-shop.yaml`, a workspace with a corpus and rankings, and a key."""
    context = by_hand(tmp_path / "workspace" / "my-shop")
    values = {**context.settings.model_dump(mode="json"), "workspace": "workspace/my-shop"}
    for name in ("configs", "keys"):
        (tmp_path / name).mkdir()
    (tmp_path / "configs" / "my-shop.yaml").write_text(dump_yaml(values))
    (tmp_path / "keys" / "artifacts.key").write_bytes(b"k" * 32)
    (tmp_path / "keys" / "artifacts.key").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_code_of_the_page_runs_and_gives_what_it_says(shop: Path) -> None:
    assert len(BLOCKS) == 7
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["settings"].evaluate.bootstrap == 200
    (result,) = names["results"]
    assert (result.artifact.stage, result.built, result.failures) == ("evaluate", True, ())
    assert result.summary["catalogue"]["interestrec"]["recall@10"] >= 0
    assert set(names["items"]["item_id"]) == {"i0", "i1", "i2", "i3"}
    assert list(names["events"].columns[:2]) == ["user_id", "item_id"]
    assert set(names["events"]["user_id"]) == {"u0", "u1", "u2"}
    assert names["popularity"][:, -1].tolist() == [1, 2, 1, 1]  # u0 had i0, u1 i1, and in test they had i1, i2 and i3
    assert names["two"].tolist() == names["popularity"][[0, 3]].tolist()
    assert set(names["everyone"]["system"]) == {"interestrec", "random"}
    assert isinstance(names["report"].per_user, pd.DataFrame)
    assert names["report"].page.is_file()
    assert names["users"].num_rows == 3


def test_the_page_and_the_package_name_the_same() -> None:
    used = set(re.findall(r"interestrec\.(\w+)\(|interestrec\.(\w+)\.open", "".join(BLOCKS)))
    assert {one or other for one, other in used} == set(interestrec.__all__) - {"__version__"}
    for name in interestrec.__all__:
        assert name in dir(interestrec)
        assert name == "__version__" or "Example:" in str(getattr(interestrec, name).__doc__) + str(
            getattr(getattr(interestrec, name), "open", None).__doc__
        )
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        interestrec.train  # noqa: B018


def test_reading_by_directory_equals_reading_by_workspace(shop: Path) -> None:
    interestrec.run(interestrec.load_config("my-shop"), ["evaluate"])
    for path in ("workspace/my-shop", "workspace/my-shop/report", Path("workspace/my-shop/report").resolve()):
        assert interestrec.read_metrics(path).equals(interestrec.Report.open("workspace/my-shop").metrics)
    corpus = interestrec.Corpus.open("workspace/my-shop/corpus")
    assert isinstance(corpus.events, pa.Table)
    numbers = corpus.events["user_id"].to_pylist()
    assert numbers == [f"u{user}" for user in corpus.timelines.user]


def test_a_second_run_builds_nothing_unless_it_is_forced(shop: Path) -> None:
    settings = interestrec.load_config("configs/my-shop.yaml", workspace=shop / "workspace" / "my-shop")
    built = [interestrec.run(settings, ["evaluate"], force=force)[0].built for force in (False, False, True)]
    assert built == [True, False, True]


def test_mistakes_are_sentences(shop: Path) -> None:
    with pytest.raises(InputMissingError, match="no such configuration"):
        interestrec.load_config("missing")
    with pytest.raises(ConfigError, match="unknown key 'sede'"):
        interestrec.load_config("my-shop", ["sede=3"])
    settings = interestrec.load_config("my-shop")
    with pytest.raises(ConfigError, match="stage 'evaluat'"):
        interestrec.run(settings, ["evaluat"])
    with pytest.raises(InputMissingError, match="no report here"):
        interestrec.read_metrics("workspace/my-shop")


def test_import_loads_no_library() -> None:
    code = "import interestrec, sys; print('numpy' in sys.modules, 'pydantic' in sys.modules)"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout == "False False\n"
