"""Unpacking what was downloaded, and arguments that contradict each other."""

import zipfile
from pathlib import Path

import pytest

from interestrec.core.errors import CannotCreateError, DataError, StorageError, UsageError
from interestrec.io import fetch as module
from interestrec.io import files
from interestrec.io.fetch import fetch, unpack
from interestrec.io.fetch_sources import Wheel, converter_of, source_rows


def archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def test_unpack_takes_the_named_members_by_base_name_only(tmp_path: Path) -> None:
    wheel = archive(tmp_path / "a.whl", {"x/model/config.json": "{}", "../model/vocab.txt": "a", "x/other": "b"})
    target = tmp_path / "out"
    target.mkdir()
    unpack(wheel, ("/model/config.json", "/model/vocab.txt"), target)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.whl", "config.json", "vocab.txt"]
    assert (target / "vocab.txt").read_text() == "a"


def test_unpack_refuses_what_it_cannot_place(tmp_path: Path) -> None:
    twice = archive(tmp_path / "twice.whl", {"a/config.json": "{}", "b/config.json": "{}"})
    with pytest.raises(DataError, match="several directories"):
        unpack(twice, ("/config.json",), tmp_path)
    with pytest.raises(DataError, match="contains none of"):
        unpack(twice, ("/model.safetensors",), tmp_path)
    (tmp_path / "cut.whl").write_bytes(twice.read_bytes()[:40])
    with pytest.raises(StorageError, match="damaged"):
        unpack(tmp_path / "cut.whl", ("/config.json",), tmp_path)


def test_unpack_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_UNPACKED_BYTES", 10)
    with pytest.raises(DataError, match="decompression bomb"):
        unpack(archive(tmp_path / "big.whl", {"a/config.json": "x" * 11}), ("/config.json",), tmp_path)


def test_a_decompression_bomb_is_refused_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MIN_SUSPECT_BYTES", 10_000)
    bomb = tmp_path / "bomb.whl"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        target.writestr("a/config.json", "0" * 1_000_000)
    with pytest.raises(DataError, match=r"would unpack from [\d,]+ to 1,000,000 bytes"):
        unpack(bomb, ("/config.json",), tmp_path)
    assert list(tmp_path.iterdir()) == [bomb]


def forged(path: Path, changes: dict[bytes, bytes]) -> Path:
    """A wheel whose bytes were changed behind the archive's back."""
    data = archive(path, {"a/config.json": "x" * 5000}).read_bytes()
    for before, after in changes.items():
        assert before in data
        data = data.replace(before, after)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({(5000).to_bytes(4, "little"): (100).to_bytes(4, "little")}, StorageError),  # sizes that lie
        ({b"PK\x01\x02\x14\x03\x14\0\0\0\0\0": b"PK\x01\x02\x14\x03\x14\0\0\0\x63\0"}, DataError),  # method 99
        ({b"PK\x01\x02\x14\x03\x14\0\0\0\0\0": b"PK\x01\x02\x14\x03\x14\0\1\0\0\0"}, DataError),  # a password
        ({b"x" * 100: b"y" * 100}, StorageError),
    ],
)
def test_archives_that_lie(changes: dict[bytes, bytes], error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error, match=r"a\.whl"):
        unpack(forged(tmp_path / "a.whl", changes), ("/config.json",), tmp_path)


def test_an_archive_whose_packed_bytes_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a/config.json", "".join(map(str, range(5000))))
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = b"\xff" * (len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"a\.whl: the download is damaged"):
        unpack(path, ("/config.json",), tmp_path)


def test_a_link_in_an_archive_becomes_a_file(tmp_path: Path) -> None:
    """Its content is the path that it would lead to."""
    (tmp_path / "secret").write_text("canary")
    link = zipfile.ZipInfo("a/config.json")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as target:
        target.writestr(link, str(tmp_path / "secret"))
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.whl", ("/config.json",), tmp_path / "out")
    assert not (tmp_path / "out" / "config.json").is_symlink()
    assert (tmp_path / "out" / "config.json").read_text() == str(tmp_path / "secret")


@pytest.fixture
def offline_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip looks in this directory only."""
    index = tmp_path / "index"
    index.mkdir()
    members = {
        "demo/config.json": "{}",
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "demo-1.0.dist-info/RECORD": "",
    }
    archive(index / "demo-1.0-py3-none-any.whl", members)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_fetch_from_an_index_is_checked_and_not_repeated(tmp_path: Path, offline_index: Path) -> None:
    target = tmp_path / "encoder"
    assert fetch("demo==1.0", None, None, target, force=False).built
    assert (target / "config.json").read_text() == "{}"
    assert not fetch("demo==1.0", None, None, target, force=False).built
    with pytest.raises(CannotCreateError, match="exists with other content"):
        fetch("demo==1.0", None, "0" * 64, target, force=False)


def test_a_wrong_digest_leaves_nothing(tmp_path: Path, offline_index: Path) -> None:
    target = tmp_path / "deep" / "encoder"
    with pytest.raises(StorageError, match="expected 0000"):
        fetch("demo==1.0", None, "0" * 64, target, force=False)
    assert list((tmp_path / "deep").iterdir()) == []
    with pytest.raises(StorageError, match="download from PyPI failed"):
        fetch("absent==1.0", None, None, target, force=False)


def test_what_was_downloaded_is_renamed_completed_and_converted(
    tmp_path: Path, offline_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = Wheel(
        "demo==1.0",
        files.sha256_of(next(offline_index.iterdir())),
        ("/config.json", "/METADATA"),
        renamed={"METADATA": "about"},
        added={"more.json": {"a": 1}},
        converter=f"{__name__}:joined",
        consumed=("about",),
    )
    monkeypatch.setitem(module.PINNED_SOURCES, "demo", wheel)
    target = fetch("demo", None, None, tmp_path / "encoder", force=False).directory
    assert sorted(path.name for path in target.iterdir()) == ["config.json", "fetched.json", "joined", "more.json"]
    assert (target / "joined").read_text().startswith("Metadata-Version")
    assert files.read_json(target / "more.json") == {"a": 1}
    assert set(files.read_json(target / "fetched.json")["files"]) == {"config.json", "joined", "more.json"}


def joined(source: Path, target: Path) -> None:
    (target / "joined").write_text((source / "about").read_text())


def test_known_sources_are_listed_and_pinned_by_digest() -> None:
    assert [row["name"] for row in source_rows()] == list(module.PINNED_SOURCES)
    for wheel in module.PINNED_SOURCES.values():
        assert isinstance(wheel, Wheel)
        assert wheel.kind and wheel.licence and wheel.megabytes
        assert wheel.converter is None or callable(converter_of(wheel.converter))
        assert wheel.sha256 is not None
        assert len(wheel.sha256) == 64


@pytest.mark.parametrize(
    ("source", "revision", "sha256"),
    [
        ("minilm-l7", None, None),
        ("owner/name", None, None),
        ("owner/name", "main", None),
        ("owner/name", "0" * 40, "0" * 64),
        ("demo==1.0", "0" * 40, None),
        ("minilm-l6", None, "0" * 64),
        ("--index-url=http://evil==1", None, None),
    ],
)
def test_contradicting_arguments(source: str, revision: str | None, sha256: str | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fetch(source, revision, sha256, tmp_path / "x", force=False)


def test_hugging_face_download_takes_weights_and_tokenizer_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def snapshot_download(source: str, revision: str, allow_patterns: list[str], local_dir: Path) -> None:
        assert (source, revision) == ("owner/Name", "a" * 40)
        assert not any(pattern.endswith((".bin", ".py", ".pkl", "*")) for pattern in allow_patterns)
        (Path(local_dir) / "config.json").write_text("{}")
        if (tmp_path / "has-weights").exists():
            (Path(local_dir) / "model.safetensors").write_text("")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(DataError, match="pickled weights"):
        fetch("owner/Name", "a" * 40, None, tmp_path / "x", force=False)
    assert not (tmp_path / "x").exists()
    (tmp_path / "has-weights").touch()
    assert fetch("owner/Name", "a" * 40, None, tmp_path / "x", force=False).directory == tmp_path / "x"
