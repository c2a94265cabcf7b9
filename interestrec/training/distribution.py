"""Distribution of training over devices and machines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from interestrec.core.errors import PeerLostError
from interestrec.core.workers import worker_number, workers
from interestrec.model.backend import tf

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)


def choose_strategy(distribution: str) -> tf.distribute.Strategy:
    """Return the strategy of a run; for `multi_worker`, this must be called before TensorFlow computes anything.

    Args:
        distribution: `single` (one device), `mirrored` (all devices of this machine), `multi_worker` (those of the
            machines in TF_CONFIG), or `auto`: `multi_worker` if TF_CONFIG names several workers, else `mirrored`
            if there are several GPUs, else `single`.

    Raises:
        ConfigError: TF_CONFIG is missing, is not JSON, or names task types that are not supported.
    """
    if workers(distribution):
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.get_visible_devices("GPU")
    if distribution == "mirrored" or (distribution == "auto" and len(gpus) > 1):
        devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def local_replicas(strategy: tf.distribute.Strategy) -> range:
    """Return the numbers of this process's replicas among those of all workers."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return range(strategy.num_replicas_in_sync)
    replicas, worker = len(strategy.extended.worker_devices), worker_number("multi_worker")
    return range(worker * replicas, (worker + 1) * replicas)


def same_on_all_workers(strategy: tf.distribute.Strategy, value: int) -> bool:
    """Whether all processes pass the same value."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True

    @tf.function(autograph=False)
    def gather() -> Any:
        def replica() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(tf.constant([value], tf.int64), axis=0)

        return strategy.run(replica)

    values = strategy.experimental_local_results(gather())[0].numpy()
    return bool((values == value).all())


@contextmanager
def raise_peer_loss() -> Iterator[None]:
    """Convert errors that mean the loss of another worker.

    Raises:
        PeerLostError: a worker ended or cannot be reached.
    """
    try:
        yield
    except _LOST as error:
        raise PeerLostError(
            f"another worker is gone ({type(error).__name__}); run the same command on all workers again to resume"
        ) from error
