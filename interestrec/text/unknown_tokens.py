"""What the tokenizer of an encoder cannot read: letters within unknown tokens, by script, and texts of nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.text.scripts import script_of
from interestrec.text.tokenizer import Tokenizer

_BATCH = 4096
_CODE_POINTS = 0x110000


@dataclass
class ScriptCounts:
    """Counts of the letters of one script in all texts."""

    letters: int = 0
    unknown: int = 0  # letters that no known token covers
    texts: set[int] = field(default_factory=set)  # rows with such a letter

    @property
    def share(self) -> float:
        """Share of the letters that are unknown."""
        return self.unknown / self.letters


@dataclass(frozen=True)
class UnknownTokens:
    """Unknown letters by script, most frequent script first, and the rows that have unknown tokens only."""

    scripts: dict[str, ScriptCounts]
    is_only_unknown: np.ndarray  # bool [rows]


def unknown_tokens(tokenizer: Tokenizer, columns: Sequence[tuple[pa.Array, pa.ListArray]]) -> UnknownTokens:
    """Count the letters that a tokenizer does not know.

    A letter is known if a token other than the unknown token covers it. Only texts with an unknown token, or without
    any token, are looked at in detail. Byte-level tokenizers have no unknown token and know every letter.

    A row has unknown tokens only where it has text, but no known token with a letter, a digit or a symbol: `[UNK] !`.
    A row of known punctuation has none.

    Args:
        columns: texts, string [rows], and their tokens, list<int32> [rows], for each of the columns of a row.
    """
    rows = len(columns[0][0])
    letters, unknown = (np.zeros(_CODE_POINTS, np.int64) for _ in range(2))
    rows_by_script: dict[str, set[int]] = {}
    is_suspect = np.zeros(rows, bool)
    for texts, tokens in columns:
        _count_letters(texts, letters)
        suspects = np.flatnonzero(_lacks_tokens(tokenizer, texts, tokens))
        is_suspect[suspects] = True
        for start in range(0, len(suspects), _BATCH):
            batch = suspects[start : start + _BATCH]
            places, code_points = _unread(tokenizer, texts.take(pa.array(batch)).to_pylist())
            unknown += np.bincount(code_points, minlength=_CODE_POINTS)
            distinct, inverse = np.unique(code_points, return_inverse=True)
            names = np.array([script_of(chr(code)) or "" for code in distinct], object)[inverse]
            for script in set(names) - {""}:
                rows_by_script.setdefault(script, set()).update(batch[places[names == script]].tolist())
    scripts: dict[str, ScriptCounts] = {}
    for code in np.flatnonzero(letters):
        if script := script_of(chr(code)):
            counts = scripts.setdefault(script, ScriptCounts(texts=rows_by_script.get(script, set())))
            counts.letters += int(letters[code])
            counts.unknown += int(unknown[code])
    ordered = dict(sorted(scripts.items(), key=lambda pair: (-pair[1].letters, pair[0])))
    return UnknownTokens(ordered, is_suspect & ~_has_words(tokenizer, columns, is_suspect))


def _count_letters(texts: pa.Array, letters: np.ndarray) -> None:
    """Add the characters of texts to the counts by code point; int64 [_CODE_POINTS]."""
    for start in range(0, len(texts), _BATCH):
        letters += np.bincount(_code_points("".join(texts.slice(start, _BATCH).to_pylist())), minlength=_CODE_POINTS)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.int64)


def _lacks_tokens(tokenizer: Tokenizer, texts: pa.Array, tokens: pa.ListArray) -> np.ndarray:
    """Return bool [rows], whether a text has an unknown token, or characters and no token."""
    is_unknown = tokens.values.to_numpy() == (-1 if tokenizer.unknown_id is None else tokenizer.unknown_id)
    counts = np.diff(ragged.filtered(tokens.offsets.to_numpy(), is_unknown))
    is_empty = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    return (counts > 0) | ((np.diff(tokens.offsets.to_numpy()) == 0) & ~is_empty)


def _unread(tokenizer: Tokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the characters of texts that no known token covers: int64 place of the text, int64 code point."""
    starts = ragged.from_lengths([len(text) for text in texts])
    # +1 where a known token begins and -1 behind its end: the running sum is above 0 within known tokens.
    steps = np.zeros(starts[-1] + 1, np.int64)
    for start, (ids, spans) in zip(starts[:-1], tokenizer.spans(texts), strict=True):
        known = spans[ids != tokenizer.unknown_id] + start
        np.add.at(steps, known[:, 0], 1)
        np.add.at(steps, known[:, 1], -1)
    is_unread = np.cumsum(steps[:-1]) == 0
    return ragged.owner(starts)[is_unread], _code_points("".join(texts))[is_unread]


def _has_words(
    tokenizer: Tokenizer, columns: Sequence[tuple[pa.Array, pa.ListArray]], is_suspect: np.ndarray
) -> np.ndarray:
    """Return bool [rows], whether a row has a known token with a letter, a digit or a symbol."""
    found = np.zeros(len(is_suspect), bool)
    if not is_suspect.any():
        return found
    is_word = tokenizer.word_mask()
    for _, tokens in columns:
        found |= np.diff(ragged.filtered(tokens.offsets.to_numpy(), is_word[tokens.values.to_numpy()])) > 0
    return found
