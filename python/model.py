"""Builds small .tflite models in memory.

    g = Graph("conv with relu")
    x = g.input(1, 8, 8, 3)
    y = g.op("CONV_2D", x, g.weights(4, 3, 3, 3), g.weights(4), padding="SAME", stride_w=1, stride_h=1,
             activation="RELU")
    g.output(y)
    data = g.build()

Tensors are numbers, constants are numpy arrays (float16 arrays become FLOAT16 tensors), options have the
schema's names in snake case.  The shapes that the file states are those that the stock interpreter
computes for it; `build(other_shapes)` lets it compute them again for other input shapes and marks the
dimensions that changed as open (-1).
"""

import os
import re
import zlib

import flatbuffers
import host
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SEED = int(os.environ.get("TFLITE_VULKAN_SEED", "1"))

# Operators that take options: the name of the options table in the schema.
OPTIONS = {
    "ADD": "Add",
    "ARG_MAX": "ArgMax",
    "ARG_MIN": "ArgMin",
    "AVERAGE_POOL_2D": "Pool2D",
    "BATCH_MATMUL": "BatchMatMul",
    "BUCKETIZE": "Bucketize",
    "CAST": "Cast",
    "CONCATENATION": "Concatenation",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "DEPTH_TO_SPACE": "DepthToSpace",
    "DIV": "Div",
    "FULLY_CONNECTED": "FullyConnected",
    "GATHER": "Gather",
    "GELU": "Gelu",
    "L2_NORMALIZATION": "L2Norm",
    "LEAKY_RELU": "LeakyRelu",
    "LSTM": "LSTM",
    "MAX_POOL_2D": "Pool2D",
    "MEAN": "Reducer",
    "MIRROR_PAD": "MirrorPad",
    "MUL": "Mul",
    "ONE_HOT": "OneHot",
    "PACK": "Pack",
    "REDUCE_ALL": "Reducer",
    "REDUCE_ANY": "Reducer",
    "REDUCE_MAX": "Reducer",
    "REDUCE_MIN": "Reducer",
    "REDUCE_PROD": "Reducer",
    "RESHAPE": "Reshape",
    "RESIZE_BILINEAR": "ResizeBilinear",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor",
    "REVERSE_SEQUENCE": "ReverseSequence",
    "SHAPE": "Shape",
    "SOFTMAX": "Softmax",
    "SPACE_TO_DEPTH": "SpaceToDepth",
    "SPLIT": "Split",
    "SPLIT_V": "SplitV",
    "SQUEEZE": "Squeeze",
    "STRIDED_SLICE": "StridedSlice",
    "SUB": "Sub",
    "SUM": "Reducer",
    "SVDF": "SVDF",
    "TRANSPOSE_CONV": "TransposeConv",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
    "UNPACK": "Unpack",
}
OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
# What the resolver of the plain kernels does not know.
NOT_PLAIN = {"CEIL", "Convolution2DTransposeBias", "ELU", "ROUND"}
DTYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "bool": schema.TensorType.BOOL,
}
ENUMS = {
    "padding": schema.Padding,
    "fused_activation_function": schema.ActivationFunctionType,
    "mode": schema.MirrorPadMode,
}


def generator(*key):
    """Random numbers that depend on the suite's seed and on the key alone."""
    return np.random.default_rng([SEED, *(zlib.crc32(str(k).encode()) for k in key)])


def camel(name):
    """stride_w -> strideW, as the schema module spells its fields."""
    return re.sub(r"_(\w)", lambda m: m.group(1).upper(), name)


class Graph:
    """One subgraph that grows by `input`, `const`, `weights`, `op`, `custom` and `output`."""

    def __init__(self, name):
        self.name = name
        self.random = generator(name)
        self.tensors, self.buffers, self.nodes, self.codes = [], [schema.BufferT()], [], []
        self.inputs, self.outputs, self.ranges = [], [], []

    def _tensor(self, shape, dtype, quantisation=None):
        t = schema.TensorT(shape=list(shape), type=DTYPES[str(np.dtype(dtype))], hasRank=True)
        t.name = f"t{len(self.tensors)}"
        if quantisation:
            scales, zeros, axis = quantisation
            t.quantization = schema.QuantizationParametersT(
                scale=np.atleast_1d(np.float32(scales)),
                zeroPoint=np.atleast_1d(np.int64(zeros)),
                quantizedDimension=axis,
            )
        self.tensors.append(t)
        return len(self.tensors) - 1

    def input(
        self, *shape, dtype="float32", signature=None, low=None, high=None, step=None, quantisation=None
    ):
        """An input of the model, fed with normal numbers, or with uniform ones of low..high.

        With a step they are its multiples, without zero: such numbers are the same in 16 bits.  Integers are
        below high.
        """
        t = self._tensor(shape, dtype, quantisation)
        if signature is not None:
            self.tensors[t].shapeSignature = list(signature)
        self.inputs.append(t)
        self.ranges.append(None if low is None else (low, high, step))
        return t

    def variable(self, *shape, dtype="float32", quantisation=None):
        """A tensor that operators write to and that keeps its contents between runs, 0 at first."""
        t = self._tensor(shape, dtype, quantisation)
        self.tensors[t].isVariable = True
        return t

    def const(self, array, quantisation=None):
        """A constant tensor; quantisation is (scales, zero points, axis)."""
        array = np.ascontiguousarray(array)
        t = self._tensor(array.shape, array.dtype, quantisation)
        self.tensors[t].buffer = len(self.buffers)
        self.buffers.append(schema.BufferT(data=np.frombuffer(array.tobytes(), np.uint8)))
        return t

    def nibbles(self, array, quantisation):
        """A constant of 4-bit integers."""
        flat = np.append(np.ravel(array), 0)[: array.size + array.size % 2].astype(np.uint8) & 15
        t = self._tensor(array.shape, "int8", quantisation)
        self.tensors[t].type = schema.TensorType.INT4
        self.tensors[t].buffer = len(self.buffers)
        self.buffers.append(schema.BufferT(data=flat[::2] | flat[1::2] << 4))
        return t

    def weights(self, *shape, scale=None, dtype="float32"):
        """A constant of normal numbers; by default sums over all but the first axis keep the size."""
        return self.const(self.normal(*shape, scale=scale).astype(dtype))

    def normal(self, *shape, scale=None):
        """The numbers of `weights`."""
        scale = 1 / np.sqrt(max(1, np.prod(shape[1:]))) if scale is None else scale
        return (self.random.normal(0, 1, shape) * scale).astype("float32")

    def sparse(self, array, order=None, blocks=(), formats=None):
        """A sparse constant, as DENSIFY takes it.

        order: traversal of the dimensions, then of the block dimensions; blocks: (dimension, size) each;
        formats: "d" dense or "s" compressed for each traversed dimension, by default the last compressed.
        """
        array = np.ascontiguousarray(array)
        whole = [n // dict(blocks).get(d, 1) for d, n in enumerate(array.shape)]
        sizes = whole + [n for _, n in blocks]
        order = list(order or range(len(sizes)))
        formats = formats or "d" * (len(order) - 1) + "s"
        blocked = np.zeros(sizes, array.dtype)
        for at in np.ndindex(*sizes):
            place = list(at[: array.ndim])
            for k, (d, n) in enumerate(blocks):
                place[d] = place[d] * n + at[array.ndim + k]
            blocked[at] = array[tuple(place)]
        dims, values = compress(blocked.transpose(order), formats)
        t = self._tensor(array.shape, array.dtype)
        self.tensors[t].sparsity = schema.SparsityParametersT(
            traversalOrder=order, blockMap=[d for d, _ in blocks] or None, dimMetadata=dims
        )
        self.tensors[t].buffer = len(self.buffers)
        self.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        return t

    def op(
        self,
        name,
        *inputs,
        outputs=1,
        dtype="float32",
        version=1,
        quantisation=None,
        intermediates=(),
        **options,
    ):
        """A builtin operator; -1 is an optional input left out.  Returns its output, or a tuple of them.

        All outputs have the same element type and quantisation.  Intermediates are the element types and
        quantisations of what the operator computes inside.
        """
        node = schema.OperatorT(inputs=list(inputs))
        if intermediates:
            node.intermediates = [self._tensor((0,), dtype, kind) for dtype, kind in intermediates]
        if "activation" in options:
            options["fused_activation_function"] = options.pop("activation")
        if name in OPTIONS:
            node.builtinOptionsType = getattr(schema.BuiltinOptions, OPTIONS[name] + "Options")
            node.builtinOptions = getattr(schema, OPTIONS[name] + "OptionsT")()
        for key, value in options.items():
            if isinstance(value, str):
                value = getattr(ENUMS[key], value)
            getattr(node.builtinOptions, camel(key))  # AttributeError for a misspelt option
            setattr(node.builtinOptions, camel(key), value)
        code = getattr(schema.BuiltinOperator, name)
        return self._node(node, outputs, dtype, (code, None, version), quantisation)

    def custom(self, name, *inputs, shape, options=b"", dtype="float32"):
        """A custom operator with one output of this shape; its options are bytes."""
        node = schema.OperatorT(inputs=list(inputs), customOptions=np.frombuffer(options, np.uint8))
        output = self._node(node, 1, dtype, (schema.BuiltinOperator.CUSTOM, name, 1))
        self.tensors[output].shape = list(shape)
        return output

    def _node(self, node, outputs, dtype, code, quantisation=None):
        if code not in self.codes:
            self.codes.append(code)
        node.opcodeIndex = self.codes.index(code)
        node.outputs = [self._tensor((), dtype, quantisation) for _ in range(outputs)]
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else tuple(node.outputs)

    def output(self, *tensors):
        """Outputs of the model."""
        self.outputs += tensors

    @property
    def operators(self):
        """The names of the operators in it."""
        return {custom or OPERATORS[code] for code, custom, _ in self.codes}

    @property
    def kernels(self):
        """The stock kernels to compare with: the plain ones, unless they lack one of the operators."""
        return "default" if self.operators & NOT_PLAIN else "plain"

    def input_shapes(self):
        """The declared shapes of the inputs."""
        return [tuple(int(n) for n in self.tensors[t].shape) for t in self.inputs]

    def build(self, other_shapes=None, placeholder=False):
        """The bytes of the .tflite file; with a placeholder of 1 for open sizes, as converters write them."""
        shapes = self._infer(self.input_shapes())
        others = self._infer(other_shapes) if other_shapes else shapes
        for t, shape, other in zip(self.tensors, shapes, others):
            if t.buffer == 0:
                t.shape = shape
                signature = [n if n == m else -1 for n, m in zip(shape, other)]
                if -1 in signature and t.shapeSignature is None:
                    t.shapeSignature = signature
                if placeholder and t.shapeSignature is not None:
                    t.shape = [1 if n == -1 else m for n, m in zip(t.shapeSignature, shape)]
        data = self._pack()
        for t, shape in zip(self.tensors, shapes):
            if t.buffer == 0:
                t.shape = shape
        return data

    def _infer(self, input_shapes):
        """The shape of every tensor, by the stock interpreter."""
        it = host.reference(self._pack(), self.kernels)
        for d, shape in zip(it.get_input_details(), input_shapes):
            it.resize_tensor_input(d["index"], shape)
        it.allocate_tensors()
        return [[int(n) for n in it._get_tensor_details(t, 0)["shape"]] for t in range(len(self.tensors))]

    def _pack(self):
        graph = schema.SubGraphT(
            tensors=self.tensors, inputs=self.inputs, outputs=self.outputs, operators=self.nodes, name="main"
        )
        codes = [
            schema.OperatorCodeT(
                deprecatedBuiltinCode=min(code, 127), builtinCode=code, customCode=name, version=version
            )
            for code, name, version in self.codes
        ]
        model = schema.ModelT(
            version=3, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers, description=self.name
        )
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def compress(array, formats):
    """The dimension metadata and the values of an array; "d" means dense, "s" compressed."""
    dims, places = [], [()]  # the places of the tree's nodes at this depth
    for depth, form in enumerate(formats):
        size = array.shape[depth]
        if form == "d":
            dims.append(schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=size))
            places = [p + (i,) for p in places for i in range(size)]
            continue
        children = [[i for i in range(size) if np.any(array[p + (i,)])] for p in places]
        segments = np.cumsum([0] + [len(c) for c in children])
        indices = [i for c in children for i in c]
        dims.append(
            schema.DimensionMetadataT(
                format=schema.DimensionType.SPARSE_CSR,
                arraySegmentsType=index_type(segments[-1]),
                arraySegments=index_vector(segments),
                arrayIndicesType=index_type(size),
                arrayIndices=index_vector(indices, size),
            )
        )
        places = [p + (i,) for p, c in zip(places, children) for i in c]
    return dims, np.array([array[p] for p in places], array.dtype)


def index_type(largest):
    """The narrowest vector type that the converter would take for indices up to this one."""
    kinds = schema.SparseIndexVector
    return (
        kinds.Uint8Vector if largest < 256 else kinds.Uint16Vector if largest < 65536 else kinds.Int32Vector
    )


def index_vector(values, largest=None):
    """The indices as the schema's vector of `index_type`."""
    largest = max(values) if largest is None else largest
    vector, dtype = {
        schema.SparseIndexVector.Uint8Vector: (schema.Uint8VectorT, np.uint8),
        schema.SparseIndexVector.Uint16Vector: (schema.Uint16VectorT, np.uint16),
        schema.SparseIndexVector.Int32Vector: (schema.Int32VectorT, np.int32),
    }[index_type(largest)]
    return vector(values=np.array(values, dtype))
