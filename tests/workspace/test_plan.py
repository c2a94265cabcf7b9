"""Why a stage would build: what differs from the version that is current."""

from pathlib import Path

from interestrec.workspace.plan import reasons, recipe_plan
from tests.workspace.test_artifacts import build, recipe


def test_what_differs_is_named(tmp_path: Path) -> None:
    assert reasons(tmp_path, recipe()) == ("no version exists yet",)
    build(tmp_path)
    assert reasons(tmp_path, recipe()) == ("--force",)
    assert reasons(tmp_path, recipe(inputs={"a.csv": "01"})) == ("input a.csv changed",)
    assert reasons(tmp_path, recipe(inputs={"b.csv": "00"})) == ("input a.csv is gone", "input b.csv is new")
    assert reasons(tmp_path, recipe(seed=3)) == ("seed changed from 1 to 3",)
    deep = recipe(config={"x": 1, "finetune": {"lora": {"rank": 8}}})
    assert reasons(tmp_path, deep) == ("finetune.lora.rank is new",)
    assert reasons(tmp_path, recipe(config={"x": ["long"] * 50}))[0].endswith("…")


def test_a_plan_tells_of_the_current_version(tmp_path: Path) -> None:
    build(tmp_path)
    plan = recipe_plan(tmp_path, recipe(), builds=False)
    assert plan.reasons == ()
    assert plan.version is not None and plan.version.bytes > 1
    assert str(plan).startswith("preprocess: up to date\n    current version: 0.0 MB")
    assert recipe_plan(tmp_path / "other", recipe(), builds=True).values == {
        "stage": "preprocess",
        "kind": "corpus",
        "builds": True,
        "reasons": ("no version exists yet",),
        "version": None,
    }
