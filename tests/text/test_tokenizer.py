"""The tokenizer of an encoder's directory, against transformers."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors, trainers

from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError
from interestrec.model.encoders import load_encoder
from interestrec.pretraining.masked_objective import MaskedObjectiveSettings, MaskedTokens
from interestrec.text.text_frames import TextFrame, bare_frame, decoder_frame, sentence_frame
from interestrec.text.tokenizer import Tokenizer, load_tokenizer, tokenizer_digest
from tests import kin

TEXTS = ["The team, the game!", "", "zzz 東京", "market " * 100]


def test_ids_are_those_of_transformers_without_special_tokens(tiny_encoder: Path) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(tiny_encoder))
    ours = load_tokenizer(tiny_encoder).encode(TEXTS)
    assert ours.type == pa.list_(pa.int32())
    assert ours.to_pylist() == [theirs(t, add_special_tokens=False, truncation=False)["input_ids"] for t in TEXTS]
    assert len(ours[3].as_py()) == 100  # no length limit, whatever the tokenizer's own


def test_special_tokens(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    # The order of the vocabulary of the fixture: [PAD], [UNK], [CLS], [SEP], [MASK].
    assert (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (0, 2, 3, 4)
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)
    assert tokenizer.vocabulary_size == json.loads((tiny_encoder / "config.json").read_text())["vocab_size"]
    assert tokenizer.encode([]).to_pylist() == []


@pytest.mark.parametrize("names", ["cls and sep", "bos and eos", "none"])
def test_special_tokens_of_roberta(tmp_path: Path, names: str) -> None:
    directory = kin.write(tmp_path, "roberta")
    path = directory / "tokenizer_config.json"
    said = json.loads(path.read_text())
    unsaid = {"cls and sep": [], "bos and eos": ["cls_token", "sep_token"], "none": [n for n in said if "_token" in n]}
    path.write_text(json.dumps({name: value for name, value in said.items() if name not in unsaid[names]}))
    tokenizer = load_tokenizer(directory)
    assert (tokenizer.cls_id, tokenizer.pad_id, tokenizer.sep_id, tokenizer.mask_id) == (0, 1, 2, 260)
    assert tokenizer.special_ids == (0, 1, 2, 3, 260)
    assert tokenizer.vocabulary_size == 261


def test_special_tokens_that_only_the_class_of_the_tokenizer_knows(tiny_encoder: Path, tmp_path: Path) -> None:
    silent = shutil.copytree(tiny_encoder, tmp_path / "silent")
    (silent / "special_tokens_map.json").unlink(missing_ok=True)
    (silent / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    tokenizer = load_tokenizer(silent)
    assert (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (0, 2, 3, 4)
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)


def test_digest_is_of_names_and_contents_of_tokenizer_files_only(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_encoder, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"other weights")
    assert tokenizer_digest(copy) == tokenizer_digest(tiny_encoder) == load_tokenizer(tiny_encoder).digest
    with (copy / "tokenizer.json").open("a") as file:
        file.write(" ")
    assert tokenizer_digest(copy) != tokenizer_digest(tiny_encoder)


def test_a_directory_that_is_no_encoder(tmp_path: Path, tiny_encoder: Path) -> None:
    for directory in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputMissingError, match="no tokenizer here") as error:
            load_tokenizer(directory)
        assert error.value.exit_status == 66
    damaged = shutil.copytree(tiny_encoder, tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match="cannot be loaded") as wrong:
        load_tokenizer(damaged)
    assert wrong.value.exit_status == 65
    assert "\n" not in str(wrong.value)


def without(directory: Path, *names: str) -> Tokenizer:
    """The tokenizer of a directory whose files do not name these tokens."""
    for path in (directory / "tokenizer_config.json", directory / "special_tokens_map.json"):
        if path.is_file():
            content = json.loads(path.read_text())
            path.write_text(json.dumps({key: value for key, value in content.items() if key not in names}))
    return load_tokenizer(directory)


def test_special_tokens_may_be_missing(tmp_path: Path) -> None:
    directory = kin.write(tmp_path, "roberta")
    tokenizer = without(directory, "mask_token", "pad_token")
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.pad_id) == (0, 2, None, 2)
    with pytest.raises(ConfigError, match="needs a tokenizer with a mask token"):
        MaskedTokens(load_encoder(directory), tokenizer, MaskedObjectiveSettings())
    tokenizer = without(directory, "cls_token", "bos_token")
    assert tokenizer.cls_id is None
    with pytest.raises(ArtifactError, match="the tokenizer has no cls token"):
        sentence_frame(tokenizer)


def test_frames_of_texts(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(kin.write(tmp_path, "roberta"))
    ids = tuple(tokenizer.encode(["q: "]).to_pylist()[0])
    assert len(ids) == 3  # byte-level tokens do not begin with a space of their own, so that of the prompt stays
    assert sentence_frame(tokenizer, "q: ") == TextFrame((0, *ids), (2,), 1)
    assert bare_frame(tokenizer) == TextFrame((), (), 1)
    assert decoder_frame(tokenizer, "q: ") == TextFrame((0, *ids), (2,), 1)  # as the tokenizer's own template says
    tokenizer.backend.post_processor = processors.ByteLevel()
    assert decoder_frame(tokenizer) == TextFrame((), (), 1)
    assert decoder_frame(tokenizer, ends=True) == TextFrame((), (2,), 1)


def test_a_prompt_and_a_text_have_the_tokens_of_both_together(tiny_encoder: Path) -> None:
    pieces = [("<s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0), ("q", -3.0), (":", -3.0), ("a", -3.0)]
    sentencepiece = made(models.Unigram(pieces, 1), pre_tokenizers.Metaspace(), ("<s>", "<unk>"))
    for tokenizer in (sentencepiece, load_tokenizer(tiny_encoder)):
        joint, text = tokenizer.encode(["q: aa", "aa"]).to_pylist()
        assert [*tokenizer.prompt_ids("q: "), *text] == joint
        assert tokenizer.prompt_ids("") == ()


SENTENCES = ["the storm storms on", "stormy games, gamers game", "big cake and cakes"] * 3


def made(model: Any, pre_tokenizer: Any = None, special: tuple[str, ...] = ("<s>",)) -> Tokenizer:
    """A tokenizer of which only the vocabulary matters."""
    backend = Backend(model)
    if pre_tokenizer is not None:
        backend.pre_tokenizer = pre_tokenizer
    backend.add_special_tokens(list(special))
    ids = tuple(backend.token_to_id(token) for token in special)
    return Tokenizer(backend, backend.get_vocab_size(), 0, 0, 0, 0, ids, "")


def continuing(tokenizer: Tokenizer) -> set[str]:
    return {tokenizer.backend.id_to_token(int(number)) for number in np.flatnonzero(tokenizer.continuation_mask())}


def test_tokens_of_wordpiece_that_continue_a_word(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    assert continuing(tokenizer) == {f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"}
    assert tokenizer.continuation_mask().shape == (tokenizer.vocabulary_size,)
    other = models.WordPiece({"a": 0, "@a": 1, "##a": 2, "<s>": 3}, unk_token="a", continuing_subword_prefix="@")
    assert continuing(made(other)) == {"@a"}


def test_tokens_of_roberta_that_continue_a_word(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(kin.write(tmp_path, "roberta"))
    assert continuing(tokenizer) == set(pre_tokenizers.ByteLevel.alphabet()) - {"Ġ"}


def test_tokens_of_sentencepiece_that_continue_a_word() -> None:
    pieces = [("<s>", 0.0), ("▁a", -1.0), ("a", -1.0), ("▁", -1.0), ("_b", -1.0), ("##b", -1.0)]
    metaspace = pre_tokenizers.Metaspace()
    for before in (metaspace, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])):
        assert continuing(made(models.Unigram(pieces, 0), before)) == {"a", "_b", "##b"}
    other = pre_tokenizers.Metaspace(replacement="_")
    assert continuing(made(models.Unigram(pieces, 0), other)) == {"▁a", "a", "▁", "##b"}
    assert continuing(made(models.BPE({"▁a": 0, "a": 1}, []), metaspace)) == {"a"}


def test_special_and_added_tokens_continue_nothing() -> None:
    tokenizer = made(models.BPE({"a": 0, "Ġa": 1, "<pad>": 2}, []), pre_tokenizers.ByteLevel(), ("<pad>", "<mask>"))
    tokenizer.backend.add_tokens(["whole"])
    assert tokenizer.continuation_mask().tolist() == [True, False, False, False, False]
    # Files may name a special token that the backend takes for one of many.
    named = Tokenizer(tokenizer.backend, 5, 0, 0, 0, 0, (0, 2, 3), "")
    assert not named.continuation_mask().any()


@pytest.mark.parametrize(
    ("model", "before"),
    [
        (models.WordLevel({"a": 0, "<s>": 1}, unk_token="a"), pre_tokenizers.Metaspace()),
        (models.BPE({"a": 0}, [], end_of_word_suffix="</w>"), pre_tokenizers.WhitespaceSplit()),
        (models.BPE({"a": 0}, []), None),
        (models.Unigram([("a", 0.0)], 0), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit()])),
        (models.WordPiece({"a": 0}, unk_token="a", continuing_subword_prefix=""), pre_tokenizers.ByteLevel()),
    ],
)
def test_tokenizers_that_do_not_tell_where_words_start(model: Any, before: Any) -> None:
    with pytest.raises(ConfigError, match="whole_words is not possible with this tokenizer") as error:
        made(model, before).continuation_mask()
    assert error.value.exit_status == 78


KINDS = {
    "WordPiece": (models.WordPiece(unk_token="<unk>"), pre_tokenizers.WhitespaceSplit(), trainers.WordPieceTrainer),
    "byte-level BPE": (models.BPE(), pre_tokenizers.ByteLevel(), trainers.BpeTrainer),
    "Unigram": (models.Unigram(), pre_tokenizers.Metaspace(), trainers.UnigramTrainer),
}


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_those_between_the_spaces(kind: str) -> None:
    model, before, trainer = KINDS[kind]
    tokenizer = made(model, before)
    options = {"unk_token": "<unk>"} if kind == "Unigram" else {}
    learning = trainer(vocab_size=45, special_tokens=["<s>", "<unk>"], show_progress=False, **options)
    tokenizer.backend.train_from_iterator(SENTENCES, learning)
    continues, splits = tokenizer.continuation_mask(), 0
    for sentence in ("the storm games stormy", "cakes on a gamer"):
        encoding = tokenizer.backend.encode(sentence, add_special_tokens=False)
        assert encoding.word_ids[-1] == sentence.count(" ")
        joined = [False, *(one == after for one, after in pairwise(encoding.word_ids))]
        assert continues[encoding.ids].tolist() == joined
        splits += sum(joined)
    assert splits > 3
