"""Item fields, the encoder and the sections of training that fit the texts and the size of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.draft_parts import ConfigurationDraft, DraftPlace

_MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_FETCH_MULTILINGUAL = f"interestrec fetch {_MULTILINGUAL} --revision COMMIT --to data/encoders/multilingual-minilm"
_FETCH = "interestrec fetch minilm-l6"
_FOREIGN = 0.2  # share of titles in other scripts from which on an English encoder does not do
_TOKENS = (8, 16, 24, 32, 48, 64)
_UNTIMED = ["intensity", "item_item", "collaborative", "ease", "popularity", "content"]  # trending needs times


def put_item_fields(
    draft: ConfigurationDraft, texts: Mapping[str, ColumnProfile], others: Mapping[str, ColumnProfile], has_times: bool
) -> None:
    """Write the item fields: texts with their lengths, then price, category and age where the items have them."""
    fields: list[dict[str, Any]] = []
    for name in ("title", "text"):
        if name in texts:
            fields.append({"name": name, "max_tokens": _tokens(texts[name])})
    if not fields:
        fields.append({"name": "title", "max_tokens": 16})
    if "category" in others and others["category"].distinct > 1:
        fields.append({"name": "category", "kind": "category"})
    if "price" in others:
        fields.append({"name": "price", "kind": "number", "buckets": 8})
    if "published" in others and has_times:
        fields.append({"name": "age", "kind": "number", "buckets": 8})
    draft.put(("items", "fields"), fields)
    for position, field in enumerate(fields):
        if column := texts.get(field["name"]):
            draft.comments["items", "fields", position] = f"nine of ten have at most {column.long_words:,.0f} words"


def _tokens(column: ColumnProfile) -> int:
    """Tokens for nine of ten texts; a word is about 1.4 tokens. Scripts without spaces count by characters."""
    needed = 1.4 * column.long_words if column.foreign < _FOREIGN else max(1.4 * column.long_words, 24.0)
    return next((tokens for tokens in _TOKENS if tokens >= needed), _TOKENS[-1])


def put_model(draft: ConfigurationDraft, texts: Sequence[ColumnProfile], place: DraftPlace, has_times: bool) -> None:
    """Write the sections of encoder, training and ranking; a log without times has no trending items."""
    foreign = max((column.foreign for column in texts), default=0.0)
    fetch = "" if place.has_encoder else f"first: {_FETCH}"
    draft.put(("encoders", "text"), {"source": str(place.encoder)}, fetch or None)
    if foreign >= _FOREIGN:
        draft.remark(
            ("encoders",),
            f"{foreign:.0%} of the texts are not in Latin letters, which minilm-l6 hardly reads. Fetch a multilingual encoder,",
            f"such as `{_FETCH_MULTILINGUAL}`, and name its directory here.",
        )
        draft.findings.append(
            f"{foreign:.0%} of the texts are not in Latin letters: a multilingual encoder is needed ({_FETCH_MULTILINGUAL})."
        )
    draft.put(("finetune",), {"epochs": 2, "batch_size": 256})
    if not has_times:
        draft.put(("rank", "components"), list(_UNTIMED), "trending needs times")
