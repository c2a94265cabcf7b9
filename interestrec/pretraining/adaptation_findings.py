"""What figures of held-out texts mean, in words: whether an encoder came out of its adaptation the better."""

from collections.abc import Mapping
from typing import Any

_PREDICTS = {  # what a lower loss means, by objective
    "masked": "the encoder predicts the domain's words",
    "views": "the encoder tells a text from others",
    "title_text": "the encoder finds the text that belongs to a title",
}
_NEW_HEAD = "the encoder and a head that started untrained predict the domain's words"


def adaptation_findings(
    before: Mapping[str, float], after: Mapping[str, float], objective: str, head_from_checkpoint: bool | None
) -> list[dict[str, Any]]:
    """A finding per figure that was measured before and after: `loss` (with `perplexity`), `alignment`, `uniformity`.

    Args:
        before, after: figures of held-out texts by name; of all, less is better.
        objective: of pretrain_adapt.
        head_from_checkpoint: whether the head that predicts tokens came trained; None where the objective has none.

    Returns:
        JSON values: `figure`, `sentence`, and `better`, None where a change says nothing about the encoder for certain.
    """
    both = before.keys() & after.keys()
    findings = []
    if "loss" in both:
        findings.append(_loss(before, after, objective, head_from_checkpoint))
    if "alignment" in both:
        findings.append(_alignment(before, after, objective))
    if "uniformity" in both:
        findings.append(_uniformity(before["uniformity"], after["uniformity"]))
    return findings


def _loss(
    before: Mapping[str, float], after: Mapping[str, float], objective: str, head_from_checkpoint: bool | None
) -> dict[str, Any]:
    moved = _moved(before["loss"], after["loss"])
    perplexity = ""
    if "perplexity" in before and "perplexity" in after:
        perplexity = f" (perplexity {before['perplexity']:,.1f} to {after['perplexity']:,.1f})"
    better = _better(before["loss"], after["loss"])
    new_head = head_from_checkpoint is False
    who = _NEW_HEAD if new_head else _PREDICTS[objective]
    means = {
        True: f"{who} better",
        False: f"{who} worse; lower pretrain_adapt.learning_rate, or set pretrain_adapt.steps to 0",
        None: f"{who} as before",
    }[better]
    if new_head and better:
        means += ", and how much of it is the encoder's own the loss does not tell"
        better = None
    return _finding("loss", f"Held-out {objective} loss {moved}{perplexity}: {means}.", better)


def _alignment(before: Mapping[str, float], after: Mapping[str, float], objective: str) -> dict[str, Any]:
    pair = "a title and its text" if objective == "title_text" else "one text under two dropouts"
    better = _better(before["alignment"], after["alignment"])
    means = {
        True: f"vectors of {pair} lie closer together",
        False: f"vectors of {pair} lie further apart",
        None: f"vectors of {pair} lie as near as before",
    }[better]
    if better and before.get("uniformity", 0.0) < after.get("uniformity", 0.0):
        means += ", but so do those of all texts"
        better = None
    return _finding("alignment", f"Alignment {_moved(before['alignment'], after['alignment'])}: {means}.", better)


def _uniformity(before: float, after: float) -> dict[str, Any]:
    better = _better(before, after)
    means = {
        True: "vectors of different texts lie further apart, so raw cosines separate texts better",
        False: "vectors of different texts lie closer together, so raw cosines separate texts less well",
        None: "vectors of different texts lie as far apart as before",
    }[better]
    return _finding("uniformity", f"Uniformity {_moved(before, after)}: {means}.", better)


def _better(before: float, after: float) -> bool | None:
    """Whether a figure of which less is better fell; None where four decimals show no change."""
    return None if _shown(before) == _shown(after) else after < before


def _moved(before: float, after: float) -> str:
    if _better(before, after) is None:
        return f"stayed at {_shown(after)}"
    return f"{'fell' if after < before else 'rose'} from {_shown(before)} to {_shown(after)}"


def _shown(value: float) -> str:
    return f"{value:.4f}"


def _finding(figure: str, sentence: str, better: bool | None) -> dict[str, Any]:
    return {"figure": figure, "sentence": sentence, "better": better}
