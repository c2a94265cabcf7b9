"""Findings of adaptation: sentences that say whether the figures of held-out texts improved."""

from collections.abc import Mapping
from typing import Any

_SUBJECTS = {  # of sentences on the loss, by objective
    "masked": "the encoder predicts the domain's words",
    "views": "the encoder tells a text from others",
    "title_text": "the encoder finds the text that belongs to a title",
}
_NEW_HEAD = "the encoder and a head that started untrained predict the domain's words"


def adaptation_findings(
    before: Mapping[str, float], after: Mapping[str, float], objective: str, head_from_checkpoint: bool | None
) -> list[dict[str, Any]]:
    """Return a finding per figure measured before and after: `loss` (with `perplexity`), `alignment`, `uniformity`.

    Args:
        before, after: figures of held-out texts by name; lower is better for all of them.
        objective: value of `pretrain_adapt.objective`.
        head_from_checkpoint: whether the checkpoint had a trained head; None if the objective has no head.

    Returns:
        JSON values: `figure`, `sentence`, and `better`, None if the change says nothing certain about the encoder.
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
    change = _change(before["loss"], after["loss"])
    perplexity = ""
    if "perplexity" in before and "perplexity" in after:
        perplexity = f" (perplexity {before['perplexity']:,.1f} to {after['perplexity']:,.1f})"
    better = _better(before["loss"], after["loss"])
    new_head = head_from_checkpoint is False
    subject = _NEW_HEAD if new_head else _SUBJECTS[objective]
    meaning = {
        True: f"{subject} better",
        False: f"{subject} worse; lower pretrain_adapt.learning_rate, or set pretrain_adapt.steps to 0",
        None: f"{subject} as before",
    }[better]
    if new_head and better:
        meaning += ", and how much of it is the encoder's own the loss does not tell"
        better = None
    return _finding("loss", f"Held-out {objective} loss {change}{perplexity}: {meaning}.", better)


def _alignment(before: Mapping[str, float], after: Mapping[str, float], objective: str) -> dict[str, Any]:
    pair = "a title and its text" if objective == "title_text" else "one text under two dropouts"
    better = _better(before["alignment"], after["alignment"])
    meaning = {
        True: f"vectors of {pair} lie closer together",
        False: f"vectors of {pair} lie further apart",
        None: f"vectors of {pair} lie as near as before",
    }[better]
    if better and before.get("uniformity", 0.0) < after.get("uniformity", 0.0):
        meaning += ", but so do those of all texts"
        better = None
    return _finding("alignment", f"Alignment {_change(before['alignment'], after['alignment'])}: {meaning}.", better)


def _uniformity(before: float, after: float) -> dict[str, Any]:
    better = _better(before, after)
    meaning = {
        True: "vectors of different texts lie further apart, so raw cosines separate texts better",
        False: "vectors of different texts lie closer together, so raw cosines separate texts less well",
        None: "vectors of different texts lie as far apart as before",
    }[better]
    return _finding("uniformity", f"Uniformity {_change(before, after)}: {meaning}.", better)


def _better(before: float, after: float) -> bool | None:
    """Whether a figure fell; None if four decimals show no change."""
    return None if _formatted(before) == _formatted(after) else after < before


def _change(before: float, after: float) -> str:
    if _better(before, after) is None:
        return f"stayed at {_formatted(after)}"
    return f"{'fell' if after < before else 'rose'} from {_formatted(before)} to {_formatted(after)}"


def _formatted(value: float) -> str:
    return f"{value:.4f}"


def _finding(figure: str, sentence: str, better: bool | None) -> dict[str, Any]:
    return {"figure": figure, "sentence": sentence, "better": better}
