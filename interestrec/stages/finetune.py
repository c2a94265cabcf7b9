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
from interestrec.corpus.item_attributes import fit_attributes
from interestrec.corpus.store import Corpus
from interestrec.corpus.user_features import fit_user_features
from interestrec.io import artifact_files, commit, files, schemas
from interestrec.io.encoder_files import weights_digest
from interestrec.stages.run import RunContext, StageResult, item_encoders, produce
from interestrec.tracking.run_tracking import RunTracking
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.workspace.artifacts import Artifact, Recipe
from interestrec.workspace.reference_run import REFERENCE_INPUT, ReferenceRun, open_reference_run
from interestrec.workspace.start_model import START_INPUT, StartModel, current_model, given_model

if TYPE_CHECKING:
    import numpy as np

    from interestrec.scoring.training_judge import Judge
    from interestrec.training.execution import ExecutionSettings
    from interestrec.training.finetuning import TrainedModel
    from interestrec.training.training_inputs import TrainingInputs


def run(context: RunContext) -> StageResult:
    """Train the model, starting from the context's start model if there is one; the artifact is `model`.

    Raises:
        ArtifactError: the encoder was adapted to another corpus, or the start model does not fit it.
        InputMissingError, ConfigError: the reference run that replaces a valid split is missing or has other settings.
        UsageError, DeviceError: the devices of `runtime` cannot be used.
        DataError: there is too little to train on.
        NumericError: the loss is not finite.
        TrainingPaused: the epochs of the context's trial are over, and there are more.
    """
    corpus, encoder, recipe = _inputs(context, "model", {})
    reference_workspace = context.settings.preprocess.split.verified
    reference = open_reference_run(reference_workspace, recipe.config) if reference_workspace else None
    if reference is not None:
        recipe = replace(recipe, inputs={**recipe.inputs, REFERENCE_INPUT: reference.digest})
    start = _start_model(context, recipe, encoder)
    if start is not None:
        recipe = replace(recipe, inputs={**recipe.inputs, START_INPUT: start.digest})
    work, tracking = context.work(recipe), context.tracking(recipe)

    def build(target: Path) -> dict[str, float]:
        pause_after = None if context.trial is None else context.trial.epochs
        start_path = start.path if start else None
        training = _Training(encoder.path, context.settings, tracking, start_path, reference, pause_after)
        return _build(target, training, Corpus(corpus.path, context.settings.data.relevant_at), work)

    return produce(context, recipe, build, _summarise, all_workers=True, tracking=tracking)


def cross_validate(context: RunContext, folds: int, by: str) -> StageResult:
    """Train once per fold on the other folds of the train split; the artifact is `folds`.

    Args:
        folds: number of folds, at least 2.
        by: `users` or `time`, see training/folds.py.

    Raises:
        UsageError: there are fewer than 2 folds, or no valid split.
        DataError: there is too little data to hold out.
        ArtifactError, DeviceError, NumericError: as `run`.
    """
    if folds < 2:
        raise UsageError(f"--folds is {folds}, but at least 2 are needed to hold one out; 5 is usual")
    if context.settings.preprocess.split.method == "none":
        raise UsageError(
            "--folds needs a valid split for early stopping, but preprocess.split.method is none; choose another"
        )
    corpus, encoder, recipe = _inputs(context, "folds", {"folds": folds, "by": by})
    work, tracking = context.work(recipe), context.tracking(recipe)

    def build(target: Path) -> None:
        from interestrec.training.folds import FOLDS, measure

        train_part = pick(FOLDS, by, "--by")
        training, rows = _Training(encoder.path, context.settings, tracking), []
        full_corpus, seed = Corpus(corpus.path, context.settings.data.relevant_at), context.settings.seed
        paths = [work / f"fold-{fold}.json" for fold in range(folds)]
        # Read before any fold is written, because all workers of a distributed run must skip the same folds.
        results = [files.read_json(path) if path.exists() else None for path in paths]
        for fold, found in enumerate(results):
            if found is None:
                fold_corpus = train_part(full_corpus, folds, fold, seed)
                log.info("finetune: fold %d of %d", fold + 1, folds)
                found = measure(*training.train(fold_corpus, work / f"fold-{fold}", prefix=f"fold-{fold}/"))
                if training.chief:
                    with commit.staged_file(paths[fold]) as partial:
                        files.write_json(partial, found)
            rows += [(fold, name, value, int(found["n"])) for name, value in found.items() if name != "n"]
        table = pa.table(list(map(list, zip(*rows, strict=True))), names=schemas.FOLDS.names).cast(schemas.FOLDS)
        files.write_parquet(target / artifact_files.FOLDS, table, schemas.FOLDS)

    return produce(context, recipe, build, _summarise_folds, all_workers=True, tracking=tracking)


def _start_model(context: RunContext, recipe: Recipe, encoder: Artifact) -> StartModel | None:
    """Return the model of `--from`, or with `finetune.warm_start` the workspace's current one; None to start anew.

    An earlier window starts anew, as the current model may be that of a later one.
    """
    encoder_sha256 = weights_digest(encoder.path)
    if context.start is not None:
        return given_model(context.start, encoder_sha256)
    settings = context.settings
    if not settings.finetune.warm_start or settings.preprocess.split.window > 1:
        return None
    return current_model(settings.workspace, recipe, encoder_sha256, context.force)


def _inputs(context: RunContext, kind: str, extra_config: dict[str, Any]) -> tuple[Artifact, Artifact, Recipe]:
    """Open corpus and encoder, and return them with the recipe of the artifact."""
    corpus, encoder = context.open("corpus"), context.open("encoder")
    encoder.require_input(corpus)
    settings = context.settings
    _require_split(corpus, settings.preprocess.split.method)
    config = {
        **settings.lineage("items", "users", "encoders", "finetune"),
        "lists": settings.rank.rules.model_dump(mode="json", include={"seen", "seen_penalty", "max_age_days"}),
        "relevant_at": settings.data.relevant_at,
        "numeric": settings.runtime.numeric_mode,
        **extra_config,
    }
    inputs = {"corpus": corpus.digest, "encoder": encoder.digest}
    recipe = Recipe(kind=kind, inputs=inputs, config=config, seed=settings.seed, linked=context.trial is None)
    return corpus, encoder, recipe


def _require_split(corpus: Artifact, method: str) -> None:
    """Check that the corpus has a valid split exactly if the configuration says so.

    Raises:
        ArtifactError: corpus and configuration disagree.
    """
    corpus_method = corpus.manifest["config"]["preprocess"]["split"]["method"]
    if (corpus_method == "none") != (method == "none"):
        raise ArtifactError(
            f"{corpus.path}: the corpus was split by the method {corpus_method}, but preprocess.split.method "
            f"is {method}; run `interestrec preprocess` again"
        )


class _Training:
    """Devices and settings shared by all trainings of one command."""

    def __init__(
        self,
        encoder: Path,
        settings: Settings,
        tracking: RunTracking,
        start: Path | None = None,
        reference: ReferenceRun | None = None,
        pause_after: int | None = None,
    ) -> None:
        # TensorFlow is imported only if there is something to build.
        from interestrec.training import device

        runtime = settings.runtime
        if workers(runtime.distribution) and settings.finetune.vector_cache != VectorCacheSettings():
            raise ConfigError(
                "finetune.vector_cache keeps the vectors of one process; leave it out if several workers train"
            )
        self.encoder, self.settings, self.start, self.reference = encoder, settings, start, reference
        self.tracking = tracking
        self.chief = worker_number(runtime.distribution) == 0
        strategy = device.prepare(
            runtime.device, runtime.threads, settings.seed, runtime.distribution, runtime.tensor_float_32
        )
        self.execution = _execution(settings, strategy, pause_after)

    def train(
        self, corpus: Corpus, work: Path, member: int = 0, prefix: str = ""
    ) -> "tuple[TrainedModel, TrainingInputs]":
        """Train on a corpus, resuming from the checkpoints in `work`; return the result and its inputs.

        Args:
            member: number of the model in an ensemble, which is added to the seed.
            prefix: begins the names of figures for trackers.
        """
        import keras

        from interestrec.training.finetuning import finetune
        from interestrec.training.training_checkpoint import CheckpointStore

        seed = self.settings.seed + member
        keras.utils.set_random_seed(seed)  # a fold must not depend on earlier folds
        inputs = self._training_inputs(corpus, seed)
        checkpoints = CheckpointStore(work, self.settings.runtime.checkpoint_seconds, self.chief)
        execution = replace(self.execution, watch=self.tracking.watch(prefix))
        return finetune(inputs, execution, checkpoints), inputs

    def _training_inputs(self, corpus: Corpus, seed: int) -> "TrainingInputs":
        from interestrec.training.item_texts import item_texts, text_user
        from interestrec.training.training_inputs import TrainingInputs

        settings, section = self.settings, self.settings.finetune
        encoders = item_encoders(settings, self.encoder)
        with self.execution.strategy.scope():
            texts = item_texts(encoders, section, corpus)
        start = self._start_features(artifact_files.USER_ATTRIBUTES)
        user_features = fit_user_features(corpus, settings.users.features, start)
        return TrainingInputs(
            settings=section,
            seed=seed,
            corpus=corpus,
            texts=texts,
            others=encoders.other_vectors(corpus),
            attributes=fit_attributes(
                corpus, settings.items.attributes, self._start_features(artifact_files.ATTRIBUTES)
            ),
            user_features=user_features,
            repeats=settings.rank.rules.seen != "out",
            judge=self._judge(corpus, user_features.packed),
            user_text=text_user(encoders, texts, section),
            start=self.start,
            reference_run=self.reference,
        )

    def _judge(self, corpus: Corpus, user_features: "np.ndarray") -> "Judge | None":
        """Return what judges the lists over the catalogue, None where nothing is validated."""
        from interestrec.scoring.training_judge import training_judge

        if self.reference is not None:
            return None
        return training_judge(corpus, self.settings.rank, user_features, self.settings.seed)

    def _start_features(self, file: str) -> dict[str, Any] | None:
        """Return the start model's fitted features of items or users, if there is a start model with features."""
        if self.start is None or not (self.start / file).is_file():
            return None
        return dict(files.read_json(self.start / file))


def _build(directory: Path, training: _Training, corpus: Corpus, work: Path) -> dict[str, float]:
    """Train and write the model, and the further models of an ensemble in directories beside its files."""
    from interestrec.training.model_files import write_model

    encoder, seconds, examples = weights_digest(training.encoder), 0.0, 0
    for member in range(training.settings.finetune.seeds):
        name = artifact_files.MEMBER.format(member)
        trained, inputs = training.train(corpus, work / name, member, f"{name}/" if member else "")
        target = directory / name if member else directory
        target.mkdir(exist_ok=True)
        write_model(target, trained, inputs, encoder)
        seconds, examples = seconds + trained.outcome.seconds, examples + trained.outcome.examples
    return {"training_seconds": seconds, "examples": examples}


def _execution(settings: Settings, strategy: Any, pause_after: int | None) -> "ExecutionSettings":
    from interestrec.training.execution import ExecutionSettings

    return ExecutionSettings(
        strategy, settings.finetune.accumulate, settings.runtime.precision == "float16", pause_after=pause_after
    )


def _summarise(directory: Path) -> dict[str, Any]:
    return {
        name: value
        for name, value in files.read_json(directory / artifact_files.OUTCOME).items()
        if name != "encoder_sha256"
    }


def _summarise_folds(directory: Path) -> dict[str, Any]:
    """Return the mean of every metric and its standard deviation over folds."""
    table = files.read_parquet(directory / artifact_files.FOLDS, schemas.FOLDS).to_pandas()
    statistics = table.groupby("metric", sort=False)["value"].agg(["mean", "std"])
    summary: dict[str, Any] = {"folds": int(table["fold"].nunique())}
    for metric, row in statistics.iterrows():
        summary |= {str(metric): float(row["mean"]), f"{metric}_std": float(row["std"])}
    return summary
