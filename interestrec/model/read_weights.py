"""The weights of a trained two-tower model that scoring reads, without TensorFlow."""

from __future__ import annotations

from itertools import pairwise

from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES
from interestrec.model.feature_tables import table_shapes
from interestrec.model.two_tower_config import TwoTowerConfig

MATCH_SMOOTHING = 3.0  # a single click in a category is weak evidence
MOMENT_HIDDEN = 8  # units of the moment's terms
BLOCK_HEADS = 2  # of the user tower's transformer blocks
Shapes = dict[str, tuple[int, ...]]


def read_shapes(config: TwoTowerConfig) -> Shapes:
    """Return the shapes of the weights of the user side, the head and the moment's terms, by name.

    Those of items' texts and features have done their work once the arrays of items exist.
    """
    moment = ITEM_FEATURES + MOMENT_HIDDEN
    parts: dict[str, Shapes] = {
        "text_mean": {"attention": (config.text_width, 1), "forgetting": ()},
        "user_tower": _user_tower(config),
        "head": _head(config),
        "moment_terms": {
            "shared": (moment,),
            "personal": (USER_FEATURES, moment),
            "first/kernel": (ITEM_FEATURES, MOMENT_HIDDEN),
            "first/bias": (MOMENT_HIDDEN,),
        },
        "task_heads": _task_heads(config),
    }
    return {f"{part}/{name}": shape for part, shapes in parts.items() for name, shape in shapes.items()}


def _user_tower(config: TwoTowerConfig) -> Shapes:
    width = config.width
    shapes: Shapes = {"attention": (width, 1), "forgetting": (), "forgetting_days": (), "empty": (width,)}
    if config.blocks:
        shapes |= {"places": (config.max_history, width), "age": (width,)}
    for feature in config.user_features:
        shapes |= {f"user_features/{name}": shape for name, shape in table_shapes(feature, width).items()}
    block: Shapes = {f"{part}_{kind}": (width,) for part in ("attention", "feed_forward") for kind in ("gamma", "beta")}
    for name, before, after in (("qkv", 1, 3), ("output", 1, 1), ("up", 1, 4), ("down", 4, 1)):
        block |= {f"{name}_kernel": (before * width, after * width), f"{name}_bias": (after * width,)}
    for number in range(config.blocks):
        shapes |= {f"block_{number}/{name}": shape for name, shape in block.items()}
    layers: Shapes = {
        "first/kernel": (width, 2 * width),
        "first/bias": (2 * width,),
        "second/kernel": (2 * width, width),
    }
    return shapes | layers


def _head(config: TwoTowerConfig) -> Shapes:
    width, hidden = config.width, config.hidden
    numbers = ("scale", "gain", "sharpness", "price_linear", "price_square", "strength_scale", "strength_bias")
    shapes: Shapes = dict.fromkeys(numbers, ())
    shapes |= dict.fromkeys(("strength_pair", "strength_user", "strength_item"), (width,))
    shapes |= {"match": (config.levels,), "first_user/kernel": (width, hidden[0]), "first_user/bias": hidden[:1]}
    shapes |= {"first_item/kernel": (width, hidden[0]), "last/kernel": (hidden[-1], 1)}
    for number, (before, after) in enumerate(pairwise(hidden)):
        shapes |= {f"middle_{number}/kernel": (before, after), f"middle_{number}/bias": (after,)}
    return shapes


def _task_heads(config: TwoTowerConfig) -> Shapes:
    if not config.tasks:
        return {}
    width, count, experts = config.width, len(config.tasks), config.experts
    shapes: Shapes = dict.fromkeys(("pair", "user", "item"), (count, width))
    shapes |= dict.fromkeys(("scale", "bias", "uncertainty"), (count,))
    shapes |= {f"thresholds_{n}": (task.thresholds,) for n, task in enumerate(config.tasks) if task.thresholds}
    if experts:
        shapes |= {"expert_first": (width, experts * width), "expert_bias": (experts * width,)}
        shapes |= {"expert_second": (experts, width, width), "gate": (width, count * experts)}
    return shapes
