"""Texts of the items of a corpus: normalisation, removal of boilerplate, tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import TooFewRowsError
from interestrec.corpus.categories import SEPARATOR
from interestrec.io import artifact_files, files, schemas
from interestrec.rawfiles.quality_log import EXAMPLES, QualityLog, one_line
from interestrec.text.boilerplate import remove_sentences, shared_sentences
from interestrec.text.normalise import has_code, normalise
from interestrec.text.tokenizer import DIGEST_LENGTH, Tokenizer
from interestrec.text.unknown_tokens import ScriptCounts, unknown_tokens

_MAX_UNKNOWN = 0.2  # share of the letters of a script that may be unknown without a warning
_FEW_ITEMS = 0.001  # share of the items that may have unknown letters of a script without a warning: single emoji


@dataclass(frozen=True)
class TokenizedItems:
    """Items with their tokens, and what of their texts the tokenizer does not know."""

    items: pa.Table  # `has_text` is false for items with unknown tokens only
    tokens: pa.Table  # schemas.TEXT_FEATURES
    only_unknown: int  # items with unknown tokens only
    scripts: dict[str, ScriptCounts]

    def write(self, directory: Path, tokenizer: Tokenizer) -> None:
        """Write the tokens, in a file named by the tokenizer, into a directory."""
        name = artifact_files.TOKENS.format(tokenizer.digest[:DIGEST_LENGTH])
        files.write_parquet(directory / name, self.tokens, schemas.TEXT_FEATURES)

    def unknown_by_script(self) -> dict[str, Any]:
        """Return the counts by script as JSON values."""
        return {
            name: {
                "letters": counts.letters,
                "unknown": counts.unknown,
                "share": counts.share,
                "items": len(counts.texts),
            }
            for name, counts in self.scripts.items()
        }


def clean_texts(items: pa.Table, boilerplate: float | None, quality: QualityLog) -> pa.Table:
    """Return items with normalised titles, texts and categories, and the column `has_text`.

    Args:
        items: the result of `numbering.item_table`.
        boilerplate: sentences in a larger share of the train texts are removed; None = no sentence is removed.
        quality: log that counts the texts that lost code or a sentence.
    """
    _count_code(items, quality)
    for name in ("title", "text"):
        items = items.set_column(items.column_names.index(name), name, normalise(items[name]))
    items = items.set_column(items.column_names.index("category"), "category", _clean_paths(items["category"]))
    if boilerplate is not None:
        items = _without_boilerplate(items, boilerplate, quality)
    has_text = pc.or_(pc.not_equal(items["title"], ""), pc.not_equal(items["text"], ""))
    return items.append_column("has_text", has_text)


def clean_words(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return short texts normalised as those of items are, null where nothing is left; string [n]."""
    cleaned = normalise(texts)
    return pc.if_else(pc.equal(cleaned, ""), pa.scalar(None, pa.string()), cleaned)


def _clean_paths(categories: pa.ChunkedArray) -> pa.Array:
    """Return categories whose levels are normalised and not empty."""
    separated = pc.replace_substring_regex(clean_words(categories), rf"\s*{SEPARATOR}[\s{SEPARATOR}]*", SEPARATOR)
    return clean_words(pc.utf8_trim(separated, SEPARATOR))


def _count_code(items: pa.Table, quality: QualityLog) -> None:
    """Count the titles and texts that have a script or a style sheet, which `normalise` removes."""
    found: list[str] = []
    count = 0
    for name in ("title", "text"):
        texts = items[name].filter(has_code(items[name]))
        count += len(texts)
        found += texts.slice(0, EXAMPLES).to_pylist()
    reason = f"{count} titles or texts lost the content of scripts or style sheets; every item stays"
    quality.count("code in texts", items.num_rows, items.num_rows, reason, [one_line(text) for text in found])


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


def require_texts(items: pa.Table, most: float) -> None:
    """Check that enough items have a title or a text.

    Args:
        items: the result of `clean_texts`.
        most: share of items that may have neither.

    Raises:
        TooFewRowsError: more items have neither.
    """
    without = items.num_rows - (pc.sum(items["has_text"]).as_py() or 0)
    if without > most * items.num_rows:
        raise TooFewRowsError(
            f"{without} of {items.num_rows} items have no text, more than data.max_items_without_text "
            f"({most:g}) allows; check the text columns or raise the limit"
        )


def tokenize_items(items: pa.Table, name: str, tokenizer: Tokenizer, quality: QualityLog) -> TokenizedItems:
    """Tokenize titles and texts; warn of scripts that the tokenizer mostly does not know.

    Args:
        items: the result of `clean_texts`.
        name: of the encoder.
        quality: log that takes the warning.
    """
    columns = {column: tokenizer.encode(items[column].to_pylist()) for column in ("title", "text")}
    texts = [items[column].combine_chunks() for column in columns]
    unknown = unknown_tokens(tokenizer, list(zip(texts, columns.values(), strict=True)))
    only_unknown = int(unknown.is_only_unknown.sum())
    _warn(name, unknown.scripts, only_unknown, items.num_rows, quality)
    has_text = pc.and_(items["has_text"], pa.array(~unknown.is_only_unknown))
    tokens = {"item": items["item"], **{f"{column}_tokens": ids for column, ids in columns.items()}}
    return TokenizedItems(
        items.set_column(items.column_names.index("has_text"), "has_text", has_text),
        pa.table(tokens),
        only_unknown,
        unknown.scripts,
    )


def _warn(encoder: str, scripts: dict[str, ScriptCounts], only_unknown: int, items: int, quality: QualityLog) -> None:
    shares = [
        f"{name} ({100 * counts.share:.0f} % of {counts.letters:,} characters, in {len(counts.texts):,} items)"
        for name, counts in scripts.items()
        if counts.share > _MAX_UNKNOWN and len(counts.texts) > _FEW_ITEMS * items
    ]
    if not shares:
        return
    only = f"; {only_unknown:,} of {items:,} items have nothing else and count as without text" if only_unknown else ""
    quality.warn(
        f"the encoder's tokenizer does not know {', '.join(shares)}{only}: texts that differ only there have equal "
        "vectors; choose a multilingual encoder, such as intfloat/multilingual-e5-small, "
        f"under encoders.{encoder}.source"
    )
