"""The tokenizer of an encoder's directory, against transformers."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest
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


def test_a_tokenizer_without_mask_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    maskless = shutil.copytree(tiny_encoder, tmp_path / "maskless")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (maskless / name).is_file():
            content = json.loads((maskless / name).read_text())
            content.pop("mask_token", None)
            (maskless / name).write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="has no mask token"):
        load_tokenizer(maskless)
