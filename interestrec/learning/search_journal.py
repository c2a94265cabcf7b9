"""The journal of a search: an Optuna study in an append-only file, which several processes share.

Optuna's own tools read it. What a search goes by is in the user attributes of trials: the settings, and one
measurement per rung.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.core.errors import ArtifactError, from_os_error
from interestrec.learning.halving import Measurement, TrialState
from interestrec.learning.proposals import Proposal
from interestrec.learning.search_space import Dimension

if TYPE_CHECKING:
    import optuna
    from optuna.storages import JournalStorage

_STUDY = "search"
_SETTINGS, _RUNG, _FAULT, _CURVE = "settings", "rung-", "fault", "curve"  # user attributes of a trial


class SearchJournal:
    """The trials of one system.

    Args:
        path: of the file; it is created.
        space: the dimensions.
    """

    def __init__(self, path: Path, space: Mapping[str, Dimension]) -> None:
        self._path, self._space = path, space

    @cached_property
    def _storage(self) -> "JournalStorage":
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self._path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(self._path), lock_obj=JournalLock(self._path)))

    @cached_property
    def study(self) -> "optuna.Study":
        """The study of Optuna.

        Raises:
            ArtifactError: the file is damaged.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            return optuna.create_study(
                storage=self._storage, study_name=_STUDY, direction="maximize", load_if_exists=True
            )
        except OSError as error:
            raise from_os_error(error, self._path) from error
        except ValueError as error:
            raise ArtifactError(
                f"{self._path}: the journal of a search is damaged ({error}); remove its directory to start anew"
            ) from error

    def trials(self) -> list[TrialState]:
        """Return what is known of all trials, by number."""
        return [
            TrialState(trial.number, _measured(trial.user_attrs)) for trial in self.study.get_trials(deepcopy=False)
        ]

    def settings(self, number: int) -> dict[str, Any]:
        """Return the settings of a trial by dotted key."""
        return dict(json.loads(self._trial(number).user_attrs[_SETTINGS]))

    def notes(self, number: int) -> dict[str, Any]:
        """Return what the sampler stored with a trial."""
        return dict(self._trial(number).system_attrs)

    def fault(self, number: int) -> str | None:
        """Return why a trial could not be measured; None where it could."""
        return self._trial(number).user_attrs.get(_FAULT)

    def begin(self, proposal: Proposal) -> None:
        """Append a trial that is to be measured."""
        from optuna.trial import TrialState as State
        from optuna.trial import create_trial

        known = {name: value for name, value in proposal.settings.items() if name in self._space}
        inside = all(self._space[name].contains(value) for name, value in known.items())
        self.study.add_trial(
            create_trial(
                state=State.RUNNING,
                params=known if inside else {},  # the configured settings may lie outside of the space
                distributions={name: self._space[name].distribution() for name in known} if inside else {},
                user_attrs={_SETTINGS: json.dumps(proposal.settings)},
                system_attrs=proposal.notes,
            )
        )

    def record(self, number: int, rung: int, measured: Measurement, fault: str | None) -> None:
        """Append a measurement.

        Args:
            fault: why the score is not a number.
        """
        trial = self._id(number)
        if fault is not None:
            self._storage.set_trial_user_attr(trial, _FAULT, fault)
        else:
            self._storage.set_trial_intermediate_value(trial, rung, measured.score)
        value = {"score": None if fault is not None else measured.score, "seconds": measured.seconds}
        self._storage.set_trial_user_attr(trial, f"{_RUNG}{rung}", json.dumps(value))

    def keep_curve(self, number: int, curve: Mapping[int, float]) -> None:
        """Append the validation scores of a training by epoch."""
        text = json.dumps({str(epoch): score for epoch, score in curve.items()})
        self._storage.set_trial_user_attr(self._id(number), _CURVE, text)

    def curve(self, number: int) -> dict[int, float]:
        """Return the validation scores of a training by epoch; empty for what is not trained in epochs."""
        stored = json.loads(self._trial(number).user_attrs.get(_CURVE, "{}"))
        return {int(epoch): score for epoch, score in stored.items()}

    def close(self, last_rung: int) -> None:
        """Tell Optuna how the trials ended, for its own tools."""
        from optuna.trial import TrialState as State

        for trial, state in zip(self.study.get_trials(deepcopy=False), self.trials(), strict=True):
            if trial.state.is_finished():
                continue
            if trial.user_attrs.get(_FAULT) is not None:
                self.study.tell(trial.number, state=State.FAIL)
            elif last_rung in state.measured:
                self.study.tell(trial.number, state.measured[last_rung].score)
            elif state.measured:
                self.study.tell(trial.number, state=State.PRUNED)

    def _trial(self, number: int) -> "optuna.trial.FrozenTrial":
        return self.study.get_trials(deepcopy=False)[number]

    def _id(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number))

    @cached_property
    def _study_id(self) -> int:
        return int(self._storage.get_study_id_from_name(self.study.study_name))


def _measured(attributes: Mapping[str, Any]) -> dict[int, Measurement]:
    found = {}
    for name, text in attributes.items():
        if name.startswith(_RUNG):
            value = json.loads(text)
            score = float("nan") if value["score"] is None else float(value["score"])
            found[int(name.removeprefix(_RUNG))] = Measurement(score, value["seconds"])
    return found


class JournalLock:
    """The lock of a journal for Optuna: the kernel releases it when its holder ends; a torn last record is removed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        _remove_torn_record(self._descriptor)
        return True

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)


def _remove_torn_record(descriptor: int) -> None:
    """Cut a file after its last line break: a process was killed while it wrote what follows."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    content = os.pread(descriptor, size, 0)
    os.ftruncate(descriptor, content.rfind(b"\n") + 1)
