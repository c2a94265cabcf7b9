"""Training figures for TensorBoard."""

from collections.abc import Callable, Mapping
from pathlib import Path

from interestrec.core.errors import CannotCreateError
from interestrec.model.backend import tf

# As tf.summary.scalar writes it, but without the package tensorboard, which only viewing requires.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,  # DATA_CLASS_SCALAR
)


def scalar_writer(directory: Path | None, run: str) -> Callable[[int, Mapping[str, float]], None] | None:
    """Return a function that writes the figures of a step below `directory / run`; None without a directory.

    Raises:
        CannotCreateError: the directory cannot be created.
    """
    if directory is None:
        return None
    try:
        (directory / run).mkdir(parents=True, exist_ok=True)
        writer = tf.summary.create_file_writer(str(directory / run))
    except (OSError, tf.errors.OpError) as error:
        raise CannotCreateError(f"{directory / run}: cannot create the directory ({error})") from error

    def watch(step: int, figures: Mapping[str, float]) -> None:
        with writer.as_default(step=step):
            for name, value in figures.items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)

    return watch
