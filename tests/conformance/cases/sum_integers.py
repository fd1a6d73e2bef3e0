"""MEAN, SUM and REDUCE_PROD of quantised integers: axes, scales, zero points, saturation.

REF computes SUM of int8 and int16 as if of uint8; the optimised kernels count, which multiply in floats.
"""

import numpy as np
from model import Graph

from ..case import Case
from .pool_integers import spread

AXES = [
    ((7,), [0]),
    ((3, 5), [1]),
    ((3, 5), [0]),
    ((2, 7, 5, 8), [1, 2]),
    ((2, 7, 5, 6), [2, 1]),
    ((1, 7, 7, 1280), [1, 2]),
    ((2, 29, 11, 37), [3]),
    ((2, 29, 11, 37), [0, 2]),
    ((2, 3, 5, 4), [-1, 0, -1]),
    ((2, 3, 5, 4), [0, 1, 2, 3]),
    ((2, 3, 4, 5, 6), [0, 2, 4]),
    ((1, 1, 300, 200), [1, 2]),
    ((1, 70000), [1]),
    ((4, 1, 1, 8), [1, 2]),
]
SCALES = [(0.5, 0.5), (0.1, 0.03), (0.03, 0.1), (1.0, 2.0), (1e-6, 1e-3), (1e3, 1.0), (0.7, 0.2)]
ZEROS = {
    "int8": [(3, -5), (-128, 127), (127, -128)],
    "uint8": [(130, 100), (0, 255), (255, 0)],
    "int16": [(0, 0)],
}


def reduce(operator, dtype, shape, axes, scales, zeros, keep_dims, follows=(), integers="reference", **case):
    """One node."""
    options = {"integers": integers} if integers != "reference" else {}
    label = f" {integers}" if integers != "reference" else ""
    g = Graph(f"{operator} {dtype} {list(shape)} over {axes} {scales} {zeros}, keep {keep_dims}{label}")
    x = spread(g, shape, dtype, (scales[0], zeros[0], 0))
    y = g.op(
        operator,
        x,
        g.const(np.int32(axes)),
        keep_dims=keep_dims,
        dtype=dtype,
        quantisation=(scales[1], zeros[1], 0),
    )
    g.output(y)
    # tflite-runtime 2.14 has no SUM of int16.
    oldest = integers == "reference" and (operator, dtype) != ("SUM", "int16")
    return Case(g, oldest=oldest, exact=True, follows=follows, options=options, **case)


def cases():
    """Axes, then scales and zero points, in every type, for both options."""
    for operator in ("MEAN", "SUM"):
        for dtype, zeros in ZEROS.items():
            plain = ("plain",) if operator == "MEAN" or dtype == "uint8" else ("optimised",)
            modes = [(plain, "reference")]
            if dtype != "int16":
                modes.append((("default",), "xnnpack"))
            for follows, integers in modes:
                options = {"follows": follows, "integers": integers}
                for keep_dims, (shape, axes) in enumerate(AXES):
                    scales = (0.1, 0.03 if operator == "MEAN" else 4.0)
                    yield reduce(
                        operator, dtype, shape, axes, scales, zeros[0], bool(keep_dims % 2), **options
                    )
                for scales in SCALES:
                    for pair in zeros:
                        yield reduce(operator, dtype, (5, 4, 12), [1], scales, pair, False, **options)
                        yield reduce(operator, dtype, (40, 3), [1], scales, pair, True, **options)
    for dtype, zeros in ZEROS.items():
        for operator in ("MEAN", "SUM", "REDUCE_PROD"):
            if dtype == "uint8" and operator == "REDUCE_PROD":
                continue
            follows = ("optimised",) if operator == "SUM" and dtype != "uint8" else ()
            kind = (dtype, (2, 7, 5, 8), [1, 2], (0.1, 0.2), zeros[0], False)
            resizes = [[(1, 3, 4, 8)], [(2, 9, 1, 8)], [(2, 3, 3, 5)], [(0, 3, 3, 8)]]
            # The others leave the result of nothing as it was.
            if operator != "REDUCE_PROD" and not follows:
                resizes.append([(2, 0, 3, 8)])
            yield reduce(operator, *kind, follows=follows, resizes=resizes)
    for dtype in ("int8", "int16"):
        for scales, n in (
            ((0.05, 0.01), 3),
            ((0.5, 0.3), 4),
            ((1e-3, 1e-6), 2),
            ((0.02, 1e-4), 5),
            ((1.0, 9.0), 3),
        ):
            for pair in ZEROS[dtype]:
                yield reduce("REDUCE_PROD", dtype, (n, 37), [0], scales, pair, False)
                yield reduce("REDUCE_PROD", dtype, (3, n, 2, 5), [1, -2], scales, pair, True)
        for shape, axes in AXES[:5] + AXES[6:11]:
            if np.prod([shape[a] for a in axes]) < 100:
                yield reduce("REDUCE_PROD", dtype, shape, axes, (0.01, 0.02), ZEROS[dtype][0], True)
