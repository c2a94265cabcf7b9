"""The tokenizer that belongs to an encoder, read from its Hugging Face directory. No network, no remote code."""

import hashlib
import json
import math
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
_NEEDED = ("cls", "sep", "pad", "mask")
# Tokenizers of some families call the first and the last token of a text by these names only.
_OTHER_NAMES = {"cls": "bos", "sep": "eos"}
# Older checkpoints leave the names to the tokenizer's class and name none; these are what the classes say.
_USUAL = {"cls": ("[CLS]", "<s>"), "sep": ("[SEP]", "</s>"), "pad": ("[PAD]", "<pad>"), "mask": ("[MASK]", "<mask>")}
_BATCH = 4096
_HIGHEST_ID = 1 << 24  # the largest vocabularies have a million tokens
_MOST_GROWTH = 64  # of a text, by what a tokenizer's normaliser puts in
_BYTE_SPACE = "Ġ"  # the printable character that byte-level tokenizers write for the byte of a space


@dataclass(frozen=True)
class Tokenizer:
    """A fast tokenizer with the ids that batches need."""

    backend: Any  # tokenizers.Tokenizer
    vocabulary_size: int
    cls_id: int
    sep_id: int
    pad_id: int
    mask_id: int
    special_ids: tuple[int, ...]
    digest: str

    @property
    def rows(self) -> int:
        """Rows that a table of word embeddings needs: one more than the highest id, whether or not ids have gaps."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode(self, texts: list[str]) -> pa.ListArray:
        """Token ids of each text, list<int32>, without special tokens and without a length limit."""
        lengths: list[int] = []
        values = [np.zeros(0, np.int32)]
        for start in range(0, len(texts), _BATCH):
            encoded = self.backend.encode_batch_fast(texts[start : start + _BATCH], add_special_tokens=False)
            ids = [encoding.ids for encoding in encoded]
            lengths.extend(map(len, ids))
            values.append(np.fromiter(chain.from_iterable(ids), np.int32))
        offsets = ragged.from_lengths(lengths).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(values)))

    def continuing(self) -> np.ndarray:
        """Which tokens continue the word of the token before them; bool [highest id + 1].

        Special tokens and tokens that were added to the vocabulary never do.

        Raises:
            ConfigError: this kind of tokenizer does not tell.
        """
        continues = _continues(json.loads(self.backend.to_str()))
        apart = {*self.special_ids, *self.backend.get_added_tokens_decoder()}
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        found = np.zeros(self.rows, bool)
        found[[number for token, number in vocabulary.items() if number not in apart and continues(token)]] = True
        return found


def tokenizer_files(directory: Path) -> list[Path]:
    """The files in an encoder's directory that make up its tokenizer."""
    return [directory / name for name in _FILES if (directory / name).is_file()]


def tokenizer_digest(directory: Path) -> str:
    """SHA-256 over names and contents of the tokenizer's files.

    Raises:
        InputMissingError: the directory is missing or holds no tokenizer.
        ArtifactError: a file is a link out of the directory, or far too large.
    """
    require_own(directory, _FILES)
    found = tokenizer_files(directory)
    if not directory.is_dir() or not found:
        raise InputMissingError(
            f"{directory}: no tokenizer here; give an encoder in Hugging Face layout (`interestrec fetch minilm-l6`)"
        )
    content = "".join(f"{path.name}:{files.sha256_of(path)}\n" for path in found)
    return hashlib.sha256(content.encode()).hexdigest()


def load_tokenizer(directory: Path) -> Tokenizer:
    """Load the tokenizer of an encoder's directory.

    Raises:
        InputMissingError: no tokenizer is there.
        ArtifactError: it is damaged, has no fast implementation, or lacks a special token that an encoder needs.
    """
    digest = tokenizer_digest(directory)
    fast = (directory / _FAST).is_file()
    try:
        backend, special, all_special = _fast(directory) if fast else _converted(directory)
    except Exception as error:  # both libraries raise whatever their parsers raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArtifactError(f"{directory}: the tokenizer cannot be loaded ({reason}); fetch it again") from error
    found = {name: token for name, token in special.items() if token is not None}
    absent = [name for name in _NEEDED if name not in found]
    if absent:
        raise ArtifactError(
            f"{directory}: the tokenizer has no {', '.join(absent)} token; a masked language model's is needed"
        )
    _require_bounded(backend, directory)
    backend.no_padding()
    backend.no_truncation()
    return Tokenizer(
        backend=backend,
        vocabulary_size=backend.get_vocab_size(with_added_tokens=True),
        cls_id=found["cls"],
        sep_id=found["sep"],
        pad_id=found["pad"],
        mask_id=found["mask"],
        special_ids=tuple(sorted(all_special)),
        digest=digest,
    )


def _require_bounded(backend: Any, directory: Path) -> None:
    """Refuse ids that no table of embeddings has rows for, and rules that blow a text up a millionfold."""
    highest = max(backend.get_vocab(with_added_tokens=True).values(), default=0)
    if highest > _HIGHEST_ID:
        raise ArtifactError(f"{directory}: the tokenizer has a token of id {highest}; fetch it again")
    rules = json.loads(backend.normalizer.__getstate__()) if backend.normalizer else {}
    if (growth := _growth(rules)) > _MOST_GROWTH:
        raise ArtifactError(f"{directory}: the tokenizer's rules make texts {growth} times as long; do not use it")


def _growth(rule: dict[str, Any]) -> int:
    """How many times as long as a text its normalised form may become, by what rules put in place of a character."""
    if rule.get("type") == "Sequence":
        return math.prod(map(_growth, rule["normalizers"]))
    return max(len(rule.get("content") or ""), len(rule.get("prepend") or ""), 1)


def _fast(directory: Path) -> tuple[Any, dict[str, int | None], set[int]]:
    """The tokenizer of `tokenizer.json`, without transformers, whose import alone takes a second."""
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
    special = _named(ids) if ids else _usual(added)
    return backend, special, {*added.values(), *(number for number in ids.values() if number is not None)}


def _named(ids: dict[str, int | None]) -> dict[str, int | None]:
    """Ids of the needed tokens where the tokenizer's files name some."""
    names = {name: (name, _OTHER_NAMES.get(name, name)) for name in _NEEDED}
    known = {name: [ids.get(f"{each}_token") for each in either] for name, either in names.items()}
    return {name: next((number for number in found if number is not None), None) for name, found in known.items()}


def _usual(added: dict[str, int]) -> dict[str, int | None]:
    """Ids of the needed tokens where the files name none: the special tokens that are usually called so."""
    return {name: next((added[text] for text in texts if text in added), None) for name, texts in _USUAL.items()}


def _converted(directory: Path) -> tuple[Any, dict[str, int | None], set[int]]:
    """A tokenizer that transformers makes from a vocabulary."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
    special = {name: getattr(loaded, f"{name}_token_id") for name in _NEEDED}
    return loaded.backend_tokenizer, special, set(loaded.all_special_ids)


def _continues(content: dict[str, Any]) -> Callable[[str], bool]:
    """What tells a token that continues a word, from the content of `tokenizer.json`.

    Either the model marks these tokens with a prefix (WordPiece), or the pre-tokenizer puts a space's stand-in before
    all the others: "Ġ" of byte-level BPE (RoBERTa), "▁" of SentencePiece (XLM-R).

    Raises:
        ConfigError: it is of another kind.
    """
    model = content["model"]
    prefix, space = model.get("continuing_subword_prefix"), _space(content["pre_tokenizer"] or {})
    if model["type"] in ("WordPiece", "BPE") and prefix:
        return lambda token: token.startswith(prefix)
    if model["type"] in ("BPE", "Unigram") and space:
        return lambda token: not token.startswith(space)
    raise ConfigError(
        f"whole_words is not possible with this tokenizer: its model, {model['type']}, does not mark where words "
        "start; turn whole_words off or choose another encoder"
    )


def _space(pre_tokenizer: dict[str, Any]) -> str | None:
    """What a pre-tokenizer writes for the space before a word; None where it writes nothing."""
    kind = pre_tokenizer.get("type")
    if kind == "Sequence":
        return next(filter(None, map(_space, pre_tokenizer["pretokenizers"])), None)
    if kind == "Metaspace":
        return str(pre_tokenizer["replacement"])
    return _BYTE_SPACE if kind == "ByteLevel" else None
