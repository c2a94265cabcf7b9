"""The blend in systems.json: weights, how each was chosen, and a sentence per segment; and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interestrec.scoring.fit_blend import KNOWN_USERS, NEW_USERS, BlendFit, SegmentChoice, WeightChoice
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights

# key in the description -> the kind of users
SEGMENTS = {"known_users": KNOWN_USERS, "new_users": NEW_USERS}


def describe_blend(fitted: BlendFit, components: Sequence[str], voters: Sequence[str]) -> dict[str, Any]:
    """Return the weights by segment and the evidence for them.

    Args:
        components: names of the components, the first of the voters.
        voters: names of all voters.
    """
    found: dict[str, Any] = {"metric": fitted.metric, "lists": fitted.lists}
    if fitted.alone is not None:
        found["alone"] = {name: _rounded(value) for name, value in zip(components, fitted.alone, strict=True)}
    found |= blend_values(fitted.blend, voters)
    for key, name in SEGMENTS.items():
        if name in fitted.choices:
            choice = fitted.choices[name]
            found[key]["evidence"] = {items: _describe_choice(part, components) for items, part in choice.items.items()}
            found[key]["why"] = explain(name, choice, components, fitted.metric)
    return found


def blend_values(blend: SegmentBlend, voters: Sequence[str]) -> dict[str, Any]:
    """Return the weights as JSON values by segment."""
    segments = (blend.known, blend.new)
    return {key: _describe_weights(weights, voters) for key, weights in zip(SEGMENTS, segments, strict=True)}


def read_blend(description: Mapping[str, Any], voters: Sequence[str]) -> SegmentBlend:
    """Restore a blend from the result of `blend_values` or `describe_blend`."""

    def read(part: Mapping[str, Any]) -> ItemWeights:
        return ItemWeights(np.array([part["weights"][name] for name in voters]), part["power"])

    def segment(part: Mapping[str, Any]) -> SegmentWeights:
        if "cold_items" not in part:
            return SegmentWeights(read(part["warm_items"]))
        cold = part["cold_items"]
        return SegmentWeights(read(part["warm_items"]), read(cold), cold["scale"], cold["offset"])

    return SegmentBlend(*(segment(description[key]) for key in SEGMENTS))


def explain(users: str, choice: SegmentChoice, components: Sequence[str], metric: str) -> str:
    """Return sentences that say what decides for these users, and why."""
    sentences = []
    for items, part in choice.items.items():
        sentences.append(f"{users.capitalize()}, {items}: {_decider(part, components)}; {_reason(part, metric)}.")
    if choice.stand_ins:
        sentences.append(
            f"{choice.stand_ins:,} of the lists are of users with a history who were asked without it, because "
            "validation has few new users."
        )
    if choice.borrowed:
        sentences.append("The lists of all users decided, because validation has few lists of this kind.")
    return " ".join(sentences)


def _decider(choice: WeightChoice, components: Sequence[str]) -> str:
    if np.ptp(choice.weights.values[: len(components)]) < 1e-9:
        return "all components weigh alike"
    if choice.method.share == 0:
        return f"{components[choice.best]} alone decides, the others where it sees no difference"
    order = np.argsort(-choice.weights.values[: len(components)], kind="stable")[:3]
    leading = ", ".join(
        f"{components[n]} {choice.weights.values[n]:.2f}" for n in order if choice.weights.values[n] > 0.005
    )
    towards = "" if choice.method.share == 1 else f", drawn towards {components[choice.best]}"
    return f"weights by {choice.method.objective}{towards} ({leading})"


def _reason(choice: WeightChoice, metric: str) -> str:
    if choice.lists == 0:
        return "validation has no list to tell"
    if choice.method.share == 0:
        return f"no weights rank {choice.lists:,} held-out lists better (its {metric} is {choice.component:.4f})"
    return (
        f"{metric} of {choice.lists:,} held-out lists is {choice.held_out:.4f}, of the best component "
        f"{choice.component:.4f}; the choice flatters itself by {choice.optimism:.4f}"
    )


def _describe_weights(weights: SegmentWeights, voters: Sequence[str]) -> dict[str, Any]:
    def describe(part: ItemWeights) -> dict[str, Any]:
        values = {name: float(value) for name, value in zip(voters, part.values, strict=True)}
        return {"weights": values, "power": part.power}

    if weights.cold is None:
        return {"warm_items": describe(weights.warm)}
    cold = {**describe(weights.cold), "scale": weights.scale, "offset": weights.offset}
    return {"warm_items": describe(weights.warm), "cold_items": cold}


def _describe_choice(choice: WeightChoice, components: Sequence[str]) -> dict[str, Any]:
    return {
        "method": choice.method.objective,
        "share": choice.method.share,
        "best_component": components[choice.best],
        "lists": choice.lists,
        "held_out": _rounded(choice.held_out),
        "held_out_best_component": _rounded(choice.component),
        "optimism": _rounded(choice.optimism),
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
