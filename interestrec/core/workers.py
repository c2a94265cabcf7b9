"""Which process of a distributed run this is: what TF_CONFIG says, read without TensorFlow."""

import json
import os
from typing import Any

from interestrec.core.errors import ConfigError

_TF_CONFIG = "TF_CONFIG"


def workers(distribution: str) -> list[str]:
    """Addresses of the workers of a run, the chief first; none where it is the run of one process.

    Args:
        distribution: of `runtime`; only `auto` and `multi_worker` look at TF_CONFIG.

    Raises:
        ConfigError: TF_CONFIG is missing though `multi_worker` asks for it, is no JSON, or names what is not run.
    """
    if distribution not in ("auto", "multi_worker"):
        return []
    cluster = _configuration().get("cluster", {})
    if "ps" in cluster:
        raise ConfigError(
            f"{_TF_CONFIG} names parameter servers, which this release does not train with; name workers only"
        )
    found = [*cluster.get("chief", []), *cluster.get("worker", [])]
    if distribution == "multi_worker" and not found:
        raise ConfigError(f"runtime.distribution is multi_worker, but {_TF_CONFIG} names no workers; set it on each")
    return found if len(found) > 1 or distribution == "multi_worker" else []


def worker_number(distribution: str) -> int:
    """Which of `workers` this process is; 0, the chief, is the one that writes.

    Raises:
        ConfigError: as `workers`, or TF_CONFIG does not say which.
    """
    if not workers(distribution):
        return 0
    task, chiefs = _configuration().get("task", {}), len(_configuration()["cluster"].get("chief", []))
    if task.get("type") not in ("chief", "worker") or not str(task.get("index", "")).isdecimal():
        raise ConfigError(f"{_TF_CONFIG} has no task with type (chief or worker) and index; set it on each worker")
    return int(task["index"]) + (chiefs if task["type"] == "worker" else 0)


def _configuration() -> dict[str, Any]:
    try:
        found = json.loads(os.environ.get(_TF_CONFIG) or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"{_TF_CONFIG} is no JSON ({error}); see the documentation of tf.distribute") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{_TF_CONFIG} is no JSON object; see the documentation of tf.distribute")
    return found
