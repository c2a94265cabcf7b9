"""The stage with texts against pictures: both encoders are adapted, and kept or left as they were together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file

from interestrec.config.settings import Settings
from interestrec.io import files
from interestrec.model.picture_encoders import load_picture_encoder
from interestrec.pretraining import retrieval_probe
from interestrec.pretraining.retrieval_probe import ProbeQueries, ProbeResult, compare
from interestrec.stages import preprocess, pretrain_adapt
from interestrec.stages.run import RunContext
from tests.kin import load_bert
from tests.stages.test_modalities import TEXT, settings
from tests.stages.test_picture_items import PICTURE, shop

pytestmark = pytest.mark.slow

CHOSEN = {"objective": "image_text", "steps": 3, "batch_size": 8, "held_out": 0.2, "learning_rate": 1e-3}


def changed(source: Path, adapted: Path) -> bool:
    """Whether any tensor differs; all have their names and shapes."""
    before, after = (load_file(path / "model.safetensors") for path in (source, adapted))
    assert {name: value.shape for name, value in before.items()} == {name: v.shape for name, v in after.items()}
    return any(not np.array_equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("gain", [0.1, -0.1])
def test_both_encoders_are_kept_or_none(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, gain: float
) -> None:
    root, widths = shop(tmp_path), []

    def compared(before: np.ndarray, after: np.ndarray, queries: ProbeQueries) -> ProbeResult:
        assert not np.array_equal(before, after)
        widths.append((before.shape[1], after.shape[1]))
        found = compare(before, after, queries)
        return found._replace(before=0.2, after=0.2 + gain, standard_error=0.01)

    monkeypatch.setattr(retrieval_probe, "compare", compared)
    context = RunContext(settings(root, tiny_encoder, [TEXT, PICTURE], pretrain_adapt=CHOSEN))
    preprocess.run(context)
    path = pretrain_adapt.run(context).artifact.path
    text, vision = load_bert(path), load_picture_encoder(path / "vision")
    assert widths == [(text.width + vision.width,) * 2]
    assert changed(tiny_encoder, path) == changed(root / "vision", path / "vision") == (gain > 0)
    report = files.read_json(path / "adaptation.json")
    assert 0 < report["texts"] + report["held_out_texts"] <= 40  # items with a picture
    assert report["kept"] == (gain > 0)
    assert {f"held_out_loss_{when}" for when in ("before", "after")} <= report.keys()
    last = report["findings"][-1]["sentence"]
    assert last.endswith("the adapted encoders are kept." if gain > 0 else "so the encoders stay as they were.")


@pytest.mark.parametrize(
    ("fields", "more", "expected"),
    [
        ([TEXT], {}, "has none of kind image"),
        (
            [TEXT, PICTURE, {**PICTURE, "name": "back", "encoder": "other"}],
            {},
            "has several of kind image, vision, oth",
        ),
        ([PICTURE], {}, "has none of kind text"),
        ([TEXT, PICTURE], {"scratch": {}}, "remove pretrain_adapt.scratch"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, tiny_encoder: Path, fields: list[dict[str, Any]], more: dict[str, Any], expected: str
) -> None:
    values = settings(tmp_path, tiny_encoder, [TEXT, PICTURE]).model_dump(mode="json")
    known = {**values["encoders"], "other": {"kind": "image", "source": str(tmp_path / "vision")}}
    values["encoders"] = {str(field["encoder"]): known[str(field["encoder"])] for field in fields}
    values["items"] = {"fields": fields}
    values["pretrain_adapt"] = {**CHOSEN, **more}
    with pytest.raises(ValidationError, match=expected):
        Settings.model_validate(values)
