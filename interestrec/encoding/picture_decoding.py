"""Decoding of checked pictures by TensorFlow."""

import itertools

from interestrec.io.picture_headers import first_frame, jpeg_data_ends, picture_status, read_picture_header
from interestrec.io.schemas import PICTURE_OK
from interestrec.model.backend import tf


def decode_picture(content: bytes) -> tf.Tensor | None:
    """Decode a picture, uint8 [height, width, 3]; None if it is damaged, or not of the size that it declares.

    Transparency is dropped, an animation gives its first picture, and the orientation that a camera noted is ignored,
    as the usual preparations do. What `picture_status` refuses is not decoded, which bounds the memory.
    """
    header = read_picture_header(content)
    if header is None or picture_status(content) != PICTURE_OK:
        return None
    try:
        picture = _DECODERS[header.format](content)
    except tf.errors.OpError:
        return None
    if picture is None or tuple(picture.shape) != (header.height, header.width, 3):
        return None
    return picture


_FILLER = bytes.fromhex("55aa3cc3") * 16  # data of no picture
_GREYS = ((128, 128, 128), (64, 64, 64))  # which stand for missing data; the second where four colours are printed


def _decode_jpeg(content: bytes) -> tf.Tensor | None:
    """Decode a JPEG; None if it has fewer data than its size needs.

    The decoder replaces missing data by grey and does not tell. Data behind the last pixel of a scan change nothing, so
    a picture that ends grey, and that more data change, was short of them. The second decoding prints a warning, so
    only such pictures have one.
    """
    picture = _decode_jpeg_data(content)
    if tuple(picture[-1, -1].numpy().tolist()) not in _GREYS:
        return picture
    bounds = [0, *jpeg_data_ends(content), len(content)]
    longer = _FILLER.join(content[start:end] for start, end in itertools.pairwise(bounds))
    return picture if tf.reduce_all(picture == _decode_jpeg_data(longer)) else None


def _decode_jpeg_data(content: bytes) -> tf.Tensor:
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_gif(content: bytes) -> tf.Tensor:
    return tf.io.decode_gif(first_frame(content))[0]


def _decode_bmp(content: bytes) -> tf.Tensor:
    return tf.io.decode_bmp(content)[..., :3]


def _decode_webp(content: bytes) -> tf.Tensor:
    return tf.io.decode_webp(content, channels=3)[0]


_DECODERS = {
    "png": lambda content: tf.io.decode_png(content, channels=3),
    "jpeg": _decode_jpeg,
    "gif": _decode_gif,
    "bmp": _decode_bmp,
    "webp": _decode_webp,
}
