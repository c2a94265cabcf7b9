"""Workers and task index of a distributed run, read from TF_CONFIG without importing TensorFlow."""

import json
import os
from typing import Any

from interestrec.core.errors import ConfigError

_TF_CONFIG = "TF_CONFIG"


def workers(distribution: str) -> list[str]:
    """Return the addresses of the workers, the chief first; empty for a run of one process.

    Args:
        distribution: the key of `runtime`; only `auto` and `multi_worker` read TF_CONFIG.

    Raises:
        ConfigError: `multi_worker` is set without TF_CONFIG, or TF_CONFIG is not JSON or names parameter servers.
    """
    if distribution not in ("auto", "multi_worker"):
        return []
    cluster = _configuration().get("cluster", {})
    if "ps" in cluster:
        raise ConfigError(
            f"{_TF_CONFIG} names parameter servers, which this release does not support; name workers only"
        )
    addresses = [*cluster.get("chief", []), *cluster.get("worker", [])]
    if distribution == "multi_worker" and not addresses:
        raise ConfigError(
            f"runtime.distribution is multi_worker, but {_TF_CONFIG} names no workers; set it on each worker"
        )
    return addresses if len(addresses) > 1 or distribution == "multi_worker" else []


def worker_number(distribution: str) -> int:
    """Return the position of this process in `workers`; 0 is the chief, which writes the artifacts.

    Raises:
        ConfigError: as for `workers`, or TF_CONFIG has no valid task.
    """
    if not workers(distribution):
        return 0
    task, chiefs = _configuration().get("task", {}), len(_configuration()["cluster"].get("chief", []))
    if task.get("type") not in ("chief", "worker") or not str(task.get("index", "")).isdecimal():
        raise ConfigError(f"{_TF_CONFIG} has no task with type (chief or worker) and index; set it on each worker")
    return int(task["index"]) + (chiefs if task["type"] == "worker" else 0)


def _configuration() -> dict[str, Any]:
    try:
        configuration = json.loads(os.environ.get(_TF_CONFIG) or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"{_TF_CONFIG} is not JSON ({error}); see the documentation of tf.distribute") from error
    if not isinstance(configuration, dict):
        raise ConfigError(f"{_TF_CONFIG} is not a JSON object; see the documentation of tf.distribute")
    return configuration
