"""The systems whose settings `tune` searches: the model, and scorers that have a space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interestrec.core.section import Section
from interestrec.io.schemas import OURS
from interestrec.learning.halving import rungs_of_epochs
from interestrec.learning.search_space import Dimension, search_space
from interestrec.learning.tune_settings import TuneSettings
from interestrec.scorers.definition import EVENTS, GRADED_EVENTS
from interestrec.scorers.registry import component_scorer, required_scorers, scorer_definition
from interestrec.scoring.decision import voters
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.search import SettingsSearch
from interestrec.training.finetune_settings import FinetuneSettings

MODEL, MODEL_SECTION = "model", "finetune"
EPOCHS, USERS = "epochs", "% of users"  # units of rungs: of trainings, and of fits on a share of the users
WHOLE, _QUARTER = 100, 25  # rungs of scorers


@dataclass(frozen=True)
class TunedSystem:
    """What is searched of one system."""

    name: str
    space: Mapping[str, Dimension]  # by dotted key
    configured: Mapping[str, Any]  # by dotted key
    rungs: list[int]
    unit: str  # of rungs


def tuned_model(finetune: FinetuneSettings, tune: TuneSettings) -> TunedSystem:
    """Return what is searched of the model."""
    space = search_space(MODEL_SECTION, finetune.SPACE, tune.space)
    configured = {key: value_at(finetune, key.removeprefix(f"{MODEL_SECTION}.")) for key in space}
    epochs = finetune.history_epochs + finetune.epochs
    return TunedSystem(MODEL, space, configured, rungs_of_epochs(tune.first_rung, epochs, tune.reduction), EPOCHS)


def tuned_scorers(rank: RankSettings, tune: TuneSettings, search: SettingsSearch) -> list[TunedSystem]:
    """Return what is searched of scorers, each after the one that it is fitted on; those without a space are left out.

    Args:
        search: of this log; settings that have no effect on it are no part of a space.
    """
    found = []
    for name in required_scorers(_searched_names(rank, tune)):
        definition = scorer_definition(name)
        if definition.is_static or definition.settings is None:
            continue
        section = f"rank.{name}"
        space = search_space(section, search.effective_space(definition), tune.space)
        if not space:
            continue
        settings = getattr(rank, name)
        configured = {key: value_at(settings, key.removeprefix(f"{section}.")) for key in space}
        rungs = [_QUARTER, WHOLE] if definition.fitted_on in (EVENTS, GRADED_EVENTS) else [WHOLE]
        found.append(TunedSystem(name, space, configured, rungs, USERS))
    return found


def _searched_names(rank: RankSettings, tune: TuneSettings) -> list[str]:
    names = [name for name in rank.systems if name != OURS] if tune.systems == "all" else []
    if OURS in rank.systems:
        names += [*voters({name: component_scorer(name) for name in rank.components}).values(), *rank.estimators]
    return names


def value_at(section: Section, key: str) -> Any:
    """Return the value of a dotted key of a section."""
    value: Any = section
    for part in key.split("."):
        value = getattr(value, part)
    return value
