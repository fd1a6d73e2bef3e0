"""ADD, SUB and MUL: broadcasting of either operand, constants, fused activations, ranks 1 to 6."""

from ..case import Case
from ..model import Graph

# Shapes of the two operands.
PAIRS = [
    ((1,), (1,)),
    ((7,), (7,)),
    ((29,), (1,)),
    ((3, 5), (3, 5)),
    ((3, 5), (5,)),
    ((3, 1), (1, 5)),
    ((2, 3, 7), (3, 7)),
    ((1, 1, 1, 1), (1, 1, 1, 1)),
    ((1, 7, 5, 3), (1, 7, 5, 3)),
    ((1, 7, 5, 3), (3,)),
    ((1, 7, 5, 4), (1, 1, 1, 4)),
    ((2, 29, 11, 37), (2, 29, 11, 37)),
    ((2, 13, 11, 37), (2, 1, 1, 37)),
    ((3, 8, 8, 16), (3, 1, 1, 16)),
    ((3, 8, 8, 16), (1, 8, 8, 1)),
    ((3, 8, 8, 16), (8, 1, 16)),
    ((1, 4, 6, 8), (1, 4, 6, 1)),
    ((1, 4, 6, 8), (1, 1, 6, 8)),
    ((1, 4, 6, 8), ()),
    ((3, 1, 5, 1), (1, 7, 1, 4)),
    ((2, 3, 4, 5, 6), (2, 3, 4, 5, 6)),
    ((2, 3, 4, 5, 6), (1, 3, 1, 5, 1)),
    ((2, 3, 2, 3, 2, 4), (2, 3, 2, 3, 2, 4)),
    ((1, 56, 56, 64), (1, 56, 56, 64)),
]
SIX_WIDE = ((2, 3, 2, 3, 2, 4), (3, 1, 3, 1, 4))  # what SUB and MUL broadcast on a recent host, ADD does not
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def binary(operator, a, b, kinds="vv", activation="NONE", label="", **facts):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    g = Graph(f"{operator} {list(a)} {list(b)}{label}")
    operands = [g.input(*s) if k == "v" else g.weights(*s, scale=1) for s, k in zip((a, b), kinds)]
    g.output(g.op(operator, *operands, activation=activation))
    return Case(g, **facts)


def cases():
    """Shapes for each operator, both ways round, then the other choices."""
    for operator in ("ADD", "SUB", "MUL"):
        pairs = PAIRS if operator == "ADD" else PAIRS[4::3]
        for a, b in pairs:
            yield binary(operator, a, b)
            if a != b:
                yield binary(operator, b, a)
        for a, b in (((1, 7, 5, 3), (1, 7, 5, 3)), ((1, 7, 5, 4), (4,)), ((2, 3, 5, 8), (1,))):
            yield binary(operator, a, b, "vc", label=" constant second")
            yield binary(operator, b, a, "cv", label=" constant first")
        for activation in ACTIVATIONS:
            yield binary(operator, (2, 3, 5, 7), (2, 3, 5, 7), activation=activation, label=f" {activation}")
            yield binary(operator, (2, 3, 5, 8), (8,), "vc", activation, f" constant {activation}")
        g = Graph(f"{operator} of a value with itself")
        x = g.input(1, 5, 7, 6)
        g.output(g.op(operator, x, x, activation="NONE"))
        yield Case(g)
    for operator in ("SUB", "MUL"):
        yield binary(operator, *SIX_WIDE, oldest=False)
