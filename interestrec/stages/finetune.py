"""`finetune`: train the two-tower model of interest intensity on a corpus and an encoder."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interestrec.config.settings import Settings
from interestrec.core.choices import pick
from interestrec.core.errors import ArtifactError, ConfigError, UsageError
from interestrec.core.progress import log
from interestrec.core.workers import worker_number, workers
from interestrec.corpus.item_attributes import attributes
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, commit, files, schemas
from interestrec.stages.run import RunContext, StageResult, produce
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.workspace.artifacts import Artifact, Recipe, open_artifact
from interestrec.workspace.reference_run import INPUT, ReferenceRun, open_reference_run

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.model.user_tower import TextUser
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.finetuning import Trained
    from interestrec.training.preparation import TrainingInputs

WEIGHTS = "model.safetensors"  # of the encoder


def run(context: RunContext) -> StageResult:
    """Train the model, from the context's start model on where it has one; the artifact is `model`.

    Raises:
        ArtifactError: the encoder was adapted to another corpus, or the start model does not fit it.
        InputMissingError, ConfigError: as `verified` says of the run that stands in for a valid split.
        UsageError, DataError, DeviceError, NumericError: as device, training and loop say.
    """
    start = open_artifact(context.start, "model") if context.start else None
    corpus, encoder, recipe = _inputs(context, "model", {"start": start.digest} if start else {}, {})
    leaned_on = context.settings.preprocess.split.verified
    found = open_reference_run(leaned_on, recipe.config) if leaned_on else None
    if found is not None:
        recipe = replace(recipe, inputs={**recipe.inputs, INPUT: found.digest})
    work = context.work(recipe)

    def build(target: Path) -> dict[str, float]:
        training = _Training(encoder.path, context.settings, start.path if start else None, found)
        return _build(target, training, Corpus(corpus.path, context.settings.data.relevant_at), work)

    return produce(context, recipe, build, _summarise, together=True)


def cross_validate(context: RunContext, folds: int, by: str) -> StageResult:
    """Train once a fold on the rest of the train split; the artifact is `folds`.

    Args:
        folds: how many, at least 2.
        by: `users` or `time`, see training/folds.py.

    Raises:
        DataError: there is too little to hold out.
        ArtifactError, DeviceError, NumericError: as `run`.
    """
    if folds < 2:
        raise UsageError(f"--folds is {folds}, but it takes 2 to hold one out; the usual number is 5")
    if context.settings.preprocess.split.method == "none":
        raise UsageError("--folds needs a valid split to stop on, and preprocess.split.method is none; choose another")
    corpus, encoder, recipe = _inputs(context, "folds", {}, {"folds": folds, "by": by})
    work = context.work(recipe)

    def build(target: Path) -> None:
        from interestrec.training.folds import FOLDS, measure

        held_out = pick(FOLDS, by, "--by")
        training, rows = _Training(encoder.path, context.settings), []
        whole, seed = Corpus(corpus.path, context.settings.data.relevant_at), context.settings.seed
        paths = [work / f"fold-{fold}.json" for fold in range(folds)]
        # Looked at before any is written: workers that train as one must leave out the same folds.
        done = [files.read_json(path) if path.exists() else None for path in paths]
        for fold, found in enumerate(done):
            if found is None:
                part = held_out(whole, folds, fold, seed)
                log.info("finetune: fold %d of %d", fold + 1, folds)
                found = measure(*training.train(part, work / f"fold-{fold}"))
                if training.chief:
                    with commit.staged_file(paths[fold]) as partial:
                        files.write_json(partial, found)
            rows += [(fold, name, value, int(found["n"])) for name, value in found.items() if name != "n"]
        table = pa.table(list(map(list, zip(*rows, strict=True))), names=schemas.FOLDS.names).cast(schemas.FOLDS)
        files.write_parquet(target / artifact_files.FOLDS, table, schemas.FOLDS)

    return produce(context, recipe, build, _summarise_folds, together=True)


def _inputs(
    context: RunContext, kind: str, start: dict[str, str], more: dict[str, Any]
) -> tuple[Artifact, Artifact, Recipe]:
    """Corpus and encoder, and the recipe of what is made of them."""
    corpus, encoder = context.open("corpus"), context.open("encoder")
    encoder.require_input(corpus)
    settings = context.settings
    _require_split(corpus, settings.preprocess.split.method)
    config = {
        **settings.lineage("items", "encoders", "finetune"),
        "relevant_at": settings.data.relevant_at,
        "numeric": settings.runtime.precision,
        **more,
    }
    inputs = {"corpus": corpus.digest, "encoder": encoder.digest, **start}
    return corpus, encoder, Recipe(kind=kind, inputs=inputs, config=config, seed=settings.seed)


def _require_split(corpus: Artifact, method: str) -> None:
    """Whether there is a valid split must be what the configuration says, as it decides what training looks at.

    Raises:
        ArtifactError: it is not.
    """
    found = corpus.manifest["config"]["preprocess"]["split"]["method"]
    if (found == "none") != (method == "none"):
        raise ArtifactError(
            f"{corpus.path}: was split by the method {found}, but preprocess.split.method is {method}; "
            "run `interestrec preprocess` again"
        )


class _Training:
    """The devices and the settings that trainings of one command share."""

    def __init__(
        self, encoder: Path, settings: Settings, start: Path | None = None, leaned_on: ReferenceRun | None = None
    ) -> None:
        # TensorFlow only when there is something to build.
        from interestrec.training import device

        runtime = settings.runtime
        if workers(runtime.distribution) and settings.finetune.vector_cache != VectorCacheSettings():
            raise ConfigError(
                "finetune.vector_cache remembers the vectors of one process; leave it out where several workers train"
            )
        self.encoder, self.settings, self.start, self.verified = encoder, settings, start, leaned_on
        self.chief = worker_number(runtime.distribution) == 0
        strategy = device.prepare(runtime.device, runtime.threads, settings.seed, runtime.distribution)
        self.execution = _execution(settings, strategy, self.chief)

    def train(self, corpus: Corpus, work: Path) -> "tuple[Trained, TrainingInputs]":
        """Train on a corpus, from the checkpoints in `work` on; the result, and what it was made of."""
        import keras

        from interestrec.training.finetuning import finetune
        from interestrec.training.training_checkpoint import CheckpointStore

        keras.utils.set_random_seed(self.settings.seed)  # so that a fold does not depend on those before it
        inputs = self._training_inputs(corpus)
        checkpoints = CheckpointStore(work, self.settings.runtime.checkpoint_seconds, self.chief)
        return finetune(inputs, self.execution, checkpoints), inputs

    def _training_inputs(self, corpus: Corpus) -> "TrainingInputs":
        from interestrec.encoding.encoder_caches import hidden_cache, vector_cache
        from interestrec.model.encoders import load_encoder
        from interestrec.training.preparation import Caches, TrainingInputs

        settings, chosen = self.settings, self.settings.finetune
        with self.execution.strategy.scope():
            encoder = load_encoder(
                self.encoder, chosen.encoder_dropout, settings.encoder.pooling, settings.runtime.precision
            )
        frozen = encoder.depth - chosen.trainable_layers
        if frozen < 0:
            raise ConfigError(
                f"finetune.trainable_layers is {chosen.trainable_layers}, but the encoder has {encoder.depth} layers"
            )
        fields = tuple((field.name, field.max_tokens) for field in settings.items.texts)
        return TrainingInputs(
            settings=chosen,
            seed=settings.seed,
            corpus=corpus,
            encoder=encoder,
            item_inputs=encoder.item_inputs(self.encoder, corpus.text_features, fields),
            attributes=attributes(corpus, settings.items.attributes, self._known_attributes()),
            user_text=self._user_text(encoder, fields),
            caches=Caches(
                vector_cache(encoder, self.encoder, settings.workspace),
                hidden_cache(encoder, self.encoder, settings.workspace, frozen),
            ),
            start=self._checked_start(),
            verified=self.verified,
        )

    def _user_text(self, encoder: "Encoder", fields: tuple[tuple[str, int], ...]) -> "TextUser | None":
        from interestrec.model.user_tower import TextUser
        from interestrec.model.user_towers import USER_TOWERS

        chosen = self.settings.finetune
        if not USER_TOWERS[chosen.user_tower].reads_text:
            return None
        return TextUser(min(chosen.user_tokens, encoder.longest), fields, encoder.pooling, encoder.precision)

    def _known_attributes(self) -> dict[str, Any] | None:
        """What the start model's codes of attributes were fitted as, if there is a model and it has any."""
        if self.start is None or not (self.start / artifact_files.ATTRIBUTES).is_file():
            return None
        return dict(files.read_json(self.start / artifact_files.ATTRIBUTES))

    def _checked_start(self) -> Path | None:
        """The start model, whose encoder must have been this one: layers that learned stand on those that did not."""
        if self.start is not None:
            theirs = files.read_json(self.start / artifact_files.OUTCOME).get("encoder_sha256")
            if theirs != files.sha256_of(self.encoder / WEIGHTS):
                raise ArtifactError(
                    f"--from {self.start}: it was trained on another encoder than {self.encoder}; train without --from"
                )
        return self.start


def _build(directory: Path, training: _Training, corpus: Corpus, work: Path) -> dict[str, float]:
    from interestrec.model.two_tower import save_two_tower

    trained, inputs = training.train(corpus, work)
    save_two_tower(trained.model, directory, inputs.encoder.learned(inputs.settings.trainable_layers))
    vectors = {
        "frozen": trained.frozen_vectors,
        "item": trained.model.item_vectors(trained.text_vectors, trained.codes.attributes),
        "category": trained.codes.categories,
    }
    files.write_safetensors(directory / artifact_files.ITEM_VECTORS, vectors)
    if inputs.attributes.fitted:
        files.write_json(directory / artifact_files.ATTRIBUTES, inputs.attributes.fitted)
    outcome = trained.outcome
    table = pa.table({name: getattr(outcome.history, name) for name in schemas.TRAINING_LOG.names})
    files.write_parquet(directory / artifact_files.TRAINING_LOG, table, schemas.TRAINING_LOG)
    files.write_json(directory / artifact_files.CALIBRATION, trained.calibration.values())
    told: dict[str, Any] = {"epochs": outcome.epochs, "encoder_sha256": files.sha256_of(training.encoder / WEIGHTS)}
    if outcome.best is not None:
        told |= {"valid_auc_start": outcome.history.value[0], "valid_auc": outcome.best}
        told["best_epoch"] = outcome.best_epoch
    files.write_json(directory / artifact_files.OUTCOME, told)
    return {"training_seconds": outcome.seconds, "examples": outcome.examples}


def _execution(settings: Settings, strategy: Any, chief: bool) -> "ExecutionSettings":
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.tensorboard import scalars

    return ExecutionSettings(
        strategy,
        settings.finetune.accumulate,
        settings.runtime.precision == "float16",
        scalars(settings.runtime.tensorboard if chief else None, "finetune"),
    )


def _summarise(directory: Path) -> dict[str, Any]:
    return {
        name: value
        for name, value in files.read_json(directory / artifact_files.OUTCOME).items()
        if name != "encoder_sha256"
    }


def _summarise_folds(directory: Path) -> dict[str, Any]:
    """Of every metric the mean, and the standard deviation between folds."""
    table = files.read_parquet(directory / artifact_files.FOLDS, schemas.FOLDS).to_pandas()
    found = table.groupby("metric", sort=False)["value"].agg(["mean", "std"])
    summary: dict[str, Any] = {"folds": int(table["fold"].nunique())}
    for metric, row in found.iterrows():
        summary |= {str(metric): float(row["mean"]), f"{metric}_std": float(row["std"])}
    return summary
