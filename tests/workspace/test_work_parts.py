"""Parts of an artifact are whole or absent, and what is damaged is made again."""

from pathlib import Path

import pytest

from interestrec.core.errors import InputMissingError
from interestrec.workspace.work_parts import part_digest, staged_part, take_part


def write(path: Path, text: str = "a") -> None:
    with staged_part(path) as directory:
        (directory / "rows").write_text(text)


def test_a_part_has_a_digest_until_it_is_taken(tmp_path: Path) -> None:
    part, to = tmp_path / "part", tmp_path / "to"
    to.mkdir()
    assert part_digest(part) is None
    write(part)
    digest = part_digest(part)
    assert digest is not None
    write(part, "b")  # a second writer changes nothing
    assert part_digest(part) == digest
    take_part(part, to)
    assert part_digest(part) is None
    assert [path.name for path in to.iterdir()] == ["rows"]


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_part(tmp_path / "part"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "unlisted", "no listing"])
def test_a_damaged_part_is_removed(tmp_path: Path, damage: str) -> None:
    part = tmp_path / "part"
    write(part)
    if damage == "changed":
        (part / "rows").write_text("x")
    elif damage == "missing":
        (part / "rows").unlink()
    elif damage == "added":
        (part / "more").write_text("x")
    elif damage == "unlisted":
        (part / "part.json").write_text("{")
    else:
        (part / "part.json").unlink()
    assert part_digest(part) is None
    assert not part.exists()


def test_a_run_that_has_ended_gets_no_part(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="has ended"), staged_part(tmp_path / "gone" / "part"):
        pass
