"""`update`: new events, items and users join the workspace's decision, and forgotten users leave it."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.config.settings import Settings
from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError
from interestrec.core.progress import log
from interestrec.corpus.categories import category_codes
from interestrec.corpus.history_features import log_prices
from interestrec.corpus.item_attributes import fit_attributes
from interestrec.corpus.log_merge import KnownLog, MergedLog, merge
from interestrec.corpus.moments import Moments
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.corpus.user_features import fit_user_features
from interestrec.formats.readers import AnyData
from interestrec.io import artifact_files, files
from interestrec.io.locks import hold_lock
from interestrec.io.schemas import OURS
from interestrec.model.two_tower_config import ItemCodes
from interestrec.model.two_tower_files import read_two_tower
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.scorers.content import unit_rows
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.model_growth import NewItems, grown_models, prices_of_new
from interestrec.scorers.model_opening import member_paths
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.strength import Strength
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scoring.decision_files import (
    AFTER,
    ITEM_VECTORS,
    NEW_TEXT_VECTORS,
    DecisionContext,
    open_log,
    read_context,
    read_shared,
    read_systems,
    read_tallies,
    write_log,
    write_systems,
)
from interestrec.scoring.fit_systems import FittedSystems
from interestrec.scoring.update_decision import event_change, update_systems
from interestrec.serving.feedback_journal import FEEDBACK, refuse_encryption
from interestrec.serving.feedback_tables import UnreadFeedback
from interestrec.stages.preprocess import EarlierLog, build_corpus
from interestrec.stages.run import RunContext, StageResult, item_encoders, produce
from interestrec.workspace.artifacts import LOCKS, Artifact, Recipe
from interestrec.workspace.forgotten import read_forgotten


def run(context: RunContext, events: Path | None, items: Path | None, feedback: bool = False) -> StageResult:
    """Update the decision; without a change it stays the current one. The artifact is `decision`.

    Args:
        events: file or directory of new events, see `DataSettings.with_new_files`; None = only users are forgotten.
        items: file of new items; None = the configured one.
        feedback: whether to read what clients of the web service reported, instead of files.

    Raises:
        InputMissingError: the workspace has no decision, or a file is missing.
        ArtifactError: the decision cannot follow events.
        ConfigError: the decision was made with other values of `rank`; feedback is asked for and the workspace is
            encrypted, see `refuse_encryption`.
        DataError, ConfigError: the events do not fit the configuration or the log; see `log_merge.merge`.
        LockedError: another update is running.
    """
    if feedback:
        refuse_encryption(context.settings.runtime.encryption_key)
    workspace = context.settings.workspace
    with hold_lock(workspace / LOCKS / "update", str(workspace / "decision")), _scratch(workspace) as scratch:
        base = context.open("decision")
        base.require_release()
        decided = read_context(base.path)
        decided.require_rank(context.settings.rank, base.path)
        update = _Update(context, base, decided, scratch)
        unread = update.unread_feedback() if feedback else None
        data = update.data(events, items, unread)
        log_so_far = KnownLog.read(base.path / artifact_files.LOG)
        new = None if data is None else update.read_new(data, is_feedback=feedback)
        if new is not None and feedback:
            new = new.with_columns_of(log_so_far)  # nobody reports attributes of users
        merged = merge(log_so_far, new, update.forgotten_rows())
        read = 0 if unread is None else len(unread.new_events)
        if not len(merged.touched) and not len(merged.new_items) and not read:
            log.info("update: nothing is new; the decision stays as it is")
            return StageResult(base, False, merged.counts)
        known = update.decided.feedback + read
        result = produce(
            context, update.recipe(data), lambda directory: update.build(directory, merged, known), lambda _: {}
        )
        return StageResult(result.artifact, result.built, merged.counts)


@contextmanager
def _scratch(workspace: Path) -> Iterator[Path]:
    """Yield a new directory; those that killed updates left are removed, as only one update runs at a time."""
    (workspace / "work").mkdir(parents=True, exist_ok=True)
    for left in (workspace / "work").glob("update-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=workspace / "work", prefix="update-") as directory:
        yield Path(directory)


@dataclass(frozen=True)
class _Update:
    context: RunContext
    base: Artifact
    decided: DecisionContext
    scratch: Path

    @cached_property
    def known_items(self) -> pa.Array:
        """Ids of the items of the log."""
        known = files.read_parquet(self.base.path / artifact_files.LOG / artifact_files.ITEMS, columns=["item_id"])
        return known["item_id"].combine_chunks()

    def unread_feedback(self) -> UnreadFeedback:
        """Read what clients of the web service reported and the decision does not know."""
        workspace = self.context.settings.workspace
        return UnreadFeedback.read(workspace / FEEDBACK, self.decided.feedback, set(self.known_items.to_pylist()))

    def data(self, events: Path | None, items: Path | None, unread: UnreadFeedback | None) -> AnyData | None:
        """Return the settings of the new raw files, None if there are none; arguments as those of `run`."""
        data = self.context.settings.data
        if unread is not None:
            timed = open_log(self.base.path, self.decided.relevant_at).moment != NO_TIME
            return unread.write(self.scratch / FEEDBACK, data, timed)
        if events is None:
            return None
        if not events.exists():
            raise InputMissingError(f"--events {events}: no such file or directory; check the path")
        return data.with_new_files(events, items)

    def read_new(self, data: AnyData, is_feedback: bool) -> KnownLog:
        """Read the new events as a corpus whose events are all known, graded as those of the decision's log."""
        earlier = EarlierLog(self.decided.value_maps, self.known_items, may_be_empty=is_feedback)
        settings = _settings_of_new(self.context.settings, data, has_pseudonyms=is_feedback)
        build_corpus(self.scratch, settings, earlier)
        return KnownLog.read(self.scratch)

    def forgotten_rows(self) -> np.ndarray:
        """Return the users of the log that the workspace is to forget, int64.

        Raises:
            ArtifactError: there are some, and the log has pseudonyms, which do not tell who they are.
        """
        forgotten = read_forgotten(self.context.settings.workspace)
        if forgotten is None or self.context.open("corpus").manifest["inputs"].get("forgotten") == forgotten.digest:
            return np.zeros(0, np.int64)
        if self.decided.pseudonyms is not None:
            raise ArtifactError(
                f"{self.base.path}: forgotten users cannot be found among pseudonyms; run `interestrec run`, which "
                "reads the raw log"
            )
        names = files.read_parquet(self.base.path / artifact_files.LOG / artifact_files.USERS, columns=["user_id"])
        ids = names["user_id"].to_pylist()
        return np.array([row for row, name in enumerate(ids) if name in forgotten], np.int64)

    def recipe(self, data: AnyData | None) -> Recipe:
        """Return the recipe of the updated decision."""
        made_of = self.base.manifest["inputs"]
        inputs = {kind: made_of[kind] for kind in ("corpus", "encoder", "model")}
        if data is not None:
            for path in expand_patterns(data.root, data.names):
                inputs[f"new {path.name}"] = files.sha256_of(path)
        if (forgotten := read_forgotten(self.context.settings.workspace)) is not None:
            inputs["forgotten"] = forgotten.digest
        config = {**self.base.manifest["config"], AFTER: self.base.digest}
        return Recipe("decision", inputs, config, self.base.manifest["seed"])

    def build(self, directory: Path, merged: MergedLog, feedback: int) -> None:
        """Write the log after the change, and let all scorers follow it; `feedback`: see DecisionContext."""
        write_log(directory, merged.tables)
        before = open_log(self.base.path, self.decided.relevant_at)
        after = open_log(directory, self.decided.relevant_at)
        model, encoder = self.context.open("model"), self.context.open("encoder")
        made_of = self.base.manifest["inputs"]
        for artifact in (model, encoder):
            if made_of[artifact.kind] != artifact.digest:
                raise ArtifactError(
                    f"{self.base.path}: the decision was made of another {artifact.kind} than {artifact.path}; run "
                    "`interestrec rank` first"
                )
        if read_two_tower(model.path)[0].user_text is not None:
            raise ConfigError("finetune.user_tower text: such a decision cannot follow events; run `interestrec run`")
        texts = self._texts(merged, model, encoder) if len(merged.new_items) else None
        earlier = read_shared(self.base.path, NEW_TEXT_VECTORS)
        vectors = [part for part in (earlier, None if texts is None else texts[0]) if part is not None]
        inputs = ScorerInputs(
            model=model.path,
            encoder=encoder.path,
            corpus=after,
            workspace=self.context.settings.workspace,
            requests=(),
            seed=self.decided.seed,
            new_text_vectors=np.concatenate(vectors) if vectors else None,
        )
        systems = read_systems(self.base.path, inputs, OURS, with_bases=True)
        change = event_change(before, after, merged.touched, merged.forgotten, self.decided.events_are_labels)
        models = self._models(systems, after, model, None if texts is None else texts[1])
        static = {name: self.context.settings.rank.scorer_settings(name) for name in SCORERS if SCORERS[name].is_static}
        systems, tallies = update_systems(systems, read_tallies(self.base.path), change, inputs, models, static)
        decided = self.decided._replace(known_before=after.moment, feedback=feedback)
        diverse = self.context.settings.rank.rules.diversity > 0
        shared = {
            NEW_TEXT_VECTORS: inputs.new_text_vectors,
            ITEM_VECTORS: unit_rows(inputs.text_vectors) if diverse else None,
        }
        write_systems(directory, systems, decided, shared, tallies)

    def _texts(self, merged: MergedLog, model: Artifact, encoder: Artifact) -> tuple[np.ndarray, list[np.ndarray]]:
        """Encode the texts of new items: vectors of the encoder, and those of each model, which may have trained it."""
        from interestrec.encoding.hidden_cache import training_forward
        from interestrec.encoding.text_vectors import encode
        from interestrec.model.modality import Modality, unit_blocks
        from interestrec.model.two_tower_files import read_learned
        from interestrec.training import device

        settings = self.context.settings
        runtime = settings.runtime
        device.prepare(runtime.device, runtime.threads, settings.seed, tensor_float_32=runtime.tensor_float_32)
        encoders, corpus = item_encoders(settings, encoder.path), Corpus(self.scratch, self.decided.relevant_at)
        others, members = encoders.other_vectors(corpus), member_paths(model.path)
        beside = others.vectors[merged.new_items]
        if encoders.text is None:
            return unit_blocks(beside, others.modalities), [beside] * len(members)
        network = encoders.load_text(encoders.text)
        modalities = (Modality(encoders.text, network.width), *others.modalities)
        texts = encoders.text_inputs(encoders.text, network, corpus).select(merged.new_items)
        frozen = np.concatenate([encode(encoders.frozen(network), texts), beside], axis=1)
        learned = []
        for member in members:
            forward = training_forward(network, network.assign_learned(read_learned(member)))
            of_member = None if forward is None else encode(network, texts, forward=forward)
            learned.append(frozen if of_member is None else np.concatenate([of_member, beside], axis=1))
        return unit_blocks(frozen, modalities), learned

    def _models(
        self, systems: FittedSystems, after: Corpus, model: Artifact, vectors: Sequence[np.ndarray] | None
    ) -> dict[str, Scorer]:
        """Return the scorers of the trained models, which know the new items and users."""
        found = {name: scorer for name, scorer in systems.ensemble.scorers.items() if name in ("intensity", "strength")}
        if not found:
            return {}
        (first, *_) = found.values()
        models: Sequence[TwoTowerModel] = first.models  # type: ignore[attr-defined]
        settings, moments = self.context.settings, Moments.of(after)
        users = fit_user_features(after, settings.users.features, _fitted(model.path, artifact_files.USER_ATTRIBUTES))
        items = None
        if vectors is not None:
            known = len(models[0].items.texts)
            attributes = fit_attributes(
                after, settings.items.attributes, _fitted(model.path, artifact_files.ATTRIBUTES)
            )
            codes = ItemCodes(
                attributes.packed[known:],
                category_codes(after.items["category"])[known:],
                prices_of_new(models[0].items.prices, log_prices(after.items["price"])),
            )
            items = [NewItems(of_member, codes) for of_member in vectors]
        grown = grown_models(models, member_paths(model.path), items, users.packed, moments)
        scorers: dict[str, Scorer] = {"strength": Strength(grown)} if "strength" in found else {}
        if isinstance(intensity := found.get("intensity"), Intensity):
            scorers["intensity"] = intensity.grown(grown, settings.rank.retrieve, settings.rank.search)
        return scorers


def _fitted(model: Path, file: str) -> dict[str, Any]:
    return dict(files.read_json(model / file)) if (model / file).is_file() else {}


def _settings_of_new(settings: Settings, data: AnyData, has_pseudonyms: bool) -> Settings:
    """Return the settings that read new files as a log of its own, all of whose events are known.

    Rules that look at a whole log, such as k-core, robots and shared sentences, would judge a few events or texts.

    Args:
        has_pseudonyms: whether user ids of the files are pseudonyms already, where the log has any.
    """
    split = settings.preprocess.split.model_copy(update={"method": "none", "window": 1, "valid_from": None})
    update: dict[str, Any] = {"split": split, "k_core": None, "robots": None, "boilerplate": None}
    if has_pseudonyms:
        update["pseudonym_key"] = None
    data = data.model_copy(update={"max_items_without_text": 1.0})
    return settings.model_copy(update={"data": data, "preprocess": settings.preprocess.model_copy(update=update)})
