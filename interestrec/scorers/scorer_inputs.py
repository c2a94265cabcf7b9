"""ScorerInputs: the inputs of scorers besides events, labels and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.core.choices import suggestion
from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.scorers.requests import Requests

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.corpus.store import Corpus
    from interestrec.scorers.two_tower_model import TwoTowerModel
    from interestrec.training.training_checkpoint import CheckpointStore


@dataclass(frozen=True)
class ScorerInputs:
    """The model, corpus and encoder, and values derived from them; a scorer declares the attributes that it needs."""

    model: Path  # directory of the artifact
    encoder: Path  # directory of the artifact that the model was trained on
    corpus: Corpus
    workspace: Path  # contains the cache of vectors
    requests: Iterable[Requests]  # upcoming requests, whose user texts are encoded together
    seed: int
    retrieve: int | None = None  # `rank.retrieve`
    search: str = "exact"  # `rank.search`
    new_text_vectors: np.ndarray | None = None  # float32 [items that came after the model, width], as `text_vectors`
    checkpoints: Callable[[str], CheckpointStore] | None = None  # of a fit by name, from which it resumes

    def select(self, scorer: str, needs: Iterable[str]) -> dict[str, Any]:
        """Return the attributes that a scorer needs, by name.

        Raises:
            ConfigError: an attribute does not exist; the message says where to add it.
            ArtifactError: the artifacts do not provide an attribute.
        """
        choices = [name for name in (*vars(self), *vars(type(self))) if not name.startswith("_") and name != "select"]
        for need in needs:
            if need not in choices:
                raise ConfigError(
                    f"scorer '{scorer}' needs '{need}'{suggestion(need, choices)}, which ScorerInputs lacks; "
                    f"add a property '{need}' to it in interestrec/scorers/scorer_inputs.py"
                )
        return {need: getattr(self, need) for need in needs}

    @property
    def relevant_from(self) -> float:
        """Minimum intensity of a positive history entry."""
        return self.corpus.relevant_from

    @property
    def user_ids(self) -> list[str]:
        """Ids of all users, in corpus order."""
        return self.corpus.users["user_id"].to_pylist()

    @property
    def item_ids(self) -> list[str]:
        """Ids of all items, in corpus order."""
        return self.corpus.items["item_id"].to_pylist()

    @property
    def item_texts(self) -> list[str]:
        """Title and text of each item, in corpus order."""
        columns = (self.corpus.items[column].to_pylist() for column in ("title", "text"))
        return [" ".join(parts) for parts in zip(*columns, strict=True)]

    @property
    def item_categories(self) -> list[str | None]:
        """Category of each item, in corpus order; None if it is unknown."""
        return self.corpus.items["category"].to_pylist()

    @property
    def train_items(self) -> np.ndarray:
        """bool [items]: the item occurs in an event, a history or a candidate list of train."""
        from interestrec.scorers import queries

        return queries.known_items(self.corpus, queries.VALID)

    @property
    def user_attributes(self) -> list[pa.ChunkedArray]:
        """Attributes of users, columns [users] of float64 or string, null where unknown."""
        return [self.corpus.users[name] for name in self.corpus.user_attributes]

    @property
    def histories_are_labels(self) -> bool:
        """Whether histories contain labels: every request was made of one event, so that none was shown and ignored."""
        return self.corpus.requests_are_events

    @cached_property
    def two_towers(self) -> list[TwoTowerModel]:
        """The models that `finetune` trained, one per seed, loaded once for all scorers of them."""
        from interestrec.scorers.model_opening import open_models

        return open_models(self.model, self)

    @property
    def model_has_tasks(self) -> bool:
        """Whether the model predicts tasks besides the intensity."""
        return bool(self._model_config.get("tasks"))

    @property
    def model_modalities(self) -> list[str]:
        """Names of the modalities that the model reads of items, if there are several."""
        return [str(name) for name, _ in self._model_config.get("modalities", ())]

    @cached_property
    def _model_config(self) -> dict[str, Any]:
        from interestrec.io import files
        from interestrec.model.two_tower_files import CONFIG

        return dict(files.read_json(self.model / CONFIG))

    @cached_property
    def text_vectors(self) -> np.ndarray:
        """Item text vectors of the adapted encoder, before finetuning: float32 [items, width].

        Raises:
            ArtifactError: the vectors of the model do not match the corpus.
        """
        from interestrec.io import artifact_files, files

        vectors = files.read_safetensors(self.model / artifact_files.ITEM_VECTORS).get("frozen")
        if vectors is not None and self.new_text_vectors is not None:
            vectors = np.concatenate([vectors, self.new_text_vectors])
        if vectors is None or len(vectors) != self.corpus.items.num_rows:
            raise ArtifactError(f"{self.model}: item_vectors.safetensors does not match the corpus; run finetune again")
        return vectors
