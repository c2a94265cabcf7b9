"""Conversion of the published EfficientNet-Lite0 weights to a directory in Hugging Face layout."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from interestrec.core.errors import ArtifactError, DataError
from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, PREPARATION, WEIGHTS
from interestrec.io.torch_tensors import read_torch_tensors

MODEL_TYPE = "efficientnet-lite0"
_EPSILON = 1e-3  # of batch normalisation
_SIZE = 224
_NORM_OF = {
    "conv_stem": "bn0",
    "expand_conv": "bn0",
    "depthwise_conv": "bn1",
    "project_conv": "bn2",
    "conv_head": "bn1",
}
_PREPARATION = {
    "image_processor_type": "EfficientNetImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": _SIZE, "width": _SIZE},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
}


def convert_efficientnet_lite(source: Path, target: Path) -> None:
    """Write `config.json`, `model.safetensors` and `preprocessor_config.json` into an existing directory.

    Batch normalisation is folded into the convolutions; the classifier of ImageNet is kept as `fc`.

    Args:
        source: directory with one file `*.pth`, or that file.

    Raises:
        DataError: the directory has no such file, or several.
        ArtifactError: the file is damaged or holds another network.
    """
    found = sorted(source.glob("*.pth")) if source.is_dir() else [source]
    if len(found) != 1:
        raise DataError(f"{source}: has {len(found)} files *.pth, not one; give the file")
    tensors = read_torch_tensors(found[0])
    try:
        folded = _folded(tensors)
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{found[0]}: is not an EfficientNet-Lite0 ({error}); fetch it again") from error
    files.write_safetensors(target / WEIGHTS, folded, {"format": "pt"})
    architecture = ["EfficientNetLiteForImageClassification"]
    files.write_json(target / CONFIG, {"model_type": MODEL_TYPE, "architectures": architecture})
    files.write_json(target / PREPARATION, _PREPARATION)


def _folded(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fold y = γ (W x − μ) / √(σ² + ε) + β into a kernel and a bias, in double precision."""
    folded = {"fc.weight": tensors["_fc.weight"], "fc.bias": tensors["_fc.bias"]}
    for name, kernel in tensors.items():
        module = name.removesuffix(".weight")
        path, _, convolution = module.rpartition("._") if "." in module else ("", "", module.removeprefix("_"))
        if not name.endswith(".weight") or convolution not in _NORM_OF:
            continue
        path = f"{path}." if path else ""
        norm = f"{path}_{_NORM_OF[convolution]}"
        gamma, beta, mean, variance = (
            tensors[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        plain = f"{path.removeprefix('_')}{convolution}"
        folded[f"{plain}.weight"] = (kernel * scale[:, None, None, None]).astype(np.float32)
        folded[f"{plain}.bias"] = (beta - mean * scale).astype(np.float32)
    return folded
