"""Texts of the items of a corpus: normalisation, removal of boilerplate, tokens."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.io import files, schemas
from interestrec.rawfiles.quality_log import EXAMPLES, QualityLog
from interestrec.text.boilerplate import remove_sentences, shared_sentences
from interestrec.text.normalise import normalise
from interestrec.text.tokenizer import load_tokenizer


def clean_texts(items: pa.Table, boilerplate: float | None, quality: QualityLog) -> pa.Table:
    """Return items with normalised texts and the column `has_text`.

    Args:
        items: the result of `assemble.item_table`.
        boilerplate: sentences in a larger share of the train texts are removed; None = no sentence is removed.
        quality: log that counts the texts that lost a sentence.
    """
    for name in ("title", "text"):
        items = items.set_column(items.column_names.index(name), name, normalise(items[name]))
    if boilerplate is not None:
        items = _without_boilerplate(items, boilerplate, quality)
    has_text = pc.or_(pc.not_equal(items["title"], ""), pc.not_equal(items["text"], ""))
    return items.append_column("has_text", has_text)


def _without_boilerplate(items: pa.Table, share: float, quality: QualityLog) -> pa.Table:
    """Remove the sentences that many train texts share, and count the changed texts."""
    texts = items["text"].to_pylist()
    shared = shared_sentences(items["text"].filter(items["in_train"]).to_pylist(), share)
    cleaned = remove_sentences(texts, shared)
    changed = sum(before != after for before, after in zip(texts, cleaned, strict=True))
    examples = [f"{sentence} ({count})" for sentence, count in list(shared.items())[:EXAMPLES]]
    reason = f"{changed} texts lost sentences that more than {share:g} of the train texts share; every item stays"
    quality.count("boilerplate", len(texts), len(texts), reason, examples)
    return items.set_column(items.column_names.index("text"), "text", pa.array(cleaned, pa.string()))


def write_tokens(directory: Path, items: pa.Table, encoder: Path) -> None:
    """Write the table of schemas.TEXT_FEATURES, named by the tokenizer, into a new directory."""
    tokenizer = load_tokenizer(encoder)
    tokens = {"item": items["item"]}
    for name in ("title", "text"):
        tokens[f"{name}_tokens"] = tokenizer.encode(items[name].to_pylist())
    directory.mkdir()
    files.write_parquet(directory / f"text-{tokenizer.digest[:16]}.parquet", pa.table(tokens), schemas.TEXT_FEATURES)
