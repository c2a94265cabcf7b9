"""The files of the artifact `decision`: fitted scorers as arrays, systems, choices, and the log to answer from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.log_merge import KnownLog
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.io.array_files import read_arrays, write_arrays
from interestrec.metrics.calibration import Isotonic
from interestrec.scorers.definition import MODEL, StorableScorer
from interestrec.scorers.registry import required_scorers, scorer_definition
from interestrec.scorers.requests import Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.tally import StorableTally
from interestrec.scoring.blend_description import blend_values, read_blend
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_scorers import FittedScorers, fit_scorer
from interestrec.scoring.fit_systems import FittedSystems
from interestrec.scoring.intensity_estimate import CONSTANT, IntensityEstimate
from interestrec.scoring.rank_settings import RankSettings

if TYPE_CHECKING:
    from interestrec.scorers.intensity import Intensity
    from interestrec.scorers.strength import Strength

_KNOWN, _COLD = "decision.known_items", "decision.cold_items"  # names of arrays; those of scorers begin with its name
AFTER = "after"  # key of a decision's configuration: the digest of the decision that it was updated from
ITEM_VECTORS = "rules.item_vectors"  # float32 [items, width], by which lists are made diverse
NEW_TEXT_VECTORS = "new_items.text_vectors"  # see ScorerInputs
_TALLY = "tally.{}."  # begins the names of the arrays of a scorer's tally
_SCORE, _INTENSITY = "calibration.{}.score", "calibration.{}.intensity"  # of a system
_MADE_WITH = ("rules", "components", "estimators", "retrieve", "search")  # keys of `rank` that a decision is of


class DecisionContext(NamedTuple):
    """What is recorded with fitted systems, so that lists can be made from them alone."""

    settings: Mapping[str, Any]  # the section `rank` as JSON values, without the file of available items
    relevant_at: float | None
    seed: int
    known_before: int | None  # microseconds: the scorers know the events before it; None = those of train and valid
    train_events: int
    events_are_labels: bool  # whether every request of the corpus was made of one event
    value_maps: Mapping[str, Any]  # fitted, by type of event, for events that come later
    pseudonyms: str | None  # fingerprint of the key of the log's user ids
    feedback: int = 0  # number of records of the workspace's journal of events that the log has, from the first one

    def require_rank(self, rank: RankSettings, path: Path) -> None:
        """Check that the decision at `path` was made with these values of `rank`; others are read at an answer.

        Raises:
            ConfigError: it was made with others.
        """
        values = rank.model_dump(mode="json", include=set(_MADE_WITH), exclude={"rules": {"available"}})
        if different := [f"rank.{name}" for name in _MADE_WITH if values[name] != self.settings[name]]:
            raise ConfigError(
                f"{path}: the decision was made with other values of {', '.join(different)}; run `interestrec rank`"
            )


def write_systems(
    directory: Path,
    systems: FittedSystems,
    context: DecisionContext,
    shared: Mapping[str, np.ndarray | None],
    tallies: Mapping[str, StorableTally] = MappingProxyType({}),
) -> None:
    """Write fitted systems; an array that several scorers share is written once.

    Args:
        shared: ITEM_VECTORS and NEW_TEXT_VECTORS; None = there are none.
        tallies: of scorers that follow events by them.
    """
    arrays: dict[str, np.ndarray] = {name: array for name, array in shared.items() if array is not None}
    of_tallies = {name: tally.arrays() for name, tally in tallies.items()}
    for name, parts in of_tallies.items():
        arrays |= {f"{_TALLY.format(name)}{part}": array for part, array in parts.items()}
    written: dict[int, str] = {}  # identity of an array -> its name
    scorers: dict[str, dict[str, str] | None] = {}
    for name, scorer in systems.ensemble.scorers.items():
        if scorer_definition(name).fitted_on == MODEL and cast("Intensity | Strength", scorer).needs_encoder:
            scorers[name] = None  # it is opened from the artifact `model`
            continue
        own = cast("StorableScorer", scorer).arrays()
        keys = {part: written.setdefault(id(array), f"{name}.{part}") for part, array in own.items()}
        arrays |= {keys[part]: array for part, array in own.items()}
        scorers[name] = keys
    described, of_systems = _describe_systems(systems.ensemble)
    content = {
        **context._asdict(),
        "shared": sorted(name for name, array in shared.items() if array is not None),
        "tallies": {name: sorted(parts) for name, parts in of_tallies.items()},
        "scorers": list(scorers.items()),  # JSON objects have no order, and sums are rounded in the order of terms
        "systems": list(described.items()),
        "selected": systems.selection.settings,
        "tried": systems.selection.trials,
        "description": dict(systems.ensemble.description),
    }
    files.write_json(directory / artifact_files.DECISION, content)
    write_arrays(directory, artifact_files.SCORERS, arrays | of_systems)


def read_context(directory: Path) -> DecisionContext:
    """Read what is recorded with the systems of a decision.

    Raises:
        ArtifactError: the file is not that of a decision.
    """
    content = _content(directory)
    return DecisionContext(**{name: content[name] for name in DecisionContext._fields})


def read_systems(
    directory: Path, inputs: ScorerInputs, only: str | None = None, with_bases: bool = False
) -> FittedSystems:
    """Restore fitted systems; their scores have the bits of those that were written.

    Args:
        inputs: of scorers that are opened from the artifact `model`, as they need an encoder.
        only: system whose scorers are read; None = all.
        with_bases: whether the scorers that others are fitted on are read as well.

    Raises:
        ArtifactError: a file is damaged, or the decision lacks the system.
    """
    content = _content(directory)
    described = dict(content["systems"])
    if only is not None:
        if only not in described:
            raise ArtifactError(f"{directory}: has no system {only}; add it to rank.systems and run `interestrec rank`")
        described = {only: described[only]}
    needed = {scorer for values in described.values() for scorer in _scorers_of(values)}
    if with_bases:
        needed |= set(required_scorers(sorted(needed)))
    stored = {name: parts for name, parts in content["scorers"] if name in needed}
    keys = [key for parts in stored.values() if parts is not None for key in parts.values()]
    arrays = read_arrays(directory, artifact_files.SCORERS, [*keys, *_arrays_of(described)])
    scorers: dict[str, Scorer] = {}
    for name, parts in stored.items():
        if parts is None:
            scorers[name] = fit_scorer(name, None, inputs, {}, {})
        else:
            restored = {part: arrays[key] for part, key in parts.items()}
            scorers[name] = scorer_definition(name).scorer.from_arrays(restored)
    systems = {name: _system(values, arrays) for name, values in described.items()}
    predictions = {name: _prediction(name, values["intensity"], arrays) for name, values in described.items()}
    ensemble = Ensemble(scorers, systems, predictions, content["description"])
    return FittedSystems(ensemble, FittedScorers(scorers, content["selected"], content["tried"]))


def read_shared(directory: Path, name: str) -> np.ndarray | None:
    """Read ITEM_VECTORS or NEW_TEXT_VECTORS; None if the decision has none."""
    if name not in _content(directory)["shared"]:
        return None
    return read_arrays(directory, artifact_files.SCORERS, [name])[name]


def read_tallies(directory: Path) -> dict[str, StorableTally]:
    """Read the tallies of scorers; those that the decision has."""
    found: dict[str, StorableTally] = {}
    for name, parts in _content(directory)["tallies"].items():
        keys = {f"{_TALLY.format(name)}{part}": part for part in parts}
        arrays = read_arrays(directory, artifact_files.SCORERS, keys)
        tally = scorer_definition(name).tally
        assert tally is not None, f"a tally of {name}, which has none"
        found[name] = tally.kind.from_arrays({part: arrays[key] for key, part in keys.items()})
    return found


def write_log(directory: Path, tables: KnownLog) -> None:
    """Write the items, users and timelines from which requests and lists are made."""
    log = directory / artifact_files.LOG
    log.mkdir()
    tables.write(log)


def open_log(directory: Path, relevant_at: float | None) -> Corpus:
    """Open the log of a decision: a corpus without impressions."""
    return Corpus(directory / artifact_files.LOG, relevant_at)


def _content(directory: Path) -> dict[str, Any]:
    path = directory / artifact_files.DECISION
    content = files.read_json(path)
    expected = {*DecisionContext._fields, "shared", "tallies", "scorers", "systems", "selected", "tried", "description"}
    if not isinstance(content, dict) or content.keys() != expected:
        raise ArtifactError(f"{path}: not a decision of this release; run `interestrec rank --force`")
    return content


def _describe_systems(ensemble: Ensemble) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the systems as JSON values, and their arrays."""
    described: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, system in ensemble.systems.items():
        values: dict[str, Any] = {"scorer": system}
        if isinstance(system, Decision):
            names = list(voters(system.components))
            values = {
                "components": list(system.components.items()),
                "impressions": blend_values(system.candidate_blend, names),
                "catalogue": blend_values(system.catalogue_blend, names),
            }
            arrays |= {_KNOWN: system.known_items, _COLD: system.cold_items}
        prediction = ensemble.predictions[name]
        if isinstance(prediction, IntensityEstimate):
            values["intensity"] = list(prediction.weights.items())
        else:
            values["intensity"] = None  # by its calibration
            arrays |= {_SCORE.format(name): prediction.score, _INTENSITY.format(name): prediction.intensity}
        described[name] = values
    return described, arrays


def _scorers_of(values: Mapping[str, Any]) -> list[str]:
    """Return the scorers that a system needs."""
    own = [values["scorer"]] if "scorer" in values else list(voters(dict(values["components"])).values())
    return [*own, *(name for name, _ in values["intensity"] or () if name != CONSTANT)]


def _arrays_of(described: Mapping[str, Any]) -> list[str]:
    """Return the names of the arrays of systems."""
    names = [_KNOWN, _COLD] if any("components" in values for values in described.values()) else []
    for name, values in described.items():
        if values["intensity"] is None:
            names += [_SCORE.format(name), _INTENSITY.format(name)]
    return names


def _system(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str | Decision:
    if "scorer" in values:
        return str(values["scorer"])
    components = dict(values["components"])
    names = list(voters(components))
    return Decision(
        components=components,
        candidate_blend=read_blend(values["impressions"], names),
        catalogue_blend=read_blend(values["catalogue"], names),
        known_items=arrays[_KNOWN],
        cold_items=arrays[_COLD],
    )


def _prediction(
    name: str, weights: Sequence[tuple[str, float]] | None, arrays: Mapping[str, np.ndarray]
) -> Isotonic | IntensityEstimate:
    if weights is not None:
        return IntensityEstimate(dict(weights))
    return Isotonic(arrays[_SCORE.format(name)], arrays[_INTENSITY.format(name)])
