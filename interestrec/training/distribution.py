"""Which devices of which machines train together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from interestrec.core.errors import PeerLostError
from interestrec.core.workers import worker_number, workers
from interestrec.model.backend import tf

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)


def choose_strategy(distribution: str) -> tf.distribute.Strategy:
    """The strategy of a run; for `multi_worker` it must come before TensorFlow computes anything.

    Args:
        distribution: `single` (one device), `mirrored` (all devices of this machine), `multi_worker` (those of the
            machines in TF_CONFIG), or `auto`: the last where TF_CONFIG names several workers, else `mirrored` where
            there are several GPUs, else `single`.

    Raises:
        ConfigError: TF_CONFIG is missing, no JSON, or names what this loop does not run.
    """
    if workers(distribution):
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.get_visible_devices("GPU")
    if distribution == "mirrored" or (distribution == "auto" and len(gpus) > 1):
        devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def local_replicas(strategy: tf.distribute.Strategy) -> range:
    """Numbers of this process's replicas among those of all workers."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return range(strategy.num_replicas_in_sync)
    here, worker = len(strategy.extended.worker_devices), worker_number("multi_worker")
    return range(worker * here, (worker + 1) * here)


def same_on_all_workers(strategy: tf.distribute.Strategy, value: int) -> bool:
    """Whether all processes have the same number."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True

    @tf.function(autograph=False)
    def gathered() -> Any:
        def replica() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(tf.constant([value], tf.int64), axis=0)

        return strategy.run(replica)

    found = strategy.experimental_local_results(gathered())[0].numpy()
    return bool((found == value).all())


@contextmanager
def raise_peer_loss() -> Iterator[None]:
    """Tell the loss of another worker from other failures.

    Raises:
        PeerLostError: one ended or cannot be reached.
    """
    try:
        yield
    except _LOST as error:
        raise PeerLostError(
            f"another worker is gone ({type(error).__name__}); run the same command on all workers again to go on"
        ) from error
