"""The device, its threads, and everything that must be set before TensorFlow computes."""

from interestrec.core.errors import DeviceError
from interestrec.model.backend import keras, tf
from interestrec.training.distribution import choose_strategy


def prepare(device: str, threads: int | None, seed: int, distribution: str = "single") -> tf.distribute.Strategy:
    """Choose the devices, seed every generator and make operations deterministic.

    Args:
        device: `auto` (a GPU where there is one), `cpu` or `gpu`.
        threads: of the CPU; None leaves all cores. Once TensorFlow has started in a process it cannot change.

        distribution: see `distribution.choose_strategy`.

    Returns:
        The strategy within whose scope weights are made.

    Raises:
        ConfigError: as `distribution.choose_strategy`.
        DeviceError: `gpu` is asked for and there is none. There is no fallback.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise DeviceError(
            "runtime.device is gpu, but TensorFlow sees none; check the driver and install interestrec[gpu]"
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    if threads is not None and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    strategy = choose_strategy(distribution)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return strategy
