"""`finetune`: train the two-tower model of interest intensity on a corpus and an encoder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interestrec.core import files, schemas
from interestrec.core.artifacts import Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ConfigError
from interestrec.core.settings import FinetuneSettings, Settings
from interestrec.corpus.attributes import attributes
from interestrec.corpus.store import Corpus

if TYPE_CHECKING:
    from interestrec.training.finetuning import Plan

VECTORS = "item_vectors.safetensors"
LOG = "training_log.parquet"
CALIBRATION = "calibration.json"
OUTCOME = "outcome.json"
ATTRIBUTES = "attributes.json"


def run(context: Context) -> Result:
    """Train the model; the artifact is `model`.

    Raises:
        ArtifactError: the encoder was adapted to another corpus.
        UsageError, DataError, DeviceError, NumericError: as device, training and loop say.
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
    opened = Corpus(corpus.path, settings.data.relevant_at)
    work = context.work(recipe)
    return produce(context, recipe, lambda target: _build(target, opened, encoder.path, settings, work), _summarise)


def _build(directory: Path, corpus: Corpus, encoder: Path, settings: Settings, work: Path) -> None:
    # TensorFlow only when there is something to build.
    from interestrec.encoding.items import item_texts
    from interestrec.model.checkpoint import export_layers, load_bert
    from interestrec.model.two_tower import save_two_tower
    from interestrec.training import device
    from interestrec.training.checkpoint import Checkpoints
    from interestrec.training.finetuning import finetune

    device.prepare(settings.runtime.device, settings.runtime.threads, settings.seed)
    bert = load_bert(encoder)
    fields = [(field.name, field.max_tokens) for field in settings.items.texts]
    pooling = settings.encoder.pooling
    inputs, cache = item_texts(bert, encoder, corpus.text_features, fields, settings.workspace, pooling)
    fitted = attributes(corpus, settings.items.attributes)
    layers = bert.config.num_hidden_layers
    plan = _plan(settings.finetune, layers, settings.seed)
    checkpoints = Checkpoints(work, settings.runtime.checkpoint_seconds)
    trained = finetune(corpus, bert, inputs, fitted, plan, checkpoints, cache)
    save_two_tower(trained.model, directory, export_layers(bert, range(layers - plan.trainable_layers, layers)))
    vectors = {
        "frozen": trained.frozen_vectors,
        "item": trained.model.item_vectors(trained.text_vectors, trained.codes.attributes),
        "category": trained.codes.categories,
    }
    files.write_safetensors(directory / VECTORS, vectors)
    if fitted.fitted:
        files.write_json(directory / ATTRIBUTES, fitted.fitted)
    history = trained.outcome.history
    table = pa.table({name: getattr(history, name) for name in schemas.TRAINING_LOG.names})
    files.write_parquet(directory / LOG, table, schemas.TRAINING_LOG)
    files.write_json(directory / CALIBRATION, trained.calibration)
    start = history.value[0]
    files.write_json(
        directory / OUTCOME,
        {"valid_auc_start": start, "valid_auc": trained.outcome.best, "best_epoch": trained.outcome.best_epoch},
    )


def _plan(chosen: FinetuneSettings, layers: int, seed: int) -> "Plan":
    from interestrec.training.finetuning import Plan
    from interestrec.training.loop import Rates
    from interestrec.training.negatives import Choice

    if chosen.trainable_layers > layers:
        raise ConfigError(
            f"finetune.trainable_layers is {chosen.trainable_layers}, but the encoder has {layers} layers"
        )
    losses = {name: weight for name, weight in chosen.losses if weight > 0}
    rates = Rates(chosen.learning_rate, chosen.encoder_learning_rate, chosen.weight_decay, losses)
    return Plan(
        epochs=chosen.epochs,
        history_epochs=chosen.history_epochs,
        batch_size=chosen.batch_size,
        max_history=chosen.max_history,
        negatives=Choice(**dict(chosen.negatives)),
        trainable_layers=chosen.trainable_layers,
        hidden=tuple(chosen.hidden),
        dropout=chosen.dropout,
        patience=chosen.patience,
        rates=rates,
        seed=seed,
    )


def _summarise(directory: Path) -> dict[str, Any]:
    return dict(files.read_json(directory / OUTCOME))
