"""The stock interpreter of whichever host package the running Python has, and what to ask of it."""

import collections

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate
except ModuleNotFoundError as missing:  # the oldest host; a broken ai_edge_litert must not land here
    if missing.name != "ai_edge_litert":
        raise
    from tflite_runtime.interpreter import Interpreter, OpResolverType, load_delegate

__all__ = [
    "Interpreter",
    "OpResolverType",
    "coverage",
    "difference",
    "feed",
    "load_delegate",
    "reference",
    "results",
]

# The stock interpreter's own kernels: plain reference code, optimised code, and that with XNNPACK.
RESOLVERS = {
    "plain": OpResolverType.BUILTIN_REF,
    "optimised": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "default": OpResolverType.AUTO,
}


def reference(model, kernels="plain"):
    """A stock interpreter without our delegate."""
    return Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=RESOLVERS[kernels])


def coverage(it):
    """What a delegate took: nodes, delegated, partitions and the operators left with their number.

    To be asked before allocate_tensors(), where XNNPACK takes its share.  A replaced node stays in the
    interpreter's list, so the nodes of a partition are those from its outputs back to its inputs.
    """
    raw = it._interpreter
    nodes = [
        (raw.NodeName(i), [int(t) for t in raw.NodeInputs(i)], [int(t) for t in raw.NodeOutputs(i)])
        for i in range(raw.NumNodes())
    ]
    partitions = [node for node in nodes if node[0] == "DELEGATE"]
    originals = [node for node in nodes if node[0] != "DELEGATE"]
    maker = {tensor: number for number, node in enumerate(originals) for tensor in node[2]}
    taken = set()
    for _, inputs, outputs in partitions:
        known, wanted = set(inputs), list(outputs)
        while wanted:
            tensor = wanted.pop()
            if tensor not in known and tensor in maker:
                known.add(tensor)
                taken.add(maker[tensor])
                wanted.extend(originals[maker[tensor]][1])
    left = collections.Counter(node[0] for number, node in enumerate(originals) if number not in taken)
    return {
        "nodes": len(originals),
        "delegated": len(taken),
        "partitions": len(partitions),
        "left": dict(left),
    }


def feed(it, inputs, allocated):
    """Give the inputs; allocates where a shape is new, or where nothing is allocated yet."""
    details = it.get_input_details()
    for d, x in zip(details, inputs):
        if tuple(d["shape"]) != x.shape:
            it.resize_tensor_input(d["index"], x.shape)
            allocated = False
    if not allocated:
        it.allocate_tensors()
    for d, x in zip(details, inputs):
        it.set_tensor(d["index"], x)


def results(it):
    """Copies of all outputs."""
    return [np.array(it.get_tensor(d["index"])) for d in it.get_output_details()]


def difference(want, got):
    """The largest error as a share of the largest |wanted value|; for integers 0 or infinity.

    Infinity also for another shape or type, and for a value that is not finite where it should be.
    """
    if want.shape != got.shape or want.dtype != got.dtype:
        return float("inf")
    if want.dtype.kind != "f":
        return 0.0 if np.array_equal(want, got) else float("inf")
    finite = np.isfinite(want)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return float("inf")
    want, got = want[finite].astype(np.float64), got[finite].astype(np.float64)
    largest = np.abs(want).max(initial=0)
    error = np.abs(want - got).max(initial=0)
    return float(error / largest) if largest else (0.0 if error == 0 else float("inf"))
