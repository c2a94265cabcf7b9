"""`finetune`: train the two-tower model of interest intensity on a corpus and an encoder."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interestrec.core import files, schemas
from interestrec.core.artifacts import Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ConfigError
from interestrec.core.settings import FinetuneSettings, Settings
from interestrec.core.workers import worker_number
from interestrec.corpus.attributes import attributes
from interestrec.corpus.store import Corpus

if TYPE_CHECKING:
    from interestrec.training.execution import Execution
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
            "numeric": settings.runtime.precision,
        },
        seed=settings.seed,
    )
    opened = Corpus(corpus.path, settings.data.relevant_at)
    work = context.work(recipe)
    return produce(
        context,
        recipe,
        lambda target: _build(target, opened, encoder.path, settings, work),
        _summarise,
        together=True,
    )


def _build(directory: Path, corpus: Corpus, encoder: Path, settings: Settings, work: Path) -> dict[str, float]:
    # TensorFlow only when there is something to build.
    from interestrec.encoding.items import hidden_cache, item_texts, vector_cache
    from interestrec.model.checkpoint import export_tuned, load_bert
    from interestrec.model.two_tower import save_two_tower
    from interestrec.model.user_tower import TextUser
    from interestrec.training import device
    from interestrec.training.checkpoint import Checkpoints
    from interestrec.training.finetuning import Caches, finetune

    chosen, precision = settings.finetune, settings.runtime.precision
    runtime = settings.runtime
    strategy = device.prepare(runtime.device, runtime.threads, settings.seed, runtime.distribution)
    execution = _execution(settings, strategy)
    with execution.strategy.scope():
        bert = load_bert(encoder, chosen.encoder_dropout, settings.encoder.pooling, precision)
    layers = bert.config.num_hidden_layers
    fields = tuple((field.name, field.max_tokens) for field in settings.items.texts)
    plan = _plan(chosen, layers, settings.seed)
    if chosen.user_tower == "text":
        tokens = min(chosen.user_tokens, bert.config.longest)
        user = TextUser(tokens, fields, bert.pooling, bert.precision, plan.trainable_layers)
        plan = replace(plan, user_text=user)
    inputs = item_texts(bert, encoder, corpus.text_features, fields)
    lower = hidden_cache(bert, encoder, settings.workspace, layers - plan.trainable_layers)
    caches = Caches(vector_cache(bert, encoder, settings.workspace), lower)
    fitted = attributes(corpus, settings.items.attributes)
    checkpoints = Checkpoints(work, settings.runtime.checkpoint_seconds, worker_number(runtime.distribution) == 0)
    trained = finetune(corpus, bert, inputs, fitted, plan, execution, checkpoints, caches)
    save_two_tower(trained.model, directory, export_tuned(bert, plan.trainable_layers))
    vectors = {
        "frozen": trained.frozen_vectors,
        "item": trained.model.item_vectors(trained.text_vectors, trained.codes.attributes),
        "category": trained.codes.categories,
    }
    files.write_safetensors(directory / VECTORS, vectors)
    if fitted.fitted:
        files.write_json(directory / ATTRIBUTES, fitted.fitted)
    outcome = trained.outcome
    table = pa.table({name: getattr(outcome.history, name) for name in schemas.TRAINING_LOG.names})
    files.write_parquet(directory / LOG, table, schemas.TRAINING_LOG)
    files.write_json(directory / CALIBRATION, trained.calibration)
    start = outcome.history.value[0]
    files.write_json(
        directory / OUTCOME,
        {"valid_auc_start": start, "valid_auc": outcome.best, "best_epoch": outcome.best_epoch},
    )
    return {"training_seconds": outcome.seconds, "examples": outcome.examples}


def _execution(settings: Settings, strategy: Any) -> "Execution":
    from interestrec.training.execution import Execution
    from interestrec.training.tensorboard import scalars

    return Execution(
        strategy,
        settings.finetune.accumulate,
        settings.runtime.precision == "float16",
        scalars(settings.runtime.tensorboard, "finetune"),
    )


def _plan(chosen: FinetuneSettings, layers: int, seed: int) -> "Plan":
    from interestrec.model.bert import Lora
    from interestrec.training.finetuning import Plan
    from interestrec.training.loop import Rates
    from interestrec.training.negatives import Choice
    from interestrec.training.texts import Reuse

    if chosen.trainable_layers > layers:
        raise ConfigError(
            f"finetune.trainable_layers is {chosen.trainable_layers}, but the encoder has {layers} layers"
        )
    losses = {name: weight for name, weight in chosen.losses if weight > 0}
    rates = Rates(
        towers=chosen.learning_rate,
        weight_decay=chosen.weight_decay,
        losses=losses,
        smoothing=chosen.label_smoothing,
        clip=chosen.clip,
        decay=chosen.schedule,
        warm_up=chosen.warm_up,
    )
    cached = chosen.vector_cache
    return Plan(
        epochs=chosen.epochs,
        history_epochs=chosen.history_epochs,
        batch_size=chosen.batch_size,
        batch_tokens=chosen.batch_tokens,
        max_history=chosen.max_history,
        negatives=Choice(**dict(chosen.negatives)),
        trainable_layers=chosen.trainable_layers,
        lora=Lora(chosen.lora.rank, chosen.lora.alpha, tuple(chosen.lora.targets)) if chosen.lora else None,
        encoder_learning_rate=chosen.encoder_learning_rate,
        layer_decay=chosen.layer_decay,
        reuse=Reuse(cached.probability, cached.max_age, cached.max_tokens),
        hidden=tuple(chosen.hidden),
        dropout=chosen.dropout,
        patience=chosen.patience,
        rates=rates,
        seed=seed,
    )


def _summarise(directory: Path) -> dict[str, Any]:
    return dict(files.read_json(directory / OUTCOME))
