"""DEPTH_TO_SPACE and SPACE_TO_DEPTH: block sizes and awkward depths."""

from model import Graph

from ..case import Case

TABLE = [((1, 1, 1, 4), 2), ((1, 3, 5, 4), 2), ((2, 3, 5, 12), 2), ((1, 7, 7, 16), 2), ((1, 3, 5, 27), 3),
         ((3, 2, 3, 80), 4), ((1, 14, 14, 128), 2), ((1, 4, 4, 64), 8)]  # fmt: skip


def cases():
    """The table, and back from each result."""
    for (n, h, w, c), block in TABLE:
        g = Graph(f"DEPTH_TO_SPACE {[n, h, w, c]} by {block}")
        g.output(g.op("DEPTH_TO_SPACE", g.input(n, h, w, c), block_size=block))
        yield Case(g)
        shape = [n, h * block, w * block, c // block**2]
        g = Graph(f"SPACE_TO_DEPTH {shape} by {block}")
        g.output(g.op("SPACE_TO_DEPTH", g.input(*shape), block_size=block))
        yield Case(g)
