"""RESIZE_BILINEAR of integers by the rules of the reference kernels and of XNNPACK.

Left out are sizes whose scale, rounded to 1024ths, leads the reference kernels out of the image, where they
read.
"""

import numpy as np
from model import Graph

from ..case import Case
from .pool_integers import QUANTISATIONS, spread
from .resize import CONVENTIONS, TABLE

FURTHER = [((1, 33, 17, 3), 100, 7), ((1, 3, 4, 4), 250, 310), ((1, 224, 200, 1), 31, 30)]


def cases():
    """The tables in every type and convention; ends of the range; a size that follows from shapes."""
    for dtype, quantisations in QUANTISATIONS.items():
        q = quantisations[0]
        info = np.iinfo(dtype)
        for integers in ("reference",) if dtype == "int16" else ("reference", "xnnpack"):
            follows = ("default",) if integers == "xnnpack" else ()
            kind = {
                "oldest": integers == "reference",
                "exact": True,
                "follows": follows,
                "options": {"integers": integers} if integers != "reference" else {},
            }
            for convention, options in CONVENTIONS.items():
                node = {"dtype": dtype, "quantisation": q, "version": 3, **options}
                for shape, h, w in TABLE + FURTHER:
                    g = Graph(f"RESIZE_BILINEAR {dtype} {list(shape)} to {h}x{w} {convention} {integers}")
                    x = spread(g, shape, dtype, q)
                    g.output(g.op("RESIZE_BILINEAR", x, g.const(np.int32([h, w])), **node))
                    yield Case(g, **kind)
                g = Graph(f"RESIZE_BILINEAR {dtype} ends of the range {convention} {integers}")
                x = g.random.choice([info.min, info.max], (1, 9, 8, 5)).astype(dtype)
                size = g.const(np.int32([31, 22]))
                g.output(
                    g.op("RESIZE_BILINEAR", g.input(*x.shape, dtype=dtype, quantisation=q), size, **node)
                )
                yield Case(g, values=[x], **kind)
            g = Graph(f"RESIZE_BILINEAR {dtype} of other sizes later on {integers}")
            x = spread(g, (1, 5, 7, 4), dtype, q)
            g.output(g.op("RESIZE_BILINEAR", x, g.const(np.int32([9, 6])), dtype=dtype, quantisation=q))
            yield Case(g, [[(2, 3, 7, 4)], [(1, 12, 12, 4)], [(0, 5, 7, 4)]], **kind)
