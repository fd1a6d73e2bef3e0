"""UNIDIRECTIONAL_SEQUENCE_LSTM, LSTM and SVDF of int8: sizes, orders of time, clips, gates, projections.

Cases run several times, so that states from one run to the next count.
"""

from model import Graph

from ..case import Case
from .pool_integers import spread

# batch, steps, inputs, cells
SIZES = [
    (1, 1, 1, 1),
    (1, 5, 3, 4),
    (2, 4, 5, 7),
    (3, 9, 16, 12),
    (1, 50, 16, 48),
    (2, 3, 33, 130),
    (1, 300, 40, 256),
]


def layer(g, sizes, operator="UNIDIRECTIONAL_SEQUENCE_LSTM", outputs=None, **kind):
    """A node with random weights."""
    batch, steps, inputs, cells = sizes
    sequence = operator != "LSTM"
    outputs_or_cells = outputs or cells
    scale, state, power = kind.pop("scale", 0.01), kind.pop("state", (0.004, -7)), kind.pop("power", -12)
    coupled, zero = kind.pop("coupled", False), kind.pop("zero", 5)
    hidden, peepholes = kind.pop("hidden", state), kind.pop("peepholes", 0)
    shape = ((steps, batch) if kind.get("time_major") else (batch, steps)) if sequence else (batch,)
    x = spread(g, (*shape, inputs), "int8", (0.02, zero, 0))

    def weights(rows, columns):
        return g.const(g.random.integers(-127, 128, (rows, columns)).astype("int8"), (scale, 0, 0))

    def bias(rows, size=3000):
        return g.const(g.random.integers(-size, size, rows).astype("int32"), (scale * 0.02, 0, 0))

    gates = [-1 if coupled and k == 0 else weights(cells, inputs) for k in range(4)]
    gates += [-1 if coupled and k == 0 else weights(cells, outputs_or_cells) for k in range(4)]
    biases = [-1 if coupled and k == 0 else bias(cells) for k in range(4)]
    seen = [-1] * 3
    if peepholes:
        numbers = g.random.integers(-32767, 32768, (3, cells)).astype("int16")
        seen = [-1 if coupled and k == 0 else g.const(n, (peepholes, 0, 0)) for k, n in enumerate(numbers)]
    projection = [weights(outputs, cells), bias(outputs)] if outputs else [-1, -1]
    states = [
        g.variable(batch, outputs_or_cells, dtype="int8", quantisation=(*state, 0)),
        g.variable(batch, cells, dtype="int16", quantisation=(2.0**power, 0, 0)),
    ]
    intermediates = [("int16", (2.0**-12, 0, 0))] * 4 + [("int8", (*hidden, 0))]
    options = {"activation": "TANH", "cell_clip": 0.0, "proj_clip": 0.0} | kind
    return g.op(
        operator,
        x,
        *gates,
        *seen,
        *biases,
        *projection,
        *states,
        *[-1] * 4,
        dtype="int8",
        quantisation=(*state, 0),
        intermediates=intermediates,
        **options,
    )


def case(name, *args, **kind):
    """A model of one layer."""
    g = Graph(name)
    g.output(layer(g, *args, **kind))
    return Case(g, exact=True, stateful=True)


def filters(g, sizes, scales, bias=True, zeros=(3, -9)):
    """An SVDF node; sizes are those of batch, inputs, units, rank and memory."""
    batch, inputs, units, rank, steps = sizes
    x = spread(g, (batch, inputs), "int8", (scales[0], zeros[0], 0))
    feature = g.random.integers(-127, 128, (units * rank, inputs)).astype("int8")
    time = g.random.integers(-32767, 32768, (units * rank, steps)).astype("int16")
    y = g.op(
        "SVDF",
        x,
        g.const(feature, (scales[1], 0, 0)),
        g.const(time, (scales[2], 0, 0)),
        g.const(g.random.integers(-(10**6), 10**6, units).astype("int32"), (1.0, 0, 0)) if bias else -1,
        g.variable(batch, units * rank * steps, dtype="int16", quantisation=(scales[3], 0, 0)),
        rank=rank,
        activation="RELU",
        dtype="int8",
        quantisation=(scales[4], zeros[1], 0),
    )
    g.output(y)
    return g


def cases():
    """One kind of options at a time."""
    for sizes in SIZES:
        yield case(f"sequence {sizes}", sizes)
        yield case(f"sequence {sizes} time first", sizes, time_major=True)
    some = (2, 6, 5, 9)
    for power in (-17, -16, -15, -14, -12, -9, -8):
        yield case(f"cells of 2^{power}", some, power=power)
    for scale in (1e-4, 0.001, 0.05, 0.3):
        yield case(f"weights of {scale}", some, scale=scale)
    for state in ((0.0078125, 0), (0.003, -128), (0.01, 127)):
        yield case(f"states of {state}", some, state=state)
    yield case("clipped cells", some, cell_clip=0.7)
    yield case("coupled gates", some, coupled=True)
    for outputs in (3, 8):
        for hidden in ((0.0078125, 0), (0.005, 9)):
            yield case(f"projection to {outputs} of {hidden}", some, outputs=outputs, hidden=hidden)
    yield case("clipped projection", some, outputs=4, proj_clip=0.3, coupled=True)
    for sizes in SIZES[:6]:
        yield case(f"peepholes {sizes}", sizes, peepholes=1e-4)
        yield case(f"peepholes {sizes} time first", sizes, peepholes=3e-5, time_major=True)
    for scale in (1e-6, 1e-3, 0.1):
        yield case(f"peepholes of {scale}", some, peepholes=scale)
    for power in (-15, -9):
        yield case(f"peepholes from cells of 2^{power}", some, peepholes=1e-4, power=power)
    yield case("peepholes and coupled gates", some, peepholes=1e-4, coupled=True, cell_clip=0.7)
    yield case("peepholes of fewer results than cells", some, peepholes=1e-4, outputs=4)
    yield case("peepholes of a projection", some, peepholes=1e-4, outputs=9, time_major=True)
    yield case("LSTM with peepholes", some[:1] + (1,) + some[2:], "LSTM", peepholes=1e-4)
    for sizes in SIZES[:4]:
        yield case(f"LSTM {sizes}", sizes, "LSTM")
    yield case("LSTM with a projection", some, "LSTM", outputs=5)
    g = Graph("two layers")
    x = layer(g, (1, 7, 6, 8))
    g.output(x, g.op("SOFTMAX", x, dtype="int8", quantisation=(1 / 256, -128, 0), beta=1.0))
    yield Case(g, exact=True, stateful=True)
    scales = (0.02, 0.01, 1e-4, 0.001, 0.05)
    for sizes in ((1, 1, 1, 1, 1), (1, 7, 5, 2, 3), (2, 8, 4, 1, 9), (3, 5, 3, 4, 2), (1, 40, 64, 2, 8)):
        for bias in (True, False):
            g = filters(Graph(f"SVDF {sizes} {'with' if bias else 'without'} bias"), sizes, scales, bias)
            yield Case(g, exact=True, stateful=True)
    for other in ((0.1, 0.2, 1e-3, 1e-4, 0.5), (1e-3, 1e-3, 1e-5, 1e-5, 1e-6), (0.5, 0.5, 1e-4, 0.01, 3.0)):
        for zeros in ((-128, 127), (127, -128)):
            g = filters(Graph(f"SVDF of scales {other} from {zeros}"), (2, 7, 5, 2, 3), other, zeros=zeros)
            yield Case(g, exact=True, stateful=True)
