"""DEPTH_TO_SPACE: block sizes and awkward depths."""

from ..case import Case
from ..model import Graph

TABLE = [((1, 1, 1, 4), 2), ((1, 3, 5, 4), 2), ((2, 3, 5, 12), 2), ((1, 7, 7, 16), 2), ((1, 3, 5, 27), 3),
         ((3, 2, 3, 80), 4), ((1, 14, 14, 128), 2), ((1, 4, 4, 64), 8)]  # fmt: skip


def cases():
    """The table."""
    for shape, block in TABLE:
        g = Graph(f"{list(shape)} by {block}")
        g.output(g.op("DEPTH_TO_SPACE", g.input(*shape), block_size=block))
        yield Case(g)
