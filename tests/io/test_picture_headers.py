"""Headers of pictures: type and size without decoding, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.io.picture_headers import (
    MAX_PICTURE_BYTES,
    PictureHeader,
    first_frame,
    picture_status,
    read_picture_header,
)
from interestrec.io.schemas import PICTURE_STATUSES
from tests.picture_kin import picture, saved

FORMATS = [
    ("png", saved(picture(), "PNG")),
    ("png", saved(picture(), "PNG", "P")),
    ("jpeg", saved(picture(), "JPEG")),
    ("jpeg", saved(picture(), "JPEG", "L", progressive=True)),
    ("jpeg", saved(picture(), "JPEG", exif=b"Exif\0\0" + bytes(60_000))),
    ("gif", saved(picture(), "GIF")),
    ("bmp", saved(picture(), "BMP")),
    ("bmp", saved(picture(), "BMP", "RGBA")),
    ("webp", saved(picture(), "WEBP")),
    ("webp", saved(picture(), "WEBP", lossless=True)),
    ("webp", saved(picture(), "WEBP", "RGBA", exif=b"Exif\0\0")),
]
NUMBERS = range(len(FORMATS))


def animated(kind: str) -> bytes:
    from PIL import Image

    later = [Image.fromarray(picture(seed=seed)) for seed in (1, 2)]
    return saved(picture(), kind, save_all=True, append_images=later)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_format_has_its_type_and_size(number: int) -> None:
    name, content = FORMATS[number]
    assert read_picture_header(content) == PictureHeader(name, 72, 48)
    assert picture_status(content) == "ok"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%PDF-1.7", "no picture"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "no picture"),
        (bytes(1000), "no picture"),
        (bytes(MAX_PICTURE_BYTES + 1), "too large"),
        (png(50_000, 50_000), "too large"),
        (png(2**31 - 1, 2**31 - 1), "too large"),
        (png(10_000, 10), "too large"),  # a line, which a preparation that keeps proportions would make huge
        (png(1_000, 10), "ok"),
        (png(0, 10), "broken"),
        (png(2**31, 1), "broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(25), "broken"),
        (b"\xff\xd8\xff\xd9", "broken"),
        (b"\xff\xd8\xff" + bytes(50), "broken"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x01" * 10, "broken"),
        (b"GIF89a" + bytes(20), "broken"),
        (saved(picture(), "BMP", "P"), "broken"),  # palettes are not decoded
        (animated("WEBP"), "broken"),
    ],
)
def test_what_is_refused_has_a_reason(content: bytes, status: str) -> None:
    assert picture_status(content) == status


def test_a_jpeg_of_many_scans_is_refused() -> None:
    scans = saved(picture(), "JPEG", progressive=True)
    start = scans.index(b"\xff\xda")
    assert picture_status(scans[:start] + scans[start:-2] * 100 + scans[-2:]) == "broken"


def test_a_jpeg_with_two_frames_is_refused() -> None:
    content = saved(picture(), "JPEG")
    start = content.index(b"\xff\xc0")
    frame = content[start : start + 2 + struct.unpack(">H", content[start + 2 : start + 4])[0]]
    assert picture_status(content[:start] + frame + content[start:]) == "broken"


def test_the_preview_in_a_segment_is_not_the_picture() -> None:
    preview = saved(picture(16, 16), "JPEG")
    content = saved(picture(), "JPEG", exif=b"Exif\0\0" + preview)
    assert read_picture_header(content) == PictureHeader("jpeg", 72, 48)


def test_an_animation_is_cut_behind_its_first_picture() -> None:
    import io

    from PIL import Image

    content = animated("GIF")
    cut = first_frame(content)
    assert cut is not None
    assert len(cut) < len(content)
    whole, part = Image.open(io.BytesIO(content)), Image.open(io.BytesIO(cut))
    assert (whole.n_frames, part.n_frames) == (3, 1)
    np.testing.assert_array_equal(np.asarray(part.convert("RGB")), np.asarray(whole.convert("RGB")))
    for length in range(10, len(cut) - 1):
        assert picture_status(cut[:length]) == "broken"


@settings(max_examples=300, deadline=None)
@given(
    number=st.sampled_from(NUMBERS), place=st.integers(0, 200), value=st.integers(0, 255), length=st.integers(0, 400)
)
def test_any_bytes_have_a_status(number: int, place: int, value: int, length: int) -> None:
    damaged = bytearray(FORMATS[number][1])
    damaged[min(place, len(damaged) - 1)] = value
    for content in (bytes(damaged), bytes(damaged[:length])):
        status = picture_status(content)
        assert status in PICTURE_STATUSES
        header = read_picture_header(content)
        assert (status == "ok") <= (header is not None and header.width * header.height <= 50_000_000)


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from([content[:12] for _, content in FORMATS]), rest=st.binary(max_size=200))
def test_noise_behind_a_signature_has_a_status(start: bytes, rest: bytes) -> None:
    assert picture_status(start + rest) in PICTURE_STATUSES
