"""Makes a model wrong, or odd, in one to three places.

`mutant(data, random)` gives the bytes of another model and what was done to it.  The same bytes and the same
`random.Random` give the same mutant.  Mutations are listed with their weights in `MUTATIONS`; each changes
the parsed model and says what it did, or gives None where the model has nothing of its kind.
"""

import copy

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SMALL = (0, -1, 1, 2, 3, 4, 5, 7, -2, 8, 9, 16, 33)
LARGE = (255, 65535, 65536, 1 << 20, 1 << 24, 1 << 30, (1 << 31) - 1, -(1 << 31), -100, 100)
FLOATS = (0.0, -0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e30, 1e-30, 1e-40, 3e38)
# int32 words, which are float32 ones too: NaN, infinities, the largest float and the smallest.
WORDS = (0x7FC00000, 0x7F800000, -8388608, 0x7F7FFFFF, 1, -1, 0, (1 << 31) - 1, -(1 << 31))
WHOLE = (schema.TensorType.INT32, schema.TensorType.INT64)


def load(data):
    """The model as objects."""
    return schema.ModelT.InitFromPackedBuf(data, 0)


def pack(model):
    """The bytes of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def listed(vector):
    """A vector of the schema as a list."""
    return [] if vector is None else [int(n) for n in vector]


def number(random):
    """A size, mostly a small one."""
    return random.choice(SMALL if random.random() < 0.7 else LARGE)


def shape(model, graph, random):
    """One dimension, or the rank."""
    tensor = random.choice(graph.tensors)
    dims, kind = listed(tensor.shape), random.randrange(8)
    if kind < 4 and dims:
        dims[random.randrange(len(dims))] = number(random)
    elif kind == 4:
        dims = dims[: random.randrange(len(dims) + 1)]
    elif kind == 5:
        dims = dims + [random.choice((1, 2, 0, -1))] * random.choice((1, 1, 2, 3, 5, 20))
    elif kind == 6:
        random.shuffle(dims)
    else:
        dims = [random.choice((1, 2, 3, 65536)) for _ in range(random.randrange(9))]
    tensor.shape = dims
    if random.random() < 0.5:
        tensor.shapeSignature = None
    return f"shape {tensor.name} {dims}"


def signature(model, graph, random):
    """Open dimensions."""
    tensor = random.choice(graph.tensors)
    tensor.shapeSignature = [random.choice((-1, n, 0, 5)) for n in listed(tensor.shape)]
    if random.random() < 0.1:
        tensor.shapeSignature.append(-1)
    return f"signature {tensor.name} {tensor.shapeSignature}"


def element_type(model, graph, random):
    """A type that the operator may not know."""
    tensor = random.choice(graph.tensors)
    tensor.type = random.randrange(20)
    return f"type {tensor.name} {tensor.type}"


def all_types(model, graph, random):
    """One type in the place of another throughout, so that the operator may well take it."""
    old, new = random.choice(graph.tensors).type, random.choice((0, 1, 2, 3, 4, 6, 7, 9))
    for tensor in graph.tensors:
        if tensor.type == old and not (tensor.buffer and old in WHOLE):
            tensor.type = new
    return f"types {old} are {new}"


def buffer(model, graph, random):
    """Another tensor's constant, or none."""
    tensor = random.choice(graph.tensors)
    tensor.buffer = random.choice((0, random.randrange(len(model.buffers))))
    return f"buffer {tensor.name} {tensor.buffer}"


def data(model, graph, random):
    """A constant's bytes: too few, too many, none, or with odd values."""
    full = [b for b in model.buffers if b.data is not None and len(b.data)]
    if not full:
        return None
    held = random.choice(full)
    content, kind = np.array(held.data, np.uint8), random.randrange(6)
    if kind == 0:
        content = content[: random.randrange(len(content) + 1)]
    elif kind == 1:
        content = np.append(content, np.zeros(random.choice((1, 4, 100)), np.uint8))
    elif kind == 2:
        content = None
    else:
        words = content[: len(content) // 4 * 4].view(np.int32)
        for _ in range(random.choice((1, 1, 2, 5)) if len(words) else 0):
            words[random.randrange(len(words))] = random.choice(WORDS)
        content = np.append(words.view(np.uint8), content[len(words) * 4 :])
    held.data = content
    return f"data {('short', 'long', 'none')[kind] if kind < 3 else 'odd'}"


def constant(model, graph, random):
    """One number of a short constant of whole numbers: an axis, a size, a padding."""

    def short(tensor):
        content = model.buffers[tensor.buffer].data if tensor.buffer else None
        return content is not None and 0 < len(content) <= 64 and tensor.type in WHOLE

    tensors = [t for t in graph.tensors if short(t)]
    if not tensors:
        return None
    tensor = random.choice(tensors)
    dtype = np.dtype(np.int32 if tensor.type == schema.TensorType.INT32 else np.int64)
    content = np.array(model.buffers[tensor.buffer].data, np.uint8)
    numbers = content[: len(content) // dtype.itemsize * dtype.itemsize].view(dtype)
    if not len(numbers):
        return None
    numbers[random.randrange(len(numbers))] = number(random)
    model.buffers[tensor.buffer].data = numbers.view(np.uint8)
    return f"constant {tensor.name} {numbers.tolist()}"


def inputs(model, graph, random):
    """What a node reads: another tensor, none, its own result, one that does not exist."""
    node, count = random.choice(graph.operators), len(graph.tensors)
    read, kind = listed(node.inputs), random.randrange(7)
    if kind == 3:
        read.append(random.choice((-1, random.randrange(count))))
    elif not read:
        return None
    elif kind == 4:
        read.pop(random.randrange(len(read)))
    else:
        result = (listed(node.outputs) or [-1])[0]
        others = (-1, random.randrange(count), random.randrange(count), -1, -1, result)
        absent = (count, count + 5, -2, (1 << 31) - 1)
        read[random.randrange(len(read))] = random.choice(absent) if kind == 6 else others[kind]
    node.inputs = read
    return f"inputs {read}"


def outputs(model, graph, random):
    """What a node writes: another tensor, one twice, what it reads."""
    node, count = random.choice(graph.operators), len(graph.tensors)
    written, kind = listed(node.outputs), random.randrange(5)
    if kind == 0:
        written.append(random.randrange(count))
    elif not written:
        return None
    elif kind == 1:
        written[random.randrange(len(written))] = random.randrange(count)
    elif kind == 2:
        written.append(written[0])
    elif kind == 3:
        written.pop()
    else:
        written[0] = random.choice([-1, *listed(node.inputs)])
    node.outputs = written
    return f"outputs {written}"


def parameter(model, graph, random):
    """One of an operator's parameters, or all of them gone."""
    nodes = [node for node in graph.operators if node.builtinOptions is not None]
    if not nodes:
        return None
    node = random.choice(nodes)
    if random.random() < 0.05:
        node.builtinOptions, node.builtinOptionsType = None, 0
        return "no parameters"
    fields = sorted(vars(node.builtinOptions))
    if not fields:
        return None
    field = random.choice(fields)
    old = getattr(node.builtinOptions, field)
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, float):
        new = random.choice(FLOATS)
    elif isinstance(old, int):
        new = random.choice((number(random), random.randrange(8), random.randrange(8)))
        if any(word in field.lower() for word in ("padding", "activation", "mode", "type", "format")):
            new = random.choice((new % 128, random.randrange(6)))
    else:
        new = [number(random) for _ in range(random.choice((0, 1, 0 if old is None else len(old), 9)))]
    setattr(node.builtinOptions, field, new)
    return f"parameter {field} {new}"


def code(model, graph, random):
    """Another operator over the same parameters, or another version."""
    held = random.choice(model.operatorCodes)
    if random.random() < 0.5:
        held.version = random.choice((0, -1, 1, 2, 3, 7, 100))
        return f"version {held.version}"
    held.builtinCode = random.randrange(206)
    held.deprecatedBuiltinCode = min(held.builtinCode, 127)
    return f"code {held.builtinCode}"


def order(model, graph, random):
    """Nodes in another order, twice, or missing."""
    nodes, kind = graph.operators, random.randrange(4)
    if kind == 0:
        random.shuffle(nodes)
    elif kind == 1:
        nodes.append(copy.copy(random.choice(nodes)))
    elif kind == 2 and len(nodes) > 1:
        nodes.pop(random.randrange(len(nodes)))
    else:
        nodes.insert(0, copy.copy(random.choice(nodes)))
    return f"order {kind}"


def interface(model, graph, random):
    """The graph's inputs and outputs: more of them, one twice, an input that is an output."""
    count, ins, outs = len(graph.tensors), listed(graph.inputs), listed(graph.outputs)
    kind = random.randrange(6)
    if kind == 0:
        outs = outs + [random.randrange(count)]
    elif kind == 1:
        outs = outs + outs
    elif kind == 2:
        outs = outs + ins
    elif kind == 3:
        ins = ins + [random.randrange(count)]
    elif kind == 4:
        ins = ins[1:]
    else:
        ins = ins + ins[:1]
    graph.inputs, graph.outputs = ins, outs
    return f"interface {ins} {outs}"


def quantisation(model, graph, random):
    """Scales and zero points."""
    tensor = random.choice(graph.tensors)
    dims = listed(tensor.shape) or [1]
    count = max(0, min(random.choice((1, 1, 2, 3, len(dims), dims[-1], dims[0])), 5000))
    scales = [random.choice((*FLOATS, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)) for _ in range(count)]
    zeros = random.choice((count, count, count, 1, 0, count + 1))
    points = [random.choice((0, 0, 0, -128, 127, 255, -1000, (1 << 31) - 1, 1 << 62)) for _ in range(zeros)]
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.float32(scales),
        zeroPoint=np.int64(points),
        quantizedDimension=random.choice((0, 0, 1, 3, -1, 7, (1 << 31) - 1)),
    )
    if random.random() < 0.4:
        tensor.type = random.choice((9, 3, 7))
    return f"quantisation {tensor.name} {scales[:4]} {points[:4]}"


def sparsity(model, graph, random):
    """Traversal, blocks, segments and indices of a sparse constant, which may be dense so far."""
    tensors = [t for t in graph.tensors if t.sparsity is not None] or [t for t in graph.tensors if t.buffer]
    if not tensors:
        return None
    tensor = random.choice(tensors)
    if tensor.sparsity is None:
        rank = len(listed(tensor.shape))
        dims = [dimension(random, n) for n in listed(tensor.shape)]
        tensor.sparsity = schema.SparsityParametersT(traversalOrder=list(range(rank)), dimMetadata=dims)
        return f"sparse {tensor.name}"
    held, kind = tensor.sparsity, random.randrange(3)
    if kind == 0 and held.traversalOrder is not None and len(held.traversalOrder):
        held.traversalOrder = listed(held.traversalOrder)
        held.traversalOrder[random.randrange(len(held.traversalOrder))] = random.choice(
            (0, 1, -1, 7, 1 << 30)
        )
    elif kind == 1:
        held.blockMap = [random.choice((0, 1, 2, -1, 9)) for _ in range(random.randrange(4))]
    elif held.dimMetadata:
        at = random.randrange(len(held.dimMetadata))
        held.dimMetadata[at] = dimension(random, random.choice((1, 2, 3)))
    return f"sparsity {tensor.name}"


def dimension(random, size):
    """The metadata of one dimension, dense or compressed."""
    if random.random() < 0.6:
        size = random.choice((size, size, number(random)))
        return schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=size)

    def vector():
        count = random.choice((0, 1, 2, 3, 17))
        return schema.Int32VectorT(values=np.int32([random.choice(SMALL) for _ in range(count)]))

    kind = schema.SparseIndexVector.Int32Vector
    return schema.DimensionMetadataT(
        format=schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=kind,
        arraySegments=vector(),
        arrayIndicesType=kind,
        arrayIndices=vector(),
    )


def variable(model, graph, random):
    """A tensor that keeps its value from one run to the next."""
    tensor = random.choice(graph.tensors)
    tensor.isVariable = True
    return f"variable {tensor.name}"


def name(model, graph, random):
    """A name that a careless printer chokes on."""
    tensor = random.choice(graph.tensors)
    tensor.name = random.choice((None, "", "\x1b[31m%s%n%n\n\t" * 3, "x" * 100_000))
    return "name"


MUTATIONS = {
    shape: 3,
    signature: 1,
    element_type: 2,
    all_types: 3,
    buffer: 1,
    data: 6,
    constant: 5,
    inputs: 2,
    outputs: 1,
    parameter: 9,
    code: 1,
    order: 1,
    interface: 1,
    quantisation: 4,
    sparsity: 1,
    variable: 0.5,
    name: 0.3,
}


def mutant(given, random):
    """The bytes of a mutant and what was changed; None where it cannot be stored."""
    model = load(given)
    graph, said = random.choice(model.subgraphs), []
    if not graph.operators or not graph.tensors:
        return None
    sparse = any(tensor.sparsity is not None for tensor in graph.tensors)
    for _ in range(random.choice((1, 1, 1, 1, 2, 3))):
        (change,) = random.choices(list(MUTATIONS), list(MUTATIONS.values()))
        change = sparsity if sparse and random.random() < 0.4 else change
        said.append(change(model, graph, random))
    try:
        return pack(model), [text for text in said if text]
    except (AttributeError, OverflowError, TypeError, ValueError):
        return None


def settled(given):
    """Whether the model says what each tensor holds: it is read after it was written, and written once.

    An input of the graph that has a constant's content too is neither: TFLite does not tell its delegates.
    """
    model = load(given)
    for graph in model.subgraphs:
        full = {i for i, b in enumerate(model.buffers) if b.data is not None}
        constants = {i for i, t in enumerate(graph.tensors) if t.buffer and t.buffer in full}
        if constants.intersection(listed(graph.inputs)):
            return False
        known = {-1, *listed(graph.inputs), *constants}
        for node in graph.operators:
            written = [t for t in listed(node.outputs) if t != -1]
            if not known.issuperset(listed(node.inputs)) or known.intersection(written):
                return False
            if len(set(written)) != len(written):
                return False
            known.update(written)
        if not known.issuperset(listed(graph.outputs)) or any(t.isVariable for t in graph.tensors):
            return False
        if not all(traversed(t.sparsity) for t in graph.tensors if t.sparsity is not None):
            return False
    return True


def traversed(sparsity):
    """Whether a sparse constant has each dimension once; else the stock kernels write where it has none."""
    order = listed(sparsity.traversalOrder)
    return sorted(order) == list(range(len(order))) == list(range(len(sparsity.dimMetadata or ())))
