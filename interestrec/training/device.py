"""The device and everything else that must be configured before TensorFlow computes."""

from interestrec.core.errors import DeviceError
from interestrec.model.backend import keras, tf
from interestrec.training.distribution import choose_strategy


def prepare(
    device: str, threads: int | None, seed: int, distribution: str = "single", tensor_float_32: bool = False
) -> tf.distribute.Strategy:
    """Choose the devices, seed all generators and make operations deterministic.

    Args:
        device: `auto` (a GPU if there is one), `cpu` or `gpu`.
        threads: of the CPU; None uses all cores. It cannot change once TensorFlow has started in a process.
        distribution: see `distribution.choose_strategy`.
        tensor_float_32: whether GPUs round factors of float32 products to TF32, which is TensorFlow's default.

    Returns:
        The strategy in whose scope weights must be created.

    Raises:
        ConfigError: as in `distribution.choose_strategy`.
        DeviceError: `device` is `gpu` and there is none; there is no fallback.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise DeviceError(
            "runtime.device is gpu, but TensorFlow finds no GPU; check the driver and install interestrec[gpu]"
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    if threads is not None and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
    strategy = choose_strategy(distribution)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return strategy
