"""The tokenizer of an encoder, read from its Hugging Face directory without network access and remote code."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError
from interestrec.io import files
from interestrec.io.encoder_files import require_own

_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)
_FAST = "tokenizer.json"
_NAMED_TOKENS = ("cls", "sep", "pad", "mask")
# Some families define the first and the last token of a text only under these names.
_ALIASES = {"cls": "bos", "sep": "eos"}
DIGEST_LENGTH = 16  # characters of a tokenizer's digest in the names of files

# Older checkpoints do not name the special tokens; these are the defaults of the tokenizer classes.
_DEFAULTS = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>", "<|endoftext|>"),
    "pad": ("[PAD]", "<pad>"),
    "mask": ("[MASK]", "<mask>"),
}
_PROBE = "a"  # a text of which every tokenizer makes a token
_UNKNOWN = ("[UNK]", "<unk>")
_BATCH = 4096
_MAX_ID = 1 << 24  # the largest vocabularies have a million tokens
_MAX_GROWTH = 64  # factor by which a tokenizer's normaliser may lengthen a text
_BYTE_SPACE = "Ġ"  # printable character that stands for a space in byte-level tokenizers


@dataclass(frozen=True)
class Tokenizer:
    """A fast tokenizer with the ids of its special tokens."""

    backend: Any  # tokenizers.Tokenizer
    vocabulary_size: int
    cls_id: int | None  # of a text's first token, or of the beginning of a decoder's text; None if there is none
    sep_id: int | None  # of a text's last token, or of the end of a decoder's text; None if there is none
    pad_id: int  # any other token if there is none of padding, which the mask hides
    mask_id: int | None
    special_ids: tuple[int, ...]
    digest: str
    unknown_id: int | None = None  # id of the token that stands for what the vocabulary lacks; None if there is none

    @property
    def rows(self) -> int:
        """Rows of an embedding table for this vocabulary: the highest id plus one, because ids may have gaps."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, texts: list[str]) -> pa.ListArray:
        """Tokenize texts to ids, list<int32>, without special tokens and without a length limit."""
        lengths: list[int] = []
        values = [np.zeros(0, np.int32)]
        for start in range(0, len(texts), _BATCH):
            encoded = self.backend.encode_batch_fast(texts[start : start + _BATCH], add_special_tokens=False)
            ids = [encoding.ids for encoding in encoded]
            lengths.extend(map(len, ids))
            values.append(np.fromiter(chain.from_iterable(ids), np.int32))
        offsets = ragged.from_lengths(lengths).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(values)))

    def prompt_ids(self, prompt: str) -> tuple[int, ...]:
        """Tokenize the words that stand before a text.

        The space at the end is left out where the tokens of a text begin with one of their own.
        """
        if not prompt:
            return ()
        whole, *parts = self.encode([prompt + _PROBE, prompt.rstrip(), _PROBE, prompt]).to_pylist()
        stripped, probe, unchanged = parts
        return tuple(stripped if whole == stripped + probe else unchanged)

    def template(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the special tokens that the tokenizer itself puts before and after a text."""
        plain = self.backend.encode(_PROBE, add_special_tokens=False).ids
        whole = self.backend.encode(_PROBE).ids
        starts = range(len(whole) - len(plain) + 1)
        start = next(start for start in starts if whole[start : start + len(plain)] == plain)
        return tuple(whole[:start]), tuple(whole[start + len(plain) :])

    def spans(self, texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tokenize texts to ids and the characters that each token covers, which is slower than `encode`.

        Returns:
            Per text: ids int32 [tokens]; first character and end of each token, int32 [tokens, 2].
        """
        encoded = self.backend.encode_batch(texts, add_special_tokens=False)
        return [(np.array(one.ids, np.int32), np.array(one.offsets, np.int32).reshape(-1, 2)) for one in encoded]

    def word_mask(self) -> np.ndarray:
        """Mark the tokens with a letter, a digit or a symbol such as an emoji; bool [highest id + 1]."""
        mask = np.zeros(self.rows, bool)
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        special = {*self.special_ids, self.unknown_id}
        mask[[number for token, number in vocabulary.items() if number not in special and _has_word(token)]] = True
        return mask

    def continuation_mask(self) -> np.ndarray:
        """Mark the tokens that continue the word of the previous token; bool [highest id + 1].

        Special tokens and tokens added to the vocabulary never continue a word.

        Raises:
            ConfigError: the tokenizer does not distinguish these tokens.
        """
        is_continuation = _continuation_rule(json.loads(self.backend.to_str()))
        excluded = {*self.special_ids, *self.backend.get_added_tokens_decoder()}
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        mask = np.zeros(self.rows, bool)
        mask[[index for token, index in vocabulary.items() if index not in excluded and is_continuation(token)]] = True
        return mask


def _has_word(token: str) -> bool:
    return any(character.isalnum() or unicodedata.category(character) == "So" for character in token)


def tokenizer_files(directory: Path) -> list[Path]:
    """Return the existing tokenizer files of an encoder's directory."""
    return [directory / name for name in _FILES if (directory / name).is_file()]


def tokenizer_digest(directory: Path) -> str:
    """Compute the SHA-256 of the names and contents of the tokenizer's files.

    Raises:
        InputMissingError: the directory is missing or contains no tokenizer.
        ArtifactError: a file is a link out of the directory, or exceeds the size limit.
    """
    require_own(directory, _FILES)
    paths = tokenizer_files(directory)
    if not directory.is_dir() or not paths:
        raise InputMissingError(
            f"{directory}: no tokenizer here; choose an encoder in Hugging Face layout (`interestrec fetch minilm-l6`)"
        )
    content = "".join(f"{path.name}:{files.sha256_of(path)}\n" for path in paths)
    return hashlib.sha256(content.encode()).hexdigest()


def load_tokenizer(directory: Path) -> Tokenizer:
    """Load the tokenizer of an encoder's directory.

    Raises:
        InputMissingError: the directory contains no tokenizer.
        ArtifactError: the tokenizer is damaged or has no fast implementation.
    """
    digest = tokenizer_digest(directory)
    fast = (directory / _FAST).is_file()
    try:
        backend, special, all_special = _load_fast(directory) if fast else _convert_slow(directory)
    except Exception as error:  # both libraries pass on arbitrary exceptions of their parsers
        raise _unusable(directory, error) from error
    ids = {name: token for name, token in special.items() if token is not None}
    _require_bounded(backend, directory)
    backend.no_padding()
    backend.no_truncation()
    try:
        backend.encode(_PROBE)
    except Exception as error:  # a vocabulary may lack what the tokenizer needs
        raise _unusable(directory, error) from error
    return Tokenizer(
        backend=backend,
        vocabulary_size=backend.get_vocab_size(with_added_tokens=True),
        cls_id=ids.get("cls"),
        sep_id=ids.get("sep"),
        pad_id=ids.get("pad", ids.get("sep", 0)),
        mask_id=ids.get("mask"),
        special_ids=tuple(sorted(all_special)),
        digest=digest,
        unknown_id=_unknown_id(backend),
    )


def _unusable(directory: Path, error: Exception) -> ArtifactError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ArtifactError(f"{directory}: the tokenizer cannot be loaded ({reason}); fetch it again")


def _unknown_id(backend: Any) -> int | None:
    """Return the id of the unknown token: the one that the model names, else one with a usual name."""
    names = [getattr(backend.model, "unk_token", None), *_UNKNOWN]
    ids = (backend.token_to_id(name) for name in names if name is not None)
    return next((number for number in ids if number is not None), None)


def _require_bounded(backend: Any, directory: Path) -> None:
    """Refuse ids beyond the size of any embedding table, and normalisation rules that lengthen texts excessively."""
    highest = max(backend.get_vocab(with_added_tokens=True).values(), default=0)
    if highest > _MAX_ID:
        raise ArtifactError(
            f"{directory}: the tokenizer has the token id {highest}, above the limit {_MAX_ID}; fetch the encoder again"
        )
    rules = json.loads(backend.normalizer.__getstate__()) if backend.normalizer else {}
    if (growth := _growth(rules)) > _MAX_GROWTH:
        raise ArtifactError(f"{directory}: the tokenizer's rules make texts {growth} times as long; do not use it")


def _growth(rule: dict[str, Any]) -> int:
    """Return an upper bound of the factor by which normalisation rules lengthen a text, from their replacements."""
    if rule.get("type") == "Sequence":
        return math.prod(map(_growth, rule["normalizers"]))
    return max(len(rule.get("content") or ""), len(rule.get("prepend") or ""), 1)


def _load_fast(directory: Path) -> tuple[Any, dict[str, int | None], set[int]]:
    """Load `tokenizer.json` without transformers, whose import takes a second."""
    import tokenizers

    backend = tokenizers.Tokenizer.from_file(str(directory / _FAST))
    named: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (directory / name).is_file():
            named.update(json.loads((directory / name).read_text(encoding="utf-8")))
    texts = {key: value["content"] if isinstance(value, dict) else value for key, value in named.items()}
    named_tokens = {key: texts[key] for key in texts if key.endswith("_token") and isinstance(texts[key], str)}
    ids = {key: backend.token_to_id(text) for key, text in named_tokens.items()}
    added = {token.content: number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    special = _special_ids_by_name(ids) if ids else _default_special_ids(added)
    return backend, special, {*added.values(), *(number for number in ids.values() if number is not None)}


def _special_ids_by_name(ids: dict[str, int | None]) -> dict[str, int | None]:
    """Return the ids of the named tokens if the tokenizer's files name special tokens."""
    names = {name: (name, _ALIASES.get(name, name)) for name in _NAMED_TOKENS}
    candidates = {name: [ids.get(f"{each}_token") for each in aliases] for name, aliases in names.items()}
    return {name: next((each for each in numbers if each is not None), None) for name, numbers in candidates.items()}


def _default_special_ids(added: dict[str, int]) -> dict[str, int | None]:
    """Return the ids of the named tokens by their default texts, if the files name no special tokens."""
    return {name: next((added[text] for text in texts if text in added), None) for name, texts in _DEFAULTS.items()}


def _convert_slow(directory: Path) -> tuple[Any, dict[str, int | None], set[int]]:
    """Let transformers convert a tokenizer without `tokenizer.json`."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
    ids = {f"{name}": getattr(loaded, f"{name}_token_id") for name in (*_NAMED_TOKENS, *_ALIASES.values())}
    special = _special_ids_by_name({f"{name}_token": number for name, number in ids.items()})
    return loaded.backend_tokenizer, special, set(loaded.all_special_ids)


def _continuation_rule(content: dict[str, Any]) -> Callable[[str], bool]:
    """Return the predicate of tokens that continue a word, from the content of `tokenizer.json`.

    Either the model marks these tokens with a prefix (WordPiece), or the pre-tokenizer marks all other tokens with the
    replacement of a space: "Ġ" in byte-level BPE (RoBERTa), "▁" in SentencePiece (XLM-R).

    Raises:
        ConfigError: the tokenizer has neither mark.
    """
    model = content["model"]
    prefix = model.get("continuing_subword_prefix")
    space = _space_replacement(content["pre_tokenizer"] or {})
    if model["type"] in ("WordPiece", "BPE") and prefix:
        return lambda token: token.startswith(prefix)
    if model["type"] in ("BPE", "Unigram") and space:
        return lambda token: not token.startswith(space)
    raise ConfigError(
        f"whole_words is not possible with this tokenizer: its model, {model['type']}, does not mark where words "
        "start; turn whole_words off or choose another encoder"
    )


def _space_replacement(pre_tokenizer: dict[str, Any]) -> str | None:
    """Return the pre-tokenizer's replacement of the space before a word, None if it has none."""
    kind = pre_tokenizer.get("type")
    if kind == "Sequence":
        return next(filter(None, map(_space_replacement, pre_tokenizer["pretokenizers"])), None)
    if kind == "Metaspace":
        return str(pre_tokenizer["replacement"])
    return _BYTE_SPACE if kind == "ByteLevel" else None
