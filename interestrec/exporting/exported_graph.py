"""The trained model as graphs of TensorFlow: texts to items, scores of any items, and lists of the catalogue.

The layers are those that were trained, so that there is one definition of the model. What the other runtimes lack is
written in their operations when a graph is converted (exporting/onnx_graphs.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from interestrec.corpus.feature_codes import packed_width
from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.backend import tf
from interestrec.model.encoder import InputEncoder
from interestrec.model.head import CandidateSide
from interestrec.model.two_tower import History, TwoTower
from interestrec.model.two_tower_config import ItemArrays, TwoTowerConfig

EMBED, SCORE, RECOMMEND = "embed_items", "score", "recommend"
EXCLUDED = float(np.finfo(np.float32).min)  # score of an excluded item; LiteRT writes it for −inf


class Catalogue(NamedTuple):
    """Items as the graphs read them; of a model of several seeds each has vectors of its own."""

    texts: np.ndarray  # float32 [models, items, text width]
    entries: np.ndarray  # float32 [models, items, width]
    candidates: np.ndarray  # float32 [models, items, width]
    categories: np.ndarray  # int32 [items, levels]
    prices: np.ndarray  # float32 [items], NaN where unknown
    item_moments: np.ndarray  # float32 [items, ITEM_FEATURES], at the moment of the export

    @classmethod
    def of(cls, models: Sequence[ItemArrays], item_moments: np.ndarray, order: np.ndarray) -> "Catalogue":
        """Return the items of all models in an order, int64 [items]."""
        first = models[0]
        return cls(
            texts=np.stack([items.texts[order] for items in models]),
            entries=np.stack([items.entries[order] for items in models]),
            candidates=np.stack([items.candidates[order] for items in models]),
            categories=first.categories[order],
            prices=first.prices[order],
            item_moments=item_moments[order],
        )


class ExportedGraph(tf.Module):
    """The models of all seeds with their encoders and the catalogue, as functions with named inputs and outputs."""

    def __init__(self, models: Sequence[TwoTower], encoders: Sequence[InputEncoder], catalogue: Catalogue) -> None:
        """`encoders`, one per model, turn tokens into text vectors; none if the export cannot embed texts."""
        super().__init__()
        self.models = list(models)
        self.encoders = list(encoders)
        self.catalogue = {
            name: tf.Variable(part, trainable=False, name=f"catalogue/{name}")
            for name, part in catalogue._asdict().items()
        }
        config = models[0].config
        requests, items = _request_specs(config), _item_specs(config, len(models))
        excluded, k = tf.TensorSpec([None, None], tf.int32, "excluded"), tf.TensorSpec([], tf.int32, "k")
        functions = {
            SCORE: tf.function(self.score, input_signature=[*requests, *items]),
            RECOMMEND: tf.function(self.recommend, input_signature=[*requests, excluded, k]),
        }
        if encoders:
            tokens = [tf.TensorSpec([None, None], tf.int32, "ids"), tf.TensorSpec([None, None], tf.float32, "mask")]
            attributes = tf.TensorSpec([None, packed_width(config.attributes)], tf.int32, "attributes")
            functions[EMBED] = tf.function(self.embed_items, input_signature=[*tokens, attributes])
        self.functions = functions

    def embed_items(self, ids: tf.Tensor, mask: tf.Tensor, attributes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return items as `score` reads them, from the tokens of their texts.

        Args:
            ids: int32 [items, length], tokens.
            mask: float32 [items, length], 1 at tokens and 0 at padding.
            attributes: int32 [items, columns], packed attributes; 0 where unknown, as for a new item.
        """
        count = tf.shape(ids)[0]
        nothing = tf.zeros([count, 0], tf.int32), tf.zeros([count])  # categories and prices pass through
        parts: dict[str, list[tf.Tensor]] = {"texts": [], "entries": [], "candidates": []}
        for model, encoder in zip(self.models, self.encoders, strict=True):
            found = model.items(encoder.pool(encoder(ids, mask), mask), attributes, *nothing)
            for name, values in parts.items():
                values.append(getattr(found, name))
        return {name: tf.stack(values) for name, values in parts.items()}

    def score(
        self,
        history: tf.Tensor,
        intensity: tf.Tensor,
        days: tf.Tensor,
        features: tf.Tensor,
        moments: tf.Tensor,
        texts: tf.Tensor,
        entries: tf.Tensor,
        candidates: tf.Tensor,
        categories: tf.Tensor,
        prices: tf.Tensor,
        item_moments: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Return scores of all items given.

        Args:
            history: int32 [requests, length], rows of the items given, oldest first; any row at padding.
            intensity: float32 [requests, length], 0 at padding, which stands at the end.
            days: float32 [requests, length], ln(1 + days) since each entry, 0 where unknown.
            features: int32 [requests, columns], packed features of the users; 0 where unknown.
            moments: float32 [requests, USER_FEATURES], see corpus/moments.py.
            texts, entries, candidates, categories, prices, item_moments: the items, see Catalogue.

        Returns:
            `scores`, the mean logits of order, float32 [requests, items]; `strength`, the logits of strength, float32
            [models, requests, items]; `users`, the users' vectors, float32 [models, requests, width].
        """
        orders, strengths, users = [], [], []
        for number, model in enumerate(self.models):
            own_texts, own_entries, own_candidates = texts[number], entries[number], candidates[number]
            read = History(
                texts=tf.gather(own_texts, history),
                entries=tf.gather(own_entries, history),
                categories=tf.gather(categories, history),
                prices=tf.gather(prices, history),
                intensity=intensity,
                days=days,
                features=features,
                moments=moments,
            )
            user = model.user(read)
            items = CandidateSide(
                *(tf.expand_dims(part, 0) for part in (own_texts, own_candidates, categories, prices))
            )
            order, strength = model.head(user, items)
            orders.append(order + model.moment_terms(tf.expand_dims(item_moments, 0), moments))
            strengths.append(strength)
            users.append(user.vector)
        scores = tf.add_n(orders) / float(len(orders))
        return {"scores": scores, "strength": tf.stack(strengths), "users": tf.stack(users)}

    def recommend(
        self,
        history: tf.Tensor,
        intensity: tf.Tensor,
        days: tf.Tensor,
        features: tf.Tensor,
        moments: tf.Tensor,
        excluded: tf.Tensor,
        k: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Return the k best items of the catalogue that are not excluded; among equal scores the lower row comes first.

        Args:
            history, intensity, days, features, moments: as in `score`; rows are those of the catalogue.
            excluded: int32 [requests, any], rows of the catalogue, −1 for none.
            k: int32, at most the number of items.

        Returns:
            `items`, rows of the catalogue, int32 [requests, k], and their `scores`, float32 [requests, k], EXCLUDED
            where no further item is permitted.
        """
        catalogue = {name: tf.convert_to_tensor(part) for name, part in self.catalogue.items()}
        scores = self.score(history, intensity, days, features, moments, **catalogue)["scores"]
        requests, items = tf.shape(scores)[0], tf.shape(scores)[1]
        column = tf.where(excluded >= 0, excluded, items)  # the last column stands for none
        cells = tf.reshape(tf.expand_dims(tf.range(requests), 1) * (items + 1) + column, [-1])
        ones = tf.ones_like(cells, tf.float32)
        counts = tf.reshape(tf.math.unsorted_segment_sum(ones, cells, requests * (items + 1)), [requests, items + 1])
        scores = tf.where(counts[:, :-1] > 0, EXCLUDED, scores)
        best, rows = tf.math.top_k(scores, k)
        return {"items": rows, "scores": best}


def _request_specs(config: TwoTowerConfig) -> list[tf.TensorSpec]:
    shapes = {
        "history": ([None, None], tf.int32),
        "intensity": ([None, None], tf.float32),
        "days": ([None, None], tf.float32),
        "features": ([None, packed_width(config.user_features)], tf.int32),
        "moments": ([None, USER_FEATURES], tf.float32),
    }
    return [tf.TensorSpec(shape, kind, name) for name, (shape, kind) in shapes.items()]


def _item_specs(config: TwoTowerConfig, models: int) -> list[tf.TensorSpec]:
    shapes = {
        "texts": ([models, None, config.text_width], tf.float32),
        "entries": ([models, None, config.width], tf.float32),
        "candidates": ([models, None, config.width], tf.float32),
        "categories": ([None, config.levels], tf.int32),
        "prices": ([None], tf.float32),
        "item_moments": ([None, ITEM_FEATURES], tf.float32),
    }
    return [tf.TensorSpec(shape, kind, name) for name, (shape, kind) in shapes.items()]
