"""PictureInputs: pictures of items as the inputs of a PictureTower."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from interestrec.core.prefetch import prefetch
from interestrec.encoding.picture_vectors import picture_levels
from interestrec.io.picture_sources import PictureBlock, PictureSource
from interestrec.io.schemas import PICTURE_OK
from interestrec.model.picture_preparation import PicturePreparation

_PIXELS_PER_POSITION = 64  # 784 positions of 224 × 224 pixels: three pictures per batch of `text_inputs.batches`


@dataclass(frozen=True)
class PictureInputs:
    """EncoderInputs of pictures, which are read and decoded whenever a batch needs them; none stays in memory."""

    source: PictureSource
    preparation: PicturePreparation
    items: np.ndarray  # row in items.parquet of each input, int64 [inputs]
    digests: Sequence[bytes]  # `picture_key` of each input; empty where the item has no picture

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> np.ndarray:
        """Positions, equal for all pictures and 0 where there is none, int64 [inputs]."""
        positions = -(-(self.preparation.size**2) // _PIXELS_PER_POSITION)
        return np.array([positions if digest else 0 for digest in self.digests], np.int64)

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: levels uint8 [rows, size, size, 3], and mask float32 [rows, length].

        The mask of a picture is 1 at all positions, or 0 with levels of 0 if it does not decode.

        Raises:
            DataError: a picture has changed since it was checked.
            AccessError, StorageError, ArtifactError: as `PictureSource.blocks`.
        """
        size = self.preparation.size
        items, first, place = np.unique(self.items[rows], return_index=True, return_inverse=True)
        digest_of = {item: self.digests[rows[n]] for item, n in zip(items.tolist(), first.tolist(), strict=True)}
        number_of = {item: number for number, item in enumerate(items.tolist())}
        levels, decoded = np.zeros((len(items), size, size, 3), np.uint8), np.zeros(len(items), np.float32)

        def read(block: PictureBlock) -> None:
            for item, content in block():
                picture = picture_levels(content, digest_of[item], item, self.preparation)
                if picture is not None:
                    levels[number_of[item]], decoded[number_of[item]] = picture.numpy(), 1.0

        for _ in prefetch(self.source.blocks(items), read):
            pass
        return levels[place], np.repeat(decoded[place, None], length, axis=1)

    def select(self, rows: np.ndarray) -> "PictureInputs":
        """See EncoderInputs."""
        return replace(self, items=self.items[rows], digests=[self.digests[row] for row in rows.tolist()])

    def distinct(self) -> tuple["PictureInputs", np.ndarray]:
        """See EncoderInputs; in order of first appearance."""
        numbers: dict[bytes, int] = {}
        row = np.array([numbers.setdefault(digest, len(numbers)) for digest in self.digests], np.int64)
        return self.select(np.unique(row, return_index=True)[1]), row

    def keys(self) -> list[bytes]:
        """See EncoderInputs."""
        return list(self.digests)


def picture_inputs(pictures: pa.Table, source: PictureSource, preparation: PicturePreparation) -> PictureInputs:
    """Return the pictures of all items.

    Args:
        pictures: table of schemas.PICTURES.
        source: the pictures that the table describes.
    """
    columns = zip(pictures["status"].cast(pa.string()).to_pylist(), pictures["key"].to_pylist(), strict=True)
    digests = [key if status == PICTURE_OK else b"" for status, key in columns]
    return PictureInputs(source, preparation, np.arange(len(digests)), digests)
