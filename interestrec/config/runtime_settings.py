"""The `runtime` section of the configuration: devices, memory, keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from interestrec.core.section import Count, Positive, Section
from interestrec.encoding.encoder_settings import FLOAT32, ONNX_INT8
from interestrec.io.keys import KeySource


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
    """What encodes texts with frozen weights: TensorFlow, or `onnx-int8` = onnxruntime on the CPU, faster and less
    exact (`pip install 'interestrec[int8]'`); not for layers or a pooling that `finetune` trains."""
    tensorboard: Path | None = None
    """Directory for TensorBoard scalars of training; `null` = no scalars."""
    threads: Count | None = None
    """Maximum number of CPU threads; `null` = one per core."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between checkpoints of a training run, from which an interrupted run resumes; 0 = after every step."""
    encryption_key: KeySource | None = None
    """Key that encrypts Parquet artifacts: a file (mode 0600, at least 32 bytes), or `fd:N` for an open file
    descriptor; `null` = no encryption. `serve`, `update --feedback` and `export` refuse it."""
    memory: Positive = 2.0
    """Memory in GiB that the database of `preprocess` may use; the rest of it is on disk."""

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
