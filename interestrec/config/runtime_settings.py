"""The `runtime` section of the configuration: devices, memory, keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from interestrec.core.section import Choice, Count, Positive, Section
from interestrec.encoding.encoder_settings import FLOAT32, ONNX_INT8
from interestrec.io.keys import KeySource, is_descriptor
from interestrec.tracking.trackers import TRACKERS


class ClusterSettings(Section):
    """Workers of Dask distributed, which make parts of stages; set one of the keys."""

    address: Annotated[str, Field(pattern=r"^(tcp|tls)://[^/\s]+:\d{1,5}$")] | None = None
    """Address of a scheduler that is running, such as `tcp://host:8786`; its workers must see the files of this process
    under the same paths."""
    local: Count | None = None
    """Number of workers, each a process of one thread on this machine, that are started for the command."""

    @model_validator(mode="after")
    def _one_place(self) -> "ClusterSettings":
        if (self.address is None) == (self.local is None):
            raise ValueError("set either address or local")
        return self


class RuntimeSettings(Section):
    """Devices, memory and keys. Only what changes numbers enters the digests of artifacts: `precision`,
    `tensor_float_32`, `encoder` and, for lists, `device: gpu`."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Device for training and encoding: `auto` = a GPU if there is one, else `cpu`; `gpu` fails if there is none, and
    `rank` then uses it as well to score whole catalogues by the trained model."""
    distribution: Literal["auto", "single", "mirrored", "multi_worker"] = "auto"
    """Devices that train together: `single` = one device, `mirrored` = all devices of this machine, `multi_worker` =
    the machines in `TF_CONFIG`; `auto` decides by `TF_CONFIG` and the number of GPUs."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the encoder's matrix products; `bfloat16` and `float16` are faster on GPUs and less exact than
    `float32`."""
    tensor_float_32: bool = False
    """Whether GPUs may round the factors of `float32` matrix products to the 10 bits of TF32, which is several times as
    fast on those that have it."""
    encoder: Literal["float32", "onnx-int8"] = "float32"
    """What encodes texts with frozen weights: `float32` = TensorFlow, or `onnx-int8` = onnxruntime on the CPU, faster
    and less exact (`pip install 'interestrec[int8]'`); not for layers or a pooling that `finetune` trains."""
    tracking: list[Annotated[str, Choice(TRACKERS)]] = []
    """Tools that get the figures of trainings and reports, each figure once, without a network; none by default."""
    tracking_directory: Path | None = None
    """Directory in which each of `tracking` has a directory of its name; `null` = `tracking` in the workspace."""
    threads: Count | None = None
    """Maximum number of CPU threads; `null` = one per core."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between checkpoints of a training run, from which an interrupted run resumes; 0 = after every step."""
    encryption_key: KeySource | None = None
    """Key that encrypts Parquet artifacts: a file (mode 0600, at least 32 bytes), or `fd:N` for an open file
    descriptor; `null` = no encryption. `serve`, `update --feedback` and `export` refuse it."""
    memory: Positive = 2.0
    """Memory in GiB that the database of `preprocess` may use; the rest of it is on disk. Also the limit of each worker
    of `cluster.local`, which is restarted when it needs more."""
    cluster: ClusterSettings | None = None
    """Workers that make parts of `preprocess`, `encode`, `rank` and `evaluate`, with equal results; `null` = this
    process does all. Needs the extra `cluster`."""

    @model_validator(mode="after")
    def _shared_key(self) -> "RuntimeSettings":
        if self.cluster is not None and is_descriptor(self.encryption_key):
            raise ValueError("encryption_key: workers of `cluster` cannot read a file descriptor; name a file")
        return self

    @property
    def products(self) -> str:
        """The arithmetic of matrix products by TensorFlow, for the recipes of artifacts."""
        return f"{self.precision}, TF32" if self.tensor_float_32 else self.precision

    @property
    def numeric_mode(self) -> str:
        """The arithmetic that a model and the vectors of its texts depend on, for the recipes of artifacts."""
        return self.products if self.encoder == FLOAT32 else f"{self.products}, texts {ONNX_INT8}"

    @property
    def scoring_mode(self) -> dict[str, str]:
        """The arithmetic that scores of whole catalogues depend on, for the recipes of artifacts; empty for NumPy."""
        return {"numeric": f"{self.products}, gpu"} if self.device == "gpu" else {}
