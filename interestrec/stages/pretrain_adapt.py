"""`pretrain-adapt`: continue the training of pretrained encoders on the texts, and pictures, of the corpus."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, DataError
from interestrec.core.workers import worker_number
from interestrec.corpus.item_settings import TextField
from interestrec.corpus.store import Corpus
from interestrec.encoding.encoder_settings import FLOAT32, AnyEncoder, TextEncoderSettings
from interestrec.encoding.item_encoders import encoder_directory
from interestrec.io import artifact_files, files
from interestrec.io.encoder_files import CONFIG, REQUIRED_FILES, WEIGHTS, require_files, require_own
from interestrec.pretraining.adaptation_findings import probe_finding
from interestrec.stages.run import RunContext, StageResult, item_encoders, produce
from interestrec.text.tokenizer import Tokenizer, load_tokenizer, tokenizer_digest, tokenizer_files
from interestrec.tracking.run_tracking import RunTracking
from interestrec.workspace.artifacts import Artifact, Recipe

if TYPE_CHECKING:
    from interestrec.encoding.picture_inputs import PictureInputs
    from interestrec.model.encoder import Encoder, StoredEncoder
    from interestrec.model.picture_tower import PictureTower
    from interestrec.pretraining.passages import Passages
    from interestrec.pretraining.retrieval_probe import ProbeResult

ADAPTATION = "adaptation.json"
# The number of tokens of a field that only the objective reads.
_DEFAULT_MAX_TOKENS: int = TextField.model_fields["max_tokens"].default


def run(context: RunContext) -> StageResult:
    """Train the encoder further or from random weights, or copy it with `steps: 0`; the artifact is `encoder`.

    Raises:
        InputMissingError, ArtifactError: the source is not an encoder, or not the one that tokenized the corpus.
        ConfigError: whole words are masked, but the tokenizer does not mark word boundaries.
        DataError: there are too few texts to hold some out, or none that the objective can use; or a picture has
            changed since `preprocess`.
        DeviceError: the device cannot be used.
        NumericError: the loss is not finite.
    """
    corpus = context.open("corpus")
    settings = context.settings
    recipe = Recipe(
        kind="encoder",
        inputs={"corpus": corpus.digest, **_encoder_digests(settings, corpus)},
        config={
            **settings.lineage("encoders", "pretrain_adapt"),
            "items": {"fields": [field.model_dump(mode="json") for field in settings.items.texts]},
            "numeric": settings.runtime.products,
        },
        seed=settings.seed,
    )
    corpus_tables = Corpus(corpus.path, settings.data.relevant_at)
    work, tracking = context.work(recipe), context.tracking(recipe)
    return produce(
        context,
        recipe,
        lambda directory: _build(directory, corpus_tables, settings, work, tracking),
        _summarise,
        all_workers=True,
        tracking=tracking,
    )


def _encoder_digests(settings: Settings, corpus: Artifact) -> dict[str, str]:
    """Return the digests of the encoders' files; those of the first encoder of texts have no directory.

    Raises:
        InputMissingError, ArtifactError: see `run`.
    """
    digests, text = {}, settings.text_encoder
    if text is not None:
        source = settings.encoders[text].source
        if corpus.manifest["inputs"].get("tokenizer") != tokenizer_digest(source):
            raise ArtifactError(
                f"{source}: the corpus was made with another tokenizer; run `interestrec preprocess` again"
            )
        digests = _file_digests(source, () if settings.pretrain_adapt.scratch else REQUIRED_FILES["text"])
    for name, entry in _other_networks(settings).items():
        found = _file_digests(entry.source, REQUIRED_FILES[entry.kind])
        digests |= {f"{name}/{file}": digest for file, digest in found.items()}
    return digests


def _file_digests(source: Path, names: Sequence[str]) -> dict[str, str]:
    require_files(source, names)
    require_own(source, names, bounded=False)
    return {name: files.sha256_of(source / name) for name in names}


def _other_networks(settings: Settings) -> dict[str, AnyEncoder]:
    """Return the encoders but the first of texts, by name; given vectors have no network."""
    entries = settings.encoders.items()
    return {name: entry for name, entry in entries if name != settings.text_encoder and entry.kind != "vectors"}


def _build(directory: Path, corpus: Corpus, settings: Settings, work: Path, tracking: RunTracking) -> None:
    for name, entry in _other_networks(settings).items():
        target = encoder_directory(directory, name, settings.text_encoder)
        target.mkdir()
        tokenizer = tokenizer_files(entry.source) if entry.kind == "text" else []
        for path in [*(entry.source / file for file in REQUIRED_FILES[entry.kind]), *tokenizer]:
            shutil.copyfile(path, target / path.name)
    report: dict[str, Any] = {"steps": 0}
    if settings.text_encoder is not None:
        report = _build_text(directory, corpus, settings, work, tracking)
    files.write_json(directory / artifact_files.ADAPTATION, report)


def _build_text(
    directory: Path, corpus: Corpus, settings: Settings, work: Path, tracking: RunTracking
) -> dict[str, Any]:
    """Write the files of the first encoder of texts, and the weights of one of pictures that learns; return the report.

    Other weights in the file of an encoder of pictures, such as those of CLIP's own encoder of texts, no longer fit
    and are left out.
    """
    # TensorFlow is imported only if there is something to build.
    from interestrec.model.encoder_checkpoint import config_content, scratch_checkpoint
    from interestrec.model.encoders import read_encoder

    checkpoint: StoredEncoder
    entry, section = _text_settings(settings), settings.pretrain_adapt
    source = entry.source
    report: dict[str, Any] = {"steps": section.steps}
    tokenizer = load_tokenizer(source)
    if section.scratch:
        checkpoint = new = scratch_checkpoint(tokenizer.rows, seed=settings.seed, **dict(section.scratch))
        files.write_json(directory / CONFIG, {**config_content(new.config), "pad_token_id": tokenizer.pad_id})
    else:
        checkpoint = read_encoder(source)
        shutil.copyfile(source / CONFIG, directory / CONFIG)
    for path in tokenizer_files(source):
        shutil.copyfile(path, directory / path.name)
    if not section.steps:
        files.write_safetensors(directory / WEIGHTS, checkpoint.stored({}), {"format": "pt"})
        return report
    pictures = settings.adapted_pictures
    adapted, figures = _adapt(checkpoint, corpus, tokenizer, settings, work, tracking)
    report.update(figures)
    for name, tensors in adapted.items():
        files.write_safetensors(_weights(directory, name, settings), tensors, {"format": "pt"})
    if not section.scratch:
        probe = _probe(directory, corpus, settings)
        kept = probe is None or probe.gains or section.keep == "always"
        if not kept:
            files.write_safetensors(directory / WEIGHTS, checkpoint.stored({}), {"format": "pt"})
            if pictures is not None:
                shutil.copyfile(settings.encoders[pictures].source / WEIGHTS, _weights(directory, pictures, settings))
        report |= {"kept": kept, **({} if probe is None else {"probe": probe._asdict()})}
        report["findings"] = [*report["findings"], probe_finding(probe, kept, len(adapted))]
    return report


def _probe(adapted: Path, corpus: Corpus, settings: Settings) -> "ProbeResult | None":
    """Compare the vectors of the adapted encoders with those of the sources; None if no user has two relevant items.

    They are those of all modalities if the encoder of pictures has learned too.
    """
    from interestrec.pretraining.retrieval_probe import compare, probe_queries

    queries = probe_queries(corpus, settings.seed)
    if not len(queries.target):
        return None
    both = (replace(item_encoders(settings, artifact), arithmetic=FLOAT32) for artifact in (None, adapted))
    if settings.adapted_pictures is None:
        before, after = (encoders.text_vectors(corpus) for encoders in both)
    else:
        before, after = (encoders.frozen_vectors(corpus) for encoders in both)
    return compare(before, after, queries)


def _weights(directory: Path, name: str, settings: Settings) -> Path:
    return encoder_directory(directory, name, settings.text_encoder) / WEIGHTS


def _text_settings(settings: Settings) -> TextEncoderSettings:
    assert settings.text_encoder is not None
    return settings.text_encoders[settings.text_encoder]


def _adapt(
    checkpoint: "StoredEncoder",
    corpus: Corpus,
    tokenizer: Tokenizer,
    settings: Settings,
    work: Path,
    tracking: RunTracking,
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """Train one encoder or two; return per encoder its tensors by their names in the file, and figures to report."""
    from interestrec.model.pooling import POOLINGS
    from interestrec.pretraining.adaptation import Schedule, adapt
    from interestrec.pretraining.adaptation_findings import adaptation_findings
    from interestrec.pretraining.text_objectives import OBJECTIVES
    from interestrec.training import device
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.training_checkpoint import CheckpointStore

    section, runtime = settings.pretrain_adapt, settings.runtime
    strategy = device.prepare(
        runtime.device, runtime.threads, settings.seed, runtime.distribution, runtime.tensor_float_32
    )
    execution = ExecutionSettings(strategy, section.accumulate, runtime.precision == "float16", tracking.watch())
    kind = OBJECTIVES[section.objective]
    # A learned pooling starts as the mean and is trained in finetune only.
    pooling = _text_settings(settings).pooling
    pooling = "mean" if POOLINGS[pooling].learns_query else pooling
    with strategy.scope():
        encoder = checkpoint.build(pooling=pooling, precision=runtime.precision)
        tower, pictures = _pictures(corpus, settings, encoder.width) if kind.has_pictures else (None, None)
        objective = kind.make(encoder, tokenizer, section, *([] if tower is None else [tower]))
    head = objective.head
    head_from_checkpoint = head is not None and head.assign(checkpoint.tensors)
    train, held_out = _passages(corpus, kind.sides, tokenizer, settings, encoder, pictures)
    plan = Schedule(section.steps, section.batch_size, section.learning_rate, section.weight_decay, settings.seed)
    checkpoints = CheckpointStore(work, runtime.checkpoint_seconds, writes=worker_number(runtime.distribution) == 0)
    adapted = adapt(objective, train, held_out, plan, execution, checkpoints)
    text, images = settings.text_encoder, settings.adapted_pictures
    assert text is not None
    learned = {**encoder.export_weights(), **(head.export() if head is not None and head_from_checkpoint else {})}
    tensors = {text: checkpoint.stored(learned)}
    if tower is not None and images is not None:
        tensors[images] = tower.encoder.export_weights()
    starts_whole = False if tower is not None else None if head is None else head_from_checkpoint
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
        "findings": adaptation_findings(adapted.before, adapted.after, section.objective, starts_whole),
        "losses": adapted.losses,
    }


def _pictures(corpus: Corpus, settings: Settings, width: int) -> "tuple[PictureTower, PictureInputs]":
    """Return the tower of the encoder of pictures, and the pictures of all items."""
    from interestrec.encoding.picture_inputs import picture_inputs
    from interestrec.encoding.picture_vectors import require_fit
    from interestrec.model.picture_tower import PictureTower

    name = settings.adapted_pictures
    assert name is not None
    encoders = item_encoders(settings, None)
    encoder, preparation = encoders.load_pictures(name)
    table, source = encoders.pictures(name, corpus)
    require_fit(encoder, preparation, table, source)
    return PictureTower(encoder, preparation, width, settings.seed), picture_inputs(table, source, preparation)


def _passages(
    corpus: Corpus,
    sides: tuple[tuple[str, ...], ...],
    tokenizer: Tokenizer,
    settings: Settings,
    encoder: "Encoder",
    pictures: "PictureInputs | None",
) -> "tuple[Passages, Passages]":
    """Return the passages to train on, and those that a seeded draw holds out."""
    from interestrec.pretraining.passages import corpus_passages, hold_out

    entry, name = _text_settings(settings), settings.text_encoder
    budgets: dict[str, int] = {field.name: field.max_tokens for field in settings.items.texts if field.encoder == name}
    fields = [[(name, budgets.get(name, _DEFAULT_MAX_TOKENS)) for name in side] for side in sides or [budgets]]
    frame = encoder.frame(tokenizer, entry.prompt)
    features = corpus.text_features(entry.source)
    passages = corpus_passages(corpus, features, fields, frame, encoder.max_length, pictures)
    if (sides or pictures is not None) and not len(passages):
        both = " and ".join(
            [name for side in sides or [["text"]] for name in side] + ["picture"] * (pictures is not None)
        )
        raise DataError(
            f"{corpus.path}: no train item has both {both}, which pretrain_adapt.objective "
            f"{settings.pretrain_adapt.objective} needs; choose another objective"
        )
    train, held_out = hold_out(passages, settings.pretrain_adapt.held_out, settings.seed)
    if not len(train) or not len(held_out):
        raise DataError(
            f"{corpus.path}: {len(passages)} distinct train texts are too few to hold out "
            f"{settings.pretrain_adapt.held_out:.0%}; set pretrain_adapt.steps to 0"
        )
    return train, held_out


def _summarise(directory: Path) -> dict[str, Any]:
    report = files.read_json(directory / artifact_files.ADAPTATION)
    return {name: value for name, value in report.items() if name != "losses"}
