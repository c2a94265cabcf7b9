"""Type and size of pictures by their first bytes, without decoding.

A picture of a few kilobytes can claim, or unpack to, gigabytes. What is decoded later passes here first: it is one of
the formats below, and its bytes and its declared pixels are within bounds. A decoder still compares the declared size
with the decoded one. Formats: PNG, JPEG (ITU-T T.81), GIF (its first picture), BMP with 24 or 32 bits, WebP
(RFC 9649) without animation.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from interestrec.io.schemas import PICTURE_BROKEN, PICTURE_NONE, PICTURE_OK, PICTURE_TOO_LARGE

MAX_PICTURE_BYTES = 32 << 20
MAX_PICTURE_PIXELS = 50_000_000
_MAX_PROPORTION = 100  # of the longer to the shorter side, which a preparation keeps; beyond, a line
_MAX_SCANS = 100  # of a progressive JPEG; each one is a pass over all pixels, and usual files have ten
_SIZELESS_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those left out are tables and extensions
_SCAN_MARKER = 0xDA
_MARKER_IN_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # data have 0xff before 0 and restart markers only


class PictureHeader(NamedTuple):
    """What the first bytes of a picture declare."""

    format: str  # png, jpeg, gif, bmp or webp
    width: int  # pixels
    height: int


def picture_status(content: bytes) -> str:
    """Return `ok`, or the reason for which a picture is not decoded: a word of schemas.PICTURE_STATUSES."""
    if len(content) > MAX_PICTURE_BYTES:
        return PICTURE_TOO_LARGE
    if picture_format(content) is None:
        return PICTURE_NONE
    header = read_picture_header(content)
    if header is None:
        return PICTURE_BROKEN
    short, long = sorted(header[1:])
    return PICTURE_OK if short * long <= MAX_PICTURE_PIXELS and long <= _MAX_PROPORTION * short else PICTURE_TOO_LARGE


def picture_format(content: bytes) -> str | None:
    """Return the format by the signature; None if the bytes are no picture of a known format, or empty."""
    for name, (signature, _) in _FORMATS.items():
        if content.startswith(signature):
            return name if name != "webp" or content[8:12] == b"WEBP" else None
    return None


def read_picture_header(content: bytes) -> PictureHeader | None:
    """Return what a picture declares; None if its header is damaged or of no known format.

    Time and memory do not depend on the declared size.
    """
    name = picture_format(content)
    if name is None:
        return None
    try:
        size = _FORMATS[name][1](content)
    except (struct.error, IndexError):  # it ends within the header
        return None
    return PictureHeader(name, *size) if size is not None and min(size) > 0 else None


def first_frame(content: bytes) -> bytes | None:
    """Return a GIF with its first picture only; None if it ends before the end of that picture.

    An animation would otherwise be decoded whole, and the later pictures have no bound.
    """
    position = 13 + _gif_table_bytes(content[10])
    while content[position : position + 1] == b"!":  # extensions
        position = _end_of_blocks(content, position + 2)
    if content[position : position + 1] != b"," or position + 11 > len(content):
        return None
    end = _end_of_blocks(content, position + 11 + _gif_table_bytes(content[position + 9]))
    return content[:end] + b";" if end <= len(content) else None


def _end_of_blocks(content: bytes, position: int) -> int:
    """Return the position behind a row of sub-blocks; one behind the content if it ends before them."""
    while position < len(content) and content[position]:
        position += 1 + content[position]
    return position + 1 if position < len(content) else len(content) + 1


def _gif_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _png_size(content: bytes) -> tuple[int, int] | None:
    length, kind, width, height = struct.unpack_from(">I4sII", content, 8)
    return (width, height) if (length, kind) == (13, b"IHDR") and max(width, height) < 1 << 31 else None


def _gif_size(content: bytes) -> tuple[int, int] | None:
    """Return the larger of the screen and the first picture in both directions: either is allocated."""
    if content[4:6] not in (b"7a", b"9a"):
        return None
    frame = first_frame(content)
    if frame is None:
        return None
    position = 13 + _gif_table_bytes(content[10])
    while content[position] == ord("!"):
        position = _end_of_blocks(content, position + 2)
    screen = struct.unpack_from("<HH", content, 6)
    left, top, width, height = struct.unpack_from("<HHHH", content, position + 1)
    if not min(*screen, width, height):
        return None
    return max(screen[0], left + width), max(screen[1], top + height)


def _bmp_size(content: bytes) -> tuple[int, int] | None:
    """Return the size; None also for palettes, packed rows and the header of OS/2, which are not decoded."""
    header, width, height, _, bits, packing = struct.unpack_from("<IiiHHI", content, 14)
    if header < 40 or (bits, packing) not in ((24, 0), (32, 0), (32, 3)):
        return None
    return width, abs(height)  # below 0: the rows go downwards


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Return the size; None also for animations, in whose decoding TensorFlow 2.21 writes past its memory."""
    kind = content[12:16]
    if kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and content[20] == 0x2F:
        bits = struct.unpack_from("<I", content, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and not content[20] & 0x02:
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", content, 24)
        return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    size, _ = _jpeg_start(content)
    return size


def jpeg_data_ends(content: bytes) -> list[int]:
    """Return the position behind the data of each scan of a JPEG with a good header."""
    _, position = _jpeg_start(content)
    ends = []
    while marker := _MARKER_IN_DATA.search(content, position):
        position = marker.start()
        ends.append(position)
        while content[position : position + 1] == b"\xff" and content[position + 1 : position + 2] not in b"\xda\xd9":
            length = int.from_bytes(content[position + 2 : position + 4], "big")  # of a table between two scans
            position += 2 + max(length, 2)
        if content[position : position + 2] != b"\xff\xda":
            return ends
        position += 2
    return [*ends, len(content)]


def _jpeg_start(content: bytes) -> tuple[tuple[int, int] | None, int]:
    """Follow the segments, past previews that some embed: the size, and the position of the first scan."""
    size, position = None, 2
    while content[position] == 0xFF:
        while content[position] == 0xFF:  # fill bytes
            position += 1
        marker = content[position]
        position += 1
        if marker in _SIZELESS_MARKERS:
            continue
        if marker == _SCAN_MARKER:
            return size if content.count(b"\xff\xda") <= _MAX_SCANS else None, position
        (length,) = struct.unpack_from(">H", content, position)
        if length < 2 or (marker in _FRAME_MARKERS and size is not None):
            break
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", content, position + 3)
            size = width, height
        position += length
    return None, position


_FORMATS: dict[str, tuple[bytes, Callable[[bytes], tuple[int, int] | None]]] = {
    "png": (b"\x89PNG\r\n\x1a\n", _png_size),
    "jpeg": (b"\xff\xd8\xff", _jpeg_size),
    "gif": (b"GIF8", _gif_size),
    "bmp": (b"BM", _bmp_size),
    "webp": (b"RIFF", _webp_size),
}
