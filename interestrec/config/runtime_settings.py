"""The `runtime` section of the configuration: devices, memory, keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from interestrec.core.section import Count, Positive, Section
from interestrec.io.keys import KeySource


class RuntimeSettings(Section):
    """How to run: devices, memory, keys. Of these only `precision` enters an artifact's digest."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where training and scoring run: `auto` on a GPU where there is one, `cpu`, or `gpu`, which fails where there is
    none."""
    distribution: Literal["auto", "single", "mirrored", "multi_worker"] = "auto"
    """Devices that train together: `single` one, `mirrored` all of this machine, `multi_worker` the machines in
    `TF_CONFIG`, `auto` chooses by `TF_CONFIG` and the number of GPUs."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the encoder's matrix products: `float32`; `bfloat16` or `float16` are faster on GPUs and less
    exact."""
    tensorboard: Path | None = None
    """Directory for TensorBoard scalars of training; `null` = none are written."""
    threads: Count | None = None
    """Most CPU threads; `null` = one per core."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between checkpoints of a training run, from which a run that was cut off resumes; 0 = after every
    step."""
    encryption_key: KeySource | None = None
    """File of the key (mode 0600, at least 32 bytes), or `fd:N` for an open descriptor, that Parquet artifacts are
    encrypted with; `null` = no encryption."""
    memory: Positive = 2.0
    """GiB of memory that the database of `preprocess` may use before it spills to disk."""
