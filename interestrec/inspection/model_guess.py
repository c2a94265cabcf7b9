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


def put_item_fields(draft: ConfigurationDraft, columns: Mapping[str, Sequence[ColumnProfile]], has_times: bool) -> None:
    """Write the item fields: texts with their lengths, then category, price and age where the items have them.

    Args:
        columns: of the roles title, text, category, price and published.
    """
    fields: list[dict[str, Any]] = []
    for name in ("title", "text"):
        if columns.get(name):
            fields.append({"name": name, "max_tokens": _tokens(columns[name])})
            longest = sum(column.long_words for column in columns[name])
            draft.comments["items", "fields", len(fields) - 1] = f"nine of ten have at most {longest:,.0f} words"
    if not fields:
        fields.append({"name": "title", "max_tokens": 16})
    if any(column.distinct > 1 for column in columns.get("category", [])):
        fields.append({"name": "category", "kind": "category"})
    if columns.get("price"):
        fields.append({"name": "price", "kind": "number", "buckets": 8})
    if columns.get("published") and has_times:
        fields.append({"name": "age", "kind": "number", "buckets": 8})
    draft.put(("items", "fields"), fields)


def _tokens(columns: Sequence[ColumnProfile]) -> int:
    """Tokens for nine of ten texts; a word is about 1.4 tokens. Scripts without spaces count by characters."""
    needed = sum(1.4 * c.long_words if c.foreign < _FOREIGN else max(1.4 * c.long_words, 24.0) for c in columns)
    return next((tokens for tokens in _TOKENS if tokens >= needed), _TOKENS[-1])


def put_model(draft: ConfigurationDraft, texts: Sequence[ColumnProfile], place: DraftPlace, has_times: bool) -> None:
    """Write the sections of encoder, training and ranking; a log without times has no trending items."""
    foreign = max((column.foreign for column in texts), default=0.0)
    fetch = "" if place.has_encoder else f"first: {_FETCH}"
    draft.put(("encoders", "text"), {"source": str(place.encoder)}, fetch or None)
    if foreign >= _FOREIGN:
        told = f"{foreign:.0%} of the texts are not in Latin letters, which minilm-l6 hardly reads"
        advice = "Fetch a multilingual encoder, and name its directory here:"
        draft.remark(("encoders",), f"{told}.", f"{advice} `{_FETCH_MULTILINGUAL}`")
        draft.findings.append(f"{told}: a multilingual encoder is needed (`{_FETCH_MULTILINGUAL}`).")
    draft.put(("finetune",), {"epochs": 4, "batch_size": 256})
    if not has_times:
        draft.put(("rank", "components"), list(_UNTIMED), "trending needs times")
