"""Findings of adaptation: sentences that say whether the figures of held-out texts improved."""

from collections.abc import Mapping
from typing import Any

from interestrec.pretraining.retrieval_probe import ProbeResult

_SUBJECTS = {  # of sentences on the loss, by objective
    "masked": "the encoder predicts the domain's words",
    "next_token": "the decoder predicts the domain's words",
    "views": "the encoder tells a text from others",
    "title_text": "the encoder finds the text that belongs to a title",
}
_NEW_SUBJECTS = {  # where weights beside the encoder's started untrained, and whose share of a gain is unknown
    "masked": ("the encoder and a head that started untrained predict the domain's words", "the encoder's"),
    "image_text": ("the encoders and a map that started untrained match pictures with texts", "the encoders'"),
}
_PAIRS = {  # of vectors whose distance is the alignment; of other objectives: two dropouts of one text
    "title_text": "a title and its text",
    "image_text": "a text and its picture, by the map of the loss,",
}


def adaptation_findings(
    before: Mapping[str, float], after: Mapping[str, float], objective: str, head_from_checkpoint: bool | None
) -> list[dict[str, Any]]:
    """Return a finding per figure measured before and after: `loss` (with `perplexity`), `alignment`, `uniformity`.

    Args:
        before, after: figures of held-out texts by name; lower is better for all of them.
        objective: value of `pretrain_adapt.objective`.
        head_from_checkpoint: whether the checkpoint had a trained head, or map; None if the objective has none.

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


def probe_finding(probe: ProbeResult | None, kept: bool, encoders: int = 1) -> dict[str, Any]:
    """Return the finding on the probe of adapted encoders; None if no user of train has two relevant items."""
    adapted, stay = ("the adapted encoder is", "the encoder stays as it was")
    if encoders > 1:
        adapted, stay = ("the adapted encoders are", "the encoders stay as they were")
    if probe is None:
        sentence = f"Probe: no user of train has two relevant items, so {adapted} kept untested."
        return _finding("next_item", sentence, None)
    figures = (
        f"the vectors find the next item of {probe.queries:,} train users at a mean reciprocal rank of "
        f"{probe.after:.4f}, before {probe.before:.4f} (difference {probe.difference:+.4f}, standard error "
        f"{probe.standard_error:.4f})"
    )
    ends = {
        (True, True): f"{adapted} kept",
        (True, False): f"{adapted} kept all the same, as pretrain_adapt.keep is always",
        (False, False): f"no gain beyond a standard error, so {stay}",
    }
    return _finding("next_item", f"Probe: {figures}: {ends[kept, probe.gains]}.", probe.gains)


def _loss(
    before: Mapping[str, float], after: Mapping[str, float], objective: str, head_from_checkpoint: bool | None
) -> dict[str, Any]:
    change = _change(before["loss"], after["loss"])
    perplexity = ""
    if "perplexity" in before and "perplexity" in after:
        perplexity = f" (perplexity {before['perplexity']:,.1f} to {after['perplexity']:,.1f})"
    better = _better(before["loss"], after["loss"])
    new_head = head_from_checkpoint is False
    subject, owner = _NEW_SUBJECTS[objective] if new_head else (_SUBJECTS[objective], "")
    meaning = {
        True: f"{subject} better",
        False: f"{subject} worse; lower pretrain_adapt.learning_rate, or set pretrain_adapt.steps to 0",
        None: f"{subject} as before",
    }[better]
    if new_head and better:
        meaning += f", and how much of it is {owner} own the loss does not tell"
        better = None
    return _finding("loss", f"Held-out {objective} loss {change}{perplexity}: {meaning}.", better)


def _alignment(before: Mapping[str, float], after: Mapping[str, float], objective: str) -> dict[str, Any]:
    pair = _PAIRS.get(objective, "one text under two dropouts")
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
