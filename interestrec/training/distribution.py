"""Which devices of which machines train together, and which of the processes writes."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from interestrec.core.errors import ConfigError, PeerLostError

_TF_CONFIG = "TF_CONFIG"
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)


def choose(distribution: str) -> tf.distribute.Strategy:
    """The strategy of a run; for `multi_worker` it must come before TensorFlow computes anything.

    Args:
        distribution: `single` (one device), `mirrored` (all devices of this machine), `multi_worker` (those of the
            machines in TF_CONFIG), or `auto`: the last where TF_CONFIG names several workers, else `mirrored` where
            there are several GPUs, else `single`.

    Raises:
        ConfigError: TF_CONFIG is missing, no JSON, or names what this loop does not run.
    """
    workers = _workers() if distribution in ("auto", "multi_worker") else []
    if distribution == "multi_worker" and not workers:
        raise ConfigError(f"runtime.distribution is multi_worker, but {_TF_CONFIG} names no workers; set it on each")
    if distribution == "auto":
        several = len(tf.config.get_visible_devices("GPU")) > 1
        distribution = "multi_worker" if len(workers) > 1 else "mirrored" if several else "single"
    if distribution == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if distribution == "mirrored":
        kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.get_strategy()


def is_chief() -> bool:
    """Whether this process is the one that writes: the first worker, or the only process there is."""
    task, kind = _task(), "chief" if _configuration().get("cluster", {}).get("chief") else "worker"
    return not task or (task.get("type") == kind and int(task.get("index", 0)) == 0)


def local_replicas(strategy: tf.distribute.Strategy) -> range:
    """Numbers of this process's replicas among those of all workers."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return range(strategy.num_replicas_in_sync)
    task, here = _task(), len(strategy.extended.worker_devices)
    chiefs = len(_configuration()["cluster"].get("chief", []))
    worker = int(task["index"]) + (chiefs if task["type"] == "worker" else 0)
    return range(worker * here, (worker + 1) * here)


def same_everywhere(strategy: tf.distribute.Strategy, value: int) -> bool:
    """Whether all processes have the same number."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True

    @tf.function
    def total() -> Any:
        def replica() -> tf.Tensor:
            pair = tf.stack([tf.constant(value, tf.float32), tf.constant(value, tf.float32) ** 2])
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, pair)

        return strategy.run(replica)

    mean, squares = strategy.experimental_local_results(total())[0].numpy()
    return bool(abs(squares - mean**2) < 0.5 / strategy.num_replicas_in_sync)


@contextmanager
def peers() -> Iterator[None]:
    """Tell the loss of another worker from other failures.

    Raises:
        PeerLostError: one ended or cannot be reached.
    """
    try:
        yield
    except _LOST as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise PeerLostError(
            f"another worker is gone ({reason}); run the same command on all workers again to go on"
        ) from error


def _workers() -> list[str]:
    cluster = _configuration().get("cluster", {})
    if "ps" in cluster:
        raise ConfigError(
            f"{_TF_CONFIG} names parameter servers, which this release does not train with; name workers only"
        )
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _task() -> dict[str, Any]:
    return dict(_configuration().get("task", {}))


def _configuration() -> dict[str, Any]:
    try:
        found = json.loads(os.environ.get(_TF_CONFIG) or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"{_TF_CONFIG} is no JSON ({error}); see the documentation of tf.distribute") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{_TF_CONFIG} is no JSON object; see the documentation of tf.distribute")
    return found
