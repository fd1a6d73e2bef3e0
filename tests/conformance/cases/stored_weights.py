"""DEQUANTIZE of fp16 constants and DENSIFY of sparse ones, which are computed once, ahead of time."""

from model import Graph

from ..case import Case


def pruned(g, *shape, keep=0.4, block=None):
    """Random numbers most of which are zero, in blocks of these sizes."""
    x = g.normal(*shape)
    grain = [n // b for n, b in zip(shape, block or (1,) * len(shape))]
    mask = g.random.random(grain) < keep
    for axis, b in enumerate(block or ()):
        mask = mask.repeat(b, axis)
    return x * mask


def cases():
    """A constant used by an ADD, in each way to store it."""
    for shape in ((1,), (37,), (3, 5), (2, 3, 5, 7)):
        g = Graph(f"fp16 {list(shape)}")
        g.output(
            g.op(
                "ADD",
                g.input(*shape),
                g.op("DEQUANTIZE", g.weights(*shape, scale=1, dtype="float16"), version=3),
            )
        )
        yield Case(g)
    sparse = {
        "last dimension compressed": lambda g: g.sparse(pruned(g, 16, 1, 1, 24)),
        "300 columns": lambda g: g.sparse(pruned(g, 8, 300)),
        "70000 values": lambda g: g.sparse(pruned(g, 300, 400, keep=0.7)),
        "two dimensions compressed": lambda g: g.sparse(pruned(g, 9, 7, keep=0.2), formats="ss"),
        "columns first": lambda g: g.sparse(pruned(g, 9, 7), order=(1, 0)),
        "blocks of 4x4": lambda g: g.sparse(
            pruned(g, 16, 12, block=(4, 4)), order=(0, 1, 2, 3), blocks=((0, 4), (1, 4)), formats="dsdd"
        ),
        "blocks of 1x4": lambda g: g.sparse(
            pruned(g, 5, 1, 1, 16, block=(1, 1, 1, 4)),
            order=(0, 1, 2, 3, 4),
            blocks=((3, 4),),
            formats="dddsd",
        ),
        "nothing left out": lambda g: g.sparse(g.normal(4, 6)),
        "fp16": lambda g: g.sparse(pruned(g, 16, 1, 1, 24).astype("float16")),
    }
    for text, make in sparse.items():
        g = Graph(f"sparse, {text}")
        constant = make(g)
        half = text == "fp16"
        dense = g.op("DENSIFY", constant, dtype="float16" if half else "float32")
        dense = g.op("DEQUANTIZE", dense, version=3) if half else dense
        g.output(g.op("ADD", g.input(*(int(n) for n in g.tensors[constant].shape)), dense))
        yield Case(g)
