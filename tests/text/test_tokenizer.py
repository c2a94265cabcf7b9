"""The tokenizer of an encoder's directory."""

import shutil
from pathlib import Path

import pytest

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.text.tokenizer import load_tokenizer, tokenizer_digest


def test_tokens_without_special_tokens_and_without_a_limit(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    texts = ["The game", "", "storm " * 300]
    found = tokenizer.encode(texts).to_pylist()
    assert [len(tokens) for tokens in found] == [2, 0, 300]
    assert not {tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id} & set(found[2])
    assert found[0] == tokenizer.backend.encode("the game", add_special_tokens=False).ids
    assert {tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.pad_id} <= set(tokenizer.special_ids)


def test_the_digest_is_of_the_files_contents(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    assert tokenizer_digest(copy) == tokenizer_digest(tiny_encoder)
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text() + " ")
    assert tokenizer_digest(copy) != tokenizer_digest(tiny_encoder)


def test_a_directory_that_is_no_encoder(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(InputMissingError, match="no tokenizer here"):
        load_tokenizer(tmp_path / "none")
    with pytest.raises(InputMissingError, match="no tokenizer here"):
        load_tokenizer(tmp_path)
    shutil.copytree(tiny_encoder, tmp_path / "damaged")
    (tmp_path / "damaged" / "tokenizer.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        load_tokenizer(tmp_path / "damaged")
