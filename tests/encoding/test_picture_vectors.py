"""Vectors of pictures: each content once, the same bits in any company, bombs and damage are missing pictures."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from interestrec.core.errors import ArtifactError, DataError
from interestrec.corpus.picture_table import picture_table
from interestrec.encoding import picture_vectors
from interestrec.encoding.picture_decoding import decode_picture
from interestrec.encoding.picture_vectors import PictureVectors, encode_pictures, picture_cache
from interestrec.encoding.vector_cache import VectorCache
from interestrec.io.picture_sources import PictureFiles
from interestrec.model.picture_encoders import load_picture_encoder
from interestrec.model.picture_preparation import read_preparation
from tests.io.test_picture_headers import FORMATS, animated, png
from tests.picture_kin import CONFIGS, picture, saved, write

PLACES = range(len(FORMATS))


@pytest.mark.parametrize("number", PLACES)
def test_every_format_decodes_as_by_pillow(number: int) -> None:
    expected = np.asarray(Image.open(io.BytesIO(FORMATS[number][1])).convert("RGB"))
    decoded = decode_picture(FORMATS[number][1])
    assert decoded is not None
    assert np.abs(decoded.numpy().astype(int) - expected).max() <= 1


def test_an_animation_gives_its_first_picture() -> None:
    expected = np.asarray(Image.open(io.BytesIO(animated("GIF"))).convert("RGB"))
    np.testing.assert_array_equal(decode_picture(animated("GIF")), expected)


def _with_size(content: bytes, place: int, width: int, height: int, form: str) -> bytes:
    return content[:place] + struct.pack(form, height, width) + content[place + struct.calcsize(form) :]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 10}])
def test_a_header_that_lies_about_the_size_does_not_decode(options: dict) -> None:
    good = saved(picture(), "JPEG", exif=b"Exif\0\0" + saved(picture(16, 16), "JPEG"), **options)
    frame = good.index(b"\xff\xc2" if "progressive" in options else b"\xff\xc0", good.index(b"\xff\xd9"))
    assert decode_picture(good) is not None
    assert decode_picture(good + b"more") is not None
    grey = saved(np.full((48, 72, 3), 128, np.uint8), "JPEG", **options)
    assert decode_picture(grey) is not None
    assert decode_picture(png(72, 48, zlib.compress(bytes(10)))) is None
    for width, height in ((72, 64), (72, 4000), (4000, 48), (7000, 7000)):
        lying = _with_size(good, frame + 5, width, height, ">HH")
        assert decode_picture(lying) is None


@pytest.mark.parametrize("number", PLACES)
def test_a_picture_that_ends_too_early_does_not_decode(number: int) -> None:
    content = FORMATS[number][1]
    assert decode_picture(content[: len(content) // 2]) is None


_BOMBS = """
import resource, sys, zlib
from interestrec.encoding.picture_decoding import decode_picture
from tests.io.test_picture_headers import png
from tests.picture_kin import picture, saved

assert decode_picture(saved(picture())) is not None
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert decode_picture(png(60_000, 60_000, zlib.compress(bytes(60_000 * 3 + 1)))) is None
assert decode_picture(png(72, 48, zlib.compress(bytes(1 << 30), 1))) is None or True  # more rows than declared
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) >> 10)
"""


@pytest.mark.slow
def test_bombs_take_little_memory() -> None:
    """A picture of 10 GB is not decoded, and rows behind the last are not kept."""
    code = _BOMBS.replace("zlib.compress(bytes(1 << 30), 1)", "zlib.compress(bytes(1 << 28), 9)")
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(output) < 400  # MiB, of which 256 are the zeros that the test compresses


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    number=st.sampled_from(PLACES), place=st.integers(0, 3000), value=st.integers(0, 255), length=st.integers(0, 4000)
)
def test_damage_gives_a_picture_or_none(number: int, place: int, value: int, length: int) -> None:
    damaged = bytearray(FORMATS[number][1])
    damaged[place % len(damaged)] = value
    for content in (bytes(damaged), bytes(damaged[:length])):
        decoded = decode_picture(content)
        assert decoded is None or decoded.shape[-1] == 3


CONTENTS = [saved(picture(seed=seed), "JPEG") for seed in range(20)]


def files(directory: Path, contents: list[bytes]) -> PictureFiles:
    directory.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (directory / str(number)).write_bytes(content)
    return PictureFiles(directory, [str(number) for number in range(len(contents))])


def encode(
    encoder: Path, source: PictureFiles, cache: VectorCache | None = None, pictures: pa.Table | None = None
) -> PictureVectors:
    table = picture_table(source)[0] if pictures is None else pictures
    return encode_pictures(load_picture_encoder(encoder), read_preparation(encoder), table, source, cache)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Pictures that were decoded so far."""
    contents: list[bytes] = []
    original = picture_vectors.decode_picture

    def counting(content):  # type: ignore[no-untyped-def]
        contents.append(content)
        return original(content)

    monkeypatch.setattr(picture_vectors, "decode_picture", counting)
    return contents


@pytest.mark.parametrize("kind", ["vit", "siglip_vision_model", "convnext", "efficientnet-lite0"])
def test_a_picture_has_the_same_bits_in_any_company(tmp_path: Path, kind: str) -> None:
    assert kind in CONFIGS
    encoder = write(tmp_path / "encoder", kind)
    whole = encode(encoder, files(tmp_path / "whole", CONTENTS))
    assert whole.present.all()
    order = np.random.default_rng(0).permutation(20)[:7]
    part = encode(encoder, files(tmp_path / "part", [CONTENTS[number] for number in order]))
    np.testing.assert_array_equal(part.vectors, whole.vectors[order])
    assert len(np.unique(whole.vectors, axis=0)) == 20


def test_equal_pictures_are_decoded_once_and_known_ones_never(tmp_path: Path, decoded: list[bytes]) -> None:
    encoder = write(tmp_path / "encoder", "vit")
    cache = picture_cache(encoder, tmp_path, 32)
    source = files(tmp_path / "p", CONTENTS[:4] * 3)
    plain = encode(encoder, source)
    assert sorted(decoded) == sorted(CONTENTS[:4])
    np.testing.assert_array_equal(plain.vectors[:4], plain.vectors[8:])
    np.testing.assert_array_equal(encode(encoder, source, cache).vectors, plain.vectors)
    assert len(decoded) == 8
    np.testing.assert_array_equal(encode(encoder, source, cache).vectors, plain.vectors)
    assert len(decoded) == 8
    more = encode(encoder, files(tmp_path / "q", CONTENTS[2:6]), cache)
    assert sorted(decoded[8:]) == sorted(CONTENTS[4:6])
    np.testing.assert_array_equal(more.vectors[:2], plain.vectors[2:4])


def test_another_preparation_has_another_cache(tmp_path: Path) -> None:
    encoder = write(tmp_path / "encoder", "vit")
    first = picture_cache(encoder, tmp_path, 32)
    path = encoder / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"resample": 3', '"resample": 2'))
    assert picture_cache(encoder, tmp_path, 32).directory != first.directory


def test_items_without_a_picture_that_decodes_have_zeros(tmp_path: Path) -> None:
    cut = CONTENTS[1][:-200]
    contents = [CONTENTS[0], b"text", cut, CONTENTS[2], cut, b""]
    source = files(tmp_path / "p", contents)
    source = PictureFiles(source.directory, [*source.paths, None, "../p/0", "../out"])
    found = encode(write(tmp_path / "encoder", "vit"), source, VectorCache(tmp_path / "cache"))
    assert found.present.tolist() == [True, False, False, True, False, False, False, True, False]
    assert found.undecodable == 2
    assert not found.vectors[~found.present].any()
    np.testing.assert_array_equal(found.vectors[7], found.vectors[0])
    assert found.vectors.dtype == np.float32
    again = encode(tmp_path / "encoder", source, VectorCache(tmp_path / "cache"))
    np.testing.assert_array_equal(again.vectors, found.vectors)
    np.testing.assert_array_equal(again.present, found.present)


def test_no_pictures_at_all(tmp_path: Path) -> None:
    found = encode(write(tmp_path / "encoder", "vit"), PictureFiles(tmp_path, [None, "none"]))
    assert found.vectors.shape == (2, 16)
    assert not found.present.any()


def test_a_picture_that_has_changed_since_is_an_error(tmp_path: Path) -> None:
    source = files(tmp_path / "p", CONTENTS[:3])
    table = picture_table(source)[0]
    encoder = write(tmp_path / "encoder", "vit")
    for change in (lambda path: path.write_bytes(CONTENTS[9]), lambda path: path.unlink()):
        change(tmp_path / "p" / "1")
        with pytest.raises(DataError, match="row 1 has changed"):
            encode(encoder, source, pictures=table)
    with pytest.raises(DataError, match="2 items have pictures, but 3 were checked"):
        encode(encoder, PictureFiles(tmp_path, ["0", "1"]), pictures=table)


def test_a_preparation_of_another_size_than_the_encoder_takes_is_refused(tmp_path: Path) -> None:
    encoder = write(tmp_path / "encoder", "vit")
    path = encoder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("32", "24"))
    with pytest.raises(ArtifactError, match="24 pixels, but the encoder takes 32"):
        encode(encoder, files(tmp_path / "p", CONTENTS[:1]))
