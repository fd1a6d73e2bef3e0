"""Writes the models of the C API's tests.

    models.py [FOLDER]

They are small and kept in the repository beside this script, so that those tests need no Python.
"""

import pathlib
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python"))
import model  # noqa: E402

model.DTYPES |= {"float64": schema.TensorType.FLOAT64}


def add(g, a, b, **options):
    """A node a + b."""
    return g.op("ADD", a, b, **options)


def mul(g, a, b, **options):
    """A node a * b."""
    return g.op("MUL", a, b, **options)


def through_cpu(g, x):
    """A node pair that no GPU takes: to float64 and back."""
    return g.op("CAST", g.op("CAST", x, dtype="float64"))


def static():
    """relu(a + b) * [0.5, 1, 1.5, 2], of float[1,2,3,4]."""
    g = model.Graph("static")
    a, b = g.input(1, 2, 3, 4), g.input(1, 2, 3, 4)
    g.output(mul(g, add(g, a, b, activation="RELU"), g.const(np.float32([0.5, 1, 1.5, 2]))))
    return g.build()


def small():
    """The transpose of int8[3,5]: 15 bytes."""
    g = model.Graph("small")
    x = g.input(3, 5, dtype="int8", high=100)
    g.output(g.op("TRANSPOSE", x, g.const(np.int32([1, 0])), dtype="int8"))
    return g.build()


def dynamic():
    """(a + b) * 2, of float[-1,6]."""
    g = model.Graph("dynamic")
    a, b = g.input(1, 6), g.input(1, 6)
    g.output(mul(g, add(g, a, b), g.const(np.float32([2]))))
    return g.build([(3, 6), (3, 6)])


def shaped():
    """A tensor of `shape`, full of x * 2, plus 1; the shape is known only while the model runs."""
    g = model.Graph("shaped")
    x, shape = g.input(), g.input(2, dtype="int32")
    full = g.op("FILL", shape, add(g, x, x))
    y = add(g, full, g.const(np.float32([1])))
    g.output(y)
    for t in (full, y):
        g.tensors[t].shape, g.tensors[t].shapeSignature = [1, 1], [-1, -1]
    return g._pack()


def halves():
    """(x + w) by way of the CPU times w, of float[1,4]; w = [1, 2, 3, 4] is stored as float16."""
    g = model.Graph("halves")
    x = g.input(1, 4)
    w = g.op("DEQUANTIZE", g.const(np.float16([[1, 2, 3, 4]])))
    g.output(mul(g, through_cpu(g, add(g, x, w)), w))
    return g.build()


def shared():
    """The sum x + w, and w by way of the CPU, of float[1,4]; w as in halves."""
    g = model.Graph("shared")
    x = g.input(1, 4)
    w = g.op("DEQUANTIZE", g.const(np.float16([[1, 2, 3, 4]])))
    g.output(add(g, x, w), through_cpu(g, w), w)
    return g.build()


def branches():
    """The sum x + x, times 3 plus 1 if the first input is true, else times -1; of float[1,4]."""
    main, then, other = model.Graph("main"), model.Graph("then"), model.Graph("else")
    condition, x = main.input(dtype="bool"), main.input(1, 4)
    doubled = add(main, x, x)
    x = then.input(1, 4)
    then.output(add(then, mul(then, x, then.const(np.float32([3]))), then.const(np.float32([1]))))
    x = other.input(1, 4)
    other.output(mul(other, x, other.const(np.float32([-1]))))
    node = schema.OperatorT(
        inputs=[condition, doubled],
        builtinOptionsType=schema.BuiltinOptions.IfOptions,
        builtinOptions=schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=2),
    )
    main.output(main._node(node, 1, "float32", (schema.BuiltinOperator.IF, None, 1)))
    return merge(main, then, other)


def merge(*graphs):
    """One model of several subgraphs, whose tensors all have the shape [1,4] or are what they say."""
    codes, buffers, subgraphs = [], [schema.BufferT()], []
    for g in graphs:
        for node in g.nodes:
            code = g.codes[node.opcodeIndex]
            if code not in codes:
                codes.append(code)
            node.opcodeIndex = codes.index(code)
        for t in g.tensors:
            if t.buffer:
                buffers.append(g.buffers[t.buffer])
                t.buffer = len(buffers) - 1
            elif len(t.shape) == 0 and t.type != schema.TensorType.BOOL:
                t.shape = [1, 4]
        subgraphs.append(
            schema.SubGraphT(
                tensors=g.tensors, inputs=g.inputs, outputs=g.outputs, operators=g.nodes, name=g.name
            )
        )
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=c, builtinCode=c, version=v) for c, _, v in codes]
    whole = schema.ModelT(version=3, operatorCodes=codes, subgraphs=subgraphs, buffers=buffers)
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main():
    """Writes every model."""
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for build in (static, small, dynamic, shaped, halves, shared, branches):
        (folder / f"{build.__name__}.tflite").write_bytes(build())


if __name__ == "__main__":
    main()
