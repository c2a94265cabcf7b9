"""`interestrec explain` on the command line."""

import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from interestrec.cli.app import app
from interestrec.config.yaml_positions import dump_yaml
from interestrec.stages import rank
from tests.documents import one_document
from tests.stages.ranking import log_of_events, workspace


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a decision that needs no model, and the configuration."""
    root = tmp_path_factory.mktemp("explained")
    context = workspace(
        root / "space",
        log_of_events(),
        systems=["interestrec"],
        components=["item_item", "collaborative", "trending", "content"],
        estimators=["bias"],
    )
    rank.run(context)
    path = root / "interestrec.yaml"
    path.write_text(dump_yaml(context.settings.model_dump(mode="json")))
    return path


def explained(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", "--config", str(config), *arguments])


def first_of(config: Path, user: str) -> str:
    arguments = ["--config", str(config), "--user", user, "-k", "1", "--format", "csv"]
    listed = CliRunner().invoke(app, ["recommend", *arguments])
    return listed.stdout.splitlines()[1].split(",")[2]


def test_it_explains_in_eighty_columns(config: Path) -> None:
    item = first_of(config, "u3")
    outcome = explained(config, "--user", "u3", "--item", item, "-k", "3")
    assert outcome.exit_code == 0
    assert f'"{item}" for u3\n  rank 1, score' in outcome.stdout
    for heading in ("The score is the sum of", "Because of these of the", "Liked items that are most like it"):
        assert heading in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80


def test_as_json_the_terms_sum_to_the_score(config: Path) -> None:
    item = first_of(config, "u3")
    document = one_document(explained(config, "--user", "u3", "--item", item, "--json").stdout)
    values = document["explanation"]
    assert sum(values["terms"].values()) == pytest.approx(values["score"], abs=1e-9)
    assert values["listed"]
    drops = [event["score_drop"] for event in values["events"]]
    assert drops == sorted(drops, reverse=True)
    assert values["smallest_removal"]["events"] is None or values["smallest_removal"]["proved"] in (True, False)


def test_a_moment_has_the_events_before_it(config: Path) -> None:
    early, late = (
        one_document(explained(config, "--user", "u3", "--item", "i3", "--as-of", day, "--json").stdout)["explanation"]
        for day in ("1970-01-05", "1970-03-01")
    )
    assert 0 < len(early["events"]) < len(late["events"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--user", "u333", "--item", "i3"), "no user 'u333' in the decision (did you mean 'u33'?)"),
        (("--user", "u3", "--item", "i33"), "no item 'i33' in the decision (did you mean 'i3'?)"),
    ],
)
def test_unknown_ids_are_refused_with_near_ones(config: Path, arguments: tuple[str, ...], message: str) -> None:
    outcome = explained(config, *arguments)
    assert outcome.exit_code == 65
    assert re.search(re.escape(message), outcome.stderr)


@pytest.mark.parametrize("arguments", [(), ("--user", "u3"), ("--item", "i3")])
def test_user_and_item_are_both_needed(config: Path, arguments: tuple[str, ...]) -> None:
    outcome = explained(config, *arguments)
    assert outcome.exit_code == 2
    assert "--user ID --item ID" in outcome.stderr
