"""`pretrain-adapt`: continue the training of a pretrained encoder on the texts of the corpus."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, DataError, InputMissingError
from interestrec.core.workers import worker_number
from interestrec.corpus.item_settings import TextField
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.io.encoder_files import CONFIG, WEIGHTS, require_own
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.text.tokenizer import Tokenizer, load_tokenizer, tokenizer_digest, tokenizer_files
from interestrec.workspace.artifacts import Recipe

if TYPE_CHECKING:
    from interestrec.model.encoder import StoredEncoder
    from interestrec.pretraining.passages import Passages

ADAPTATION = "adaptation.json"
# The number of tokens of a field that only the objective reads.
_DEFAULT_MAX_TOKENS: int = TextField.model_fields["max_tokens"].default


def run(context: RunContext) -> StageResult:
    """Train the encoder further or from random weights, or copy it with `steps: 0`; the artifact is `encoder`.

    Raises:
        InputMissingError, ArtifactError: the source is not an encoder, or not the one that tokenized the corpus.
        ConfigError: whole words are masked, but the tokenizer does not mark word boundaries.
        DataError: there are too few texts to hold some out, or none that the objective can use.
        DeviceError: the device cannot be used.
        NumericError: the loss is not finite.
    """
    corpus = context.open("corpus")
    settings = context.settings
    source = settings.encoder.source
    if corpus.manifest["inputs"].get("tokenizer") != tokenizer_digest(source):
        raise ArtifactError(f"{source}: the corpus was made with another tokenizer; run `interestrec preprocess` again")
    pretrained = () if settings.pretrain_adapt.scratch else (CONFIG, WEIGHTS)
    for name in pretrained:
        if not (source / name).is_file():
            raise InputMissingError(f"{source}: {name} is missing; fetch the encoder again (`interestrec fetch`)")
    require_own(source, pretrained, bounded=False)
    recipe = Recipe(
        kind="encoder",
        inputs={"corpus": corpus.digest, **{name: files.sha256_of(source / name) for name in pretrained}},
        config={
            **settings.lineage("encoders", "pretrain_adapt"),
            "items": {"fields": [field.model_dump(mode="json") for field in settings.items.texts]},
            "numeric": settings.runtime.precision,
        },
        seed=settings.seed,
    )
    corpus_tables = Corpus(corpus.path, settings.data.relevant_at)
    work = context.work(recipe)
    return produce(
        context,
        recipe,
        lambda directory: _build(directory, corpus_tables, settings, work),
        _summarise,
        all_workers=True,
    )


def _build(directory: Path, corpus: Corpus, settings: Settings, work: Path) -> None:
    # TensorFlow is imported only if there is something to build.
    from interestrec.model.encoder_checkpoint import config_content, scratch_checkpoint
    from interestrec.model.encoders import read_encoder

    checkpoint: StoredEncoder
    source, section = settings.encoder.source, settings.pretrain_adapt
    report: dict[str, Any] = {"steps": section.steps}
    tokenizer = load_tokenizer(source)
    if section.scratch:
        checkpoint = new = scratch_checkpoint(tokenizer.rows, seed=settings.seed, **dict(section.scratch))
        files.write_json(directory / CONFIG, {**config_content(new.config), "pad_token_id": tokenizer.pad_id})
    else:
        checkpoint = read_encoder(source)
        shutil.copyfile(source / CONFIG, directory / CONFIG)
    if section.steps:
        tensors, figures = _adapt(checkpoint, corpus, tokenizer, settings, work)
        report.update(figures)
    else:
        tensors = checkpoint.stored({})
    files.write_safetensors(directory / WEIGHTS, tensors, {"format": "pt"})
    for path in tokenizer_files(source):
        shutil.copyfile(path, directory / path.name)
    files.write_json(directory / artifact_files.ADAPTATION, report)


def _adapt(
    checkpoint: "StoredEncoder", corpus: Corpus, tokenizer: Tokenizer, settings: Settings, work: Path
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Train the encoder; return its tensors by their names in the file, and the figures to report."""
    from interestrec.model.pooling import POOLINGS
    from interestrec.pretraining.adaptation import Schedule, adapt
    from interestrec.pretraining.adaptation_findings import adaptation_findings
    from interestrec.pretraining.text_objectives import OBJECTIVES
    from interestrec.training import device
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.tensorboard import scalar_writer
    from interestrec.training.training_checkpoint import CheckpointStore

    section, runtime = settings.pretrain_adapt, settings.runtime
    strategy = device.prepare(runtime.device, runtime.threads, settings.seed, runtime.distribution)
    chief = worker_number(runtime.distribution) == 0
    writer = scalar_writer(runtime.tensorboard if chief else None, "pretrain-adapt")
    execution = ExecutionSettings(strategy, section.accumulate, runtime.precision == "float16", writer)
    kind = OBJECTIVES[section.objective]
    # A learned pooling starts as the mean and is trained in finetune only.
    pooling = "mean" if POOLINGS[settings.encoder.pooling].learns_query else settings.encoder.pooling
    with strategy.scope():
        encoder = checkpoint.build(pooling=pooling, precision=runtime.precision)
        objective = kind.make(encoder, tokenizer, section)
    head = objective.head
    head_from_checkpoint = head is not None and head.assign(checkpoint.tensors)
    train, held_out = _passages(corpus, kind.sides, tokenizer, settings, encoder.max_length)
    plan = Schedule(section.steps, section.batch_size, section.learning_rate, section.weight_decay, settings.seed)
    checkpoints = CheckpointStore(work, runtime.checkpoint_seconds, chief)
    adapted = adapt(objective, train, held_out, plan, execution, checkpoints)
    tensors = checkpoint.stored(
        {**encoder.export_weights(), **(head.export() if head is not None and head_from_checkpoint else {})}
    )
    figures_by_moment = {"before": adapted.before, "after": adapted.after}
    return tensors, {
        "objective": section.objective,
        "texts": len(train),
        "held_out_texts": len(held_out),
        **({"head_from_checkpoint": head_from_checkpoint} if head is not None else {}),
        **{
            f"held_out_{name}_{when}": value
            for when, figures in figures_by_moment.items()
            for name, value in figures.items()
        },
        "findings": adaptation_findings(
            adapted.before, adapted.after, section.objective, None if head is None else head_from_checkpoint
        ),
        "losses": adapted.losses,
    }


def _passages(
    corpus: Corpus, sides: tuple[tuple[str, ...], ...], tokenizer: Tokenizer, settings: Settings, max_length: int
) -> "tuple[Passages, Passages]":
    """Return the passages to train on, and those that a seeded draw holds out."""
    from interestrec.pretraining.passages import corpus_passages

    budgets: dict[str, int] = {field.name: field.max_tokens for field in settings.items.texts}
    fields = [[(name, budgets.get(name, _DEFAULT_MAX_TOKENS)) for name in side] for side in sides or [budgets]]
    passages = corpus_passages(corpus, fields, tokenizer, max_length)
    if sides and not len(passages):
        both = " and ".join(name for side in sides for name in side)
        raise DataError(
            f"{corpus.path}: no train item has both {both}, which pretrain_adapt.objective "
            f"{settings.pretrain_adapt.objective} needs; choose another objective"
        )
    order = np.random.default_rng([settings.seed, 3]).permutation(len(passages))
    held_out = round(len(passages) * settings.pretrain_adapt.held_out)
    if not 0 < held_out < len(passages):
        raise DataError(
            f"{corpus.path}: {len(passages)} distinct train texts are too few to hold out "
            f"{settings.pretrain_adapt.held_out:.0%}; set pretrain_adapt.steps to 0"
        )
    return passages.select(np.sort(order[held_out:])), passages.select(np.sort(order[:held_out]))


def _summarise(directory: Path) -> dict[str, Any]:
    report = files.read_json(directory / artifact_files.ADAPTATION)
    return {name: value for name, value in report.items() if name != "losses"}
