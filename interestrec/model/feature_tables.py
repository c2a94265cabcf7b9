"""Tables of learned vectors of features: their widths and shapes."""

from math import prod

from interestrec.corpus.feature_codes import FeatureShape

NARROW_WIDTH = 64
_NARROW_FROM = 10_000  # rows of a table times the columns that share it, above which its vectors are narrow


def table_width(size: int, shared: int, width: int) -> int:
    """Return the width of the vectors in a table of `size` rows, of which an entity reads `shared`.

    Every step reads and writes the whole table, its gradient and Adam's two moments, and `shared` rows per entity.
    Vectors of a large table, such as one of ids, are therefore narrow and mapped to the width by a matrix.
    """
    return min(NARROW_WIDTH, width) if size * shared > _NARROW_FROM else width


def table_shapes(shape: FeatureShape, width: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a feature by name."""
    shapes: dict[str, tuple[int, ...]] = {}
    for column, size in enumerate(shape.sizes):
        inner = table_width(size, shape.shared, width)
        shapes[f"{shape.name}_{column}"] = (size, inner)
        if inner < width:
            shapes[f"{shape.name}_{column}_map"] = (inner, width)
    if shape.dense:
        shapes[f"{shape.name}_kernel"] = (shape.dense, width)
    return shapes


def cells(shape: FeatureShape, width: int) -> int:
    """Return the number of weights of a feature."""
    return sum(prod(sizes) for sizes in table_shapes(shape, width).values())
