"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR under the three conventions for pixel centres."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, new height and width
TABLE = [
    ((1, 1, 1, 1), 1, 1),
    ((1, 1, 1, 3), 4, 5),
    ((1, 4, 4, 4), 8, 8),
    ((1, 6, 6, 256), 12, 12),
    ((3, 7, 5, 3), 14, 10),
    ((2, 7, 5, 6), 13, 11),
    ((1, 13, 11, 5), 7, 5),
    ((1, 12, 12, 8), 5, 7),
    ((1, 12, 12, 8), 1, 1),
    ((1, 2, 3, 37), 29, 31),
    ((1, 9, 7, 2), 9, 7),
    ((1, 5, 1, 4), 3, 6),
]
CONVENTIONS = {
    "plain": {},
    "corners": {"align_corners": True},
    "half pixel": {"half_pixel_centers": True},
}


def cases():
    """The table for both operators and each convention."""
    for operator in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        for convention, options in CONVENTIONS.items():
            for shape, h, w in TABLE:
                g = Graph(f"{operator} {list(shape)} to {h}x{w} {convention}")
                g.output(g.op(operator, g.input(*shape), g.const(np.int32([h, w])), version=3, **options))
                yield Case(g)
