"""Where the pictures of items are, as a field of the configuration says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from interestrec.core.errors import ConfigError, InputMissingError
from interestrec.corpus.item_settings import ImageField
from interestrec.io import files
from interestrec.io.picture_sources import PictureFiles, PictureSource, picture_column

_ID, _PICTURE = "item_id", "image"  # columns of a file of pictures
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})


def picture_source(field: ImageField, root: Path, items: pa.Table) -> PictureSource:
    """Return the pictures of items, in their order.

    Args:
        root: `data.root`.
        items: with the column of paths that the field reads, unless it reads a file.

    Raises:
        ConfigError: the column does not hold words.
        InputMissingError, DataError, ArtifactError: the file is missing or none of pictures, see `picture_column`.
    """
    if field.file is not None:
        return picture_column(root / field.file, _ID, _PICTURE, items["item_id"].to_pylist())
    column = items[field.source]
    if not pa.types.is_string(column.type):
        raise ConfigError(
            f"the field '{field.name}' needs a column of paths, but '{field.source}' holds {column.type}; name another"
        )
    return PictureFiles(root / field.directory, column.to_pylist())


def pictures_digest(field: ImageField, root: Path) -> str:
    """Return the SHA-256 of the names and contents of all pictures that a field may read.

    Raises:
        InputMissingError: the file or the directory is missing.
    """
    if field.file is not None:
        return files.sha256_of(root / field.file)
    home = root / field.directory
    if not home.is_dir():
        raise InputMissingError(f"{home}: no directory of pictures; correct items.fields.<n>.directory")
    paths = sorted(path for path in home.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    with ThreadPoolExecutor() as pool:
        digests = pool.map(files.sha256_of, paths)
        return files.sha256_of_json({str(path.relative_to(home)): d for path, d in zip(paths, digests, strict=True)})
