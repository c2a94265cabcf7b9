"""The trained model of an export: its requests, its scores, and its items in the order of the export."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.exporting.exported_tables import request_inputs
from interestrec.exporting.runtime_formats import RunsGraphs
from interestrec.model.two_tower_config import TwoTowerConfig
from interestrec.scorers import queries
from interestrec.scorers.intensity import Intensity
from interestrec.scorers.requests import Requests
from interestrec.scorers.two_tower_model import TwoTowerModel
from interestrec.scoring.fit_systems import tie_order

if TYPE_CHECKING:
    from interestrec.exporting.exported_graph import Catalogue

DEPTH = 10  # of the lists that are compared
EXAMPLES = 10  # users whose requests are written
_BATCH = 256  # requests


@dataclass(frozen=True)
class ExportSource:
    """The trained model, what it says of requests, and the order of the items in the export."""

    corpus: Corpus
    models: Sequence[TwoTowerModel]
    seed: int

    @property
    def config(self) -> TwoTowerConfig:
        """Configuration of the models."""
        return self.models[0].model.config

    @cached_property
    def item_ids(self) -> list[str]:
        """Ids of items in the order of the corpus."""
        return self.corpus.items["item_id"].to_pylist()

    @cached_property
    def user_ids(self) -> list[str]:
        """Ids of users in the order of the corpus."""
        return self.corpus.users["user_id"].to_pylist()

    @cached_property
    def order(self) -> np.ndarray:
        """int64 [items]: items of the corpus in the order of the export, in which the lower row wins a tie."""
        return np.argsort(tie_order(self.corpus, self.seed), kind="stable")

    @cached_property
    def exported_ids(self) -> list[str]:
        """Ids of items in the order of the export."""
        return [self.item_ids[row] for row in self.order]

    @cached_property
    def place(self) -> np.ndarray:
        """int64 [items]: the row in the export of each item of the corpus."""
        return np.argsort(self.order)

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The items as the graphs read them, in the order of the export."""
        from interestrec.exporting.exported_graph import Catalogue  # it loads TensorFlow

        moments = self.models[0].item_moments(self.corpus.moment)
        return Catalogue.of([model.items for model in self.models], moments, self.order)

    def scores(self, requests: Requests) -> np.ndarray:
        """Logits of order by the trained model, float32 [requests, items], in the order of the export."""
        return Intensity(self.models).score_catalogue(requests)[:, self.order]

    def strength(self, requests: Requests) -> np.ndarray:
        """Logits of strength, float32 [models, requests, items], in the order of the export."""
        found = [model.catalogue.strength(model.histories(requests)) for model in self.models]
        return np.stack(found)[:, :, self.order]

    def inputs(self, requests: Requests) -> dict[str, np.ndarray]:
        """The requests as one batch of inputs of the graphs."""
        return request_inputs(requests, self.models[0].histories(requests), self.place, min(DEPTH, len(self.item_ids)))

    def test_lists(self, graphs: RunsGraphs, requests: Requests) -> np.ndarray:
        """Lists of the graph `recommend`, int64 [requests, DEPTH or less], −1 after the end, items of the corpus."""
        from interestrec.exporting.exported_graph import EXCLUDED  # it loads TensorFlow

        parts = []
        for start in range(0, len(requests), _BATCH):
            found = graphs.run("recommend", self.inputs(requests.block(start, start + _BATCH)))
            parts.append(np.where(found["scores"] > EXCLUDED, self.order[found["items"]], -1))
        return np.concatenate(parts)

    def checked_users(self, pairs: int) -> np.ndarray:
        """int64: users of valid or test, as many as the pairs with all items need, at least those of the examples."""
        shown = self.corpus.impressions
        able = np.unique(shown.user[shown.split >= queries.VALID])
        if not len(able):
            able = np.unique(self.corpus.timelines.user)
        wanted = min(max(-(-pairs // len(self.item_ids)), EXAMPLES), len(able))
        return able[np.linspace(0, len(able) - 1, wanted).astype(np.int64)]
