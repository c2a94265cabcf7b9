"""`finetune`: train the two-tower model of interest intensity on a corpus and an encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import files, schemas
from interestrec.core.artifacts import Artifact, Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import DataError
from interestrec.core.progress import log
from interestrec.core.settings import Settings
from interestrec.corpus.categories import category_levels
from interestrec.corpus.store import Corpus
from interestrec.text.tokenizer import load_tokenizer

SELECTED = "valid_select"
BLENDED = "valid_blend"


def run(context: Context) -> Result:
    """Train the model; the artifact is `model`.

    Raises:
        ArtifactError: the encoder was adapted to another corpus.
        DataError: there is nothing to train on or to validate with.
        DeviceError, NumericError: as the device and the loop say.
    """
    corpus, encoder = context.open("corpus"), context.open("encoder")
    encoder.require_input(corpus)
    settings = context.settings
    recipe = Recipe(
        kind="model",
        inputs={"corpus": corpus.digest, "encoder": encoder.digest},
        config={
            **settings.lineage("items", "encoders", "finetune"),
            "relevant_at": settings.data.relevant_at,
            "numeric": "float32",
        },
        seed=settings.seed,
    )

    def build(directory: Path) -> None:
        _build(directory, Corpus(corpus.path, settings.data.relevant_at), encoder, settings)

    return produce(context, recipe, build, _summarise)


def _build(directory: Path, corpus: Corpus, encoder: Artifact, settings: Settings) -> None:
    from interestrec.encoding.encode import encode, encode_lower, encode_upper
    from interestrec.encoding.inputs import text_inputs
    from interestrec.model.checkpoint import load_bert
    from interestrec.model.two_tower import TwoTower, TwoTowerConfig, save_two_tower
    from interestrec.training import device, examples
    from interestrec.training.batches import Sampler
    from interestrec.training.calibration import fit_platt
    from interestrec.training.loop import Rates, fit
    from interestrec.training.texts import FrozenTexts, LearningTexts, Texts
    from interestrec.training.validation import Validation, known_logits, start_bias

    chosen = settings.finetune
    device.prepare(settings.runtime.device, settings.runtime.threads, settings.seed)
    tokenizer = load_tokenizer(encoder.path)
    bert = load_bert(encoder.path, chosen.dropout)
