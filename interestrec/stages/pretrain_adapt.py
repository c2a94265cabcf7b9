"""`pretrain-adapt`: the pretrained encoder goes on learning from the corpus's own texts."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.core import files
from interestrec.core.artifacts import Recipe
from interestrec.core.context import Context, Result, produce
from interestrec.core.errors import ArtifactError, DataError, InputMissingError
from interestrec.core.settings import Settings
from interestrec.core.workers import worker_number
from interestrec.corpus.store import Corpus
from interestrec.text.tokenizer import Tokenizer, load_tokenizer, tokenizer_digest, tokenizer_files

if TYPE_CHECKING:
    from interestrec.encoding.inputs import TextInputs
    from interestrec.training.adaptation import Schedule

ADAPTATION = "adaptation.json"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def run(context: Context) -> Result:
    """Adapt the encoder, or with `steps: 0` take it as it is; the artifact is `encoder`.

    Raises:
        InputMissingError, ArtifactError: the source is no encoder, or not the one the corpus was tokenized for.
        DataError: there are too few texts to hold some out.
        DeviceError, NumericError: as the device and training say.
    """
    corpus = context.open("corpus")
    settings = context.settings
    source = settings.encoder.source
    if corpus.manifest["inputs"].get("tokenizer") != tokenizer_digest(source):
        raise ArtifactError(f"{source}: another tokenizer than the corpus was made with; run `interestrec preprocess`")
    for name in (CONFIG, WEIGHTS):
        if not (source / name).is_file():
            raise InputMissingError(f"{source}: {name} is missing; fetch the encoder again (`interestrec fetch`)")
    recipe = Recipe(
        kind="encoder",
        inputs={"corpus": corpus.digest, **{name: files.sha256_of(source / name) for name in (CONFIG, WEIGHTS)}},
        config={
            **settings.lineage("encoders", "pretrain_adapt"),
            "items": {"fields": [field.model_dump(mode="json") for field in settings.items.texts]},
            "numeric": "float32",
        },
        seed=settings.seed,
    )
    opened = Corpus(corpus.path, settings.data.relevant_at)
    work = context.work(recipe)
    return produce(
        context, recipe, lambda directory: _build(directory, opened, settings, work), _summarise, together=True
    )


def _build(directory: Path, corpus: Corpus, settings: Settings, work: Path) -> None:
    # TensorFlow only when there is something to build.
    from interestrec.model.bert import Bert
    from interestrec.model.checkpoint import assign, export, read_checkpoint
    from interestrec.model.masked_lm import MaskedLmHead
    from interestrec.training import device
    from interestrec.training.adaptation import adapt
    from interestrec.training.checkpoint import Checkpoints
    from interestrec.training.execution import Execution
    from interestrec.training.tensorboard import scalars

    source = settings.encoder.source
    checkpoint = read_checkpoint(source)
    config, tensors = checkpoint.config, checkpoint.tensors
    report: dict[str, Any] = {"steps": settings.pretrain_adapt.steps}
    if settings.pretrain_adapt.steps:
        runtime = settings.runtime
        strategy = device.prepare(runtime.device, runtime.threads, settings.seed, runtime.distribution)
        execution = Execution(
            strategy, 1, runtime.precision == "float16", scalars(runtime.tensorboard, "pretrain-adapt")
        )
        with strategy.scope():
            bert = Bert(config, precision=runtime.precision)
            bert.build()
            assign(bert, tensors)
            head = MaskedLmHead(bert)
        report["head_from_checkpoint"] = head.assign(tensors)
        tokenizer = load_tokenizer(source)
        train, held_out = _texts(corpus, tokenizer, settings, config.longest)
        adapted = adapt(
            bert,
            head,
            train,
            held_out,
            tokenizer,
            _schedule(settings),
            execution,
            Checkpoints(work, runtime.checkpoint_seconds, worker_number(runtime.distribution) == 0),
        )
        kept = {name: value for name, value in tensors.items() if name not in config.family.copies}
        tensors = {**kept, **export(bert), **(head.export() if report["head_from_checkpoint"] else {})}
        report.update(
            texts=len(train),
            held_out_texts=len(held_out),
            held_out_loss_before=adapted.before,
            held_out_loss_after=adapted.after,
            losses=adapted.losses,
        )
    files.write_safetensors(directory / WEIGHTS, checkpoint.as_stored(tensors), {"format": "pt"})
    for path in [source / CONFIG, *tokenizer_files(source)]:
        shutil.copyfile(path, directory / path.name)
        files.sync(directory / path.name)
    files.write_json(directory / ADAPTATION, report)


def _texts(corpus: Corpus, tokenizer: Tokenizer, settings: Settings, longest: int) -> "tuple[TextInputs, TextInputs]":
    """Distinct texts of items seen in train, some held out by a seeded draw; items of valid and test stay unread."""
    from interestrec.encoding.inputs import text_inputs

    fields = [(field.name, field.max_tokens) for field in settings.items.texts]
    features = corpus.text_features
    inputs = text_inputs(features, fields, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, longest)
    rows = np.flatnonzero(_seen_in_train(corpus) & (inputs.lengths > 2))
    texts, _ = inputs.select(rows).distinct()
    order = np.random.default_rng([settings.seed, 3]).permutation(len(texts))
    held_out = round(len(texts) * settings.pretrain_adapt.held_out)
    if not 0 < held_out < len(texts):
        raise DataError(
            f"{corpus.path}: {len(texts)} distinct train texts are too few to hold out "
            f"{settings.pretrain_adapt.held_out:.0%}; set pretrain_adapt.steps to 0"
        )
    return texts.select(np.sort(order[held_out:])), texts.select(np.sort(order[:held_out]))


def _seen_in_train(corpus: Corpus) -> np.ndarray:
    """bool [items]: in a train event, history or candidate list."""
    seen = np.zeros(corpus.items.num_rows, bool)
    seen[corpus.timelines.item[corpus.timelines.split == 0]] = True
    impressions = corpus.impressions
    seen[impressions.item[np.repeat(impressions.split == 0, np.diff(impressions.offsets))]] = True
    return seen


def _schedule(settings: Settings) -> "Schedule":
    from interestrec.training.adaptation import Schedule

    chosen = settings.pretrain_adapt
    return Schedule(
        steps=chosen.steps,
        batch_size=chosen.batch_size,
        learning_rate=chosen.learning_rate,
        weight_decay=chosen.weight_decay,
        mask_probability=chosen.mask_probability,
        seed=settings.seed,
    )


def _summarise(directory: Path) -> dict[str, Any]:
    report = files.read_json(directory / ADAPTATION)
    return {name: value for name, value in report.items() if name != "losses"}
