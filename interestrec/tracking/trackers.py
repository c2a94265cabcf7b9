"""The trackers by name."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec

from interestrec.core.errors import ConfigError
from interestrec.tracking.mlflow_tracker import MLFLOW
from interestrec.tracking.tensorboard_tracker import TENSORBOARD
from interestrec.tracking.tracker import TrackerKind
from interestrec.tracking.wandb_tracker import WANDB

TRACKERS: Mapping[str, TrackerKind] = {"tensorboard": TENSORBOARD, "wandb": WANDB, "mlflow": MLFLOW}


def require_installed(names: Iterable[str]) -> None:
    """Check that the packages of trackers are installed, without importing them.

    Raises:
        ConfigError: one is missing; the message names the extra.
    """
    for name in names:
        kind = TRACKERS[name]
        for module in kind.modules:
            if find_spec(module) is None:
                raise ConfigError(
                    f"runtime.tracking: {name} needs the package {module}; run: pip install 'interestrec[{kind.extra}]'"
                )
