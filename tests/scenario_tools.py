"""What the scenarios of scenarios.py share: interpreters with the delegate, inputs, results, comparisons.

The library and the folder of models are the second and third argument of the program.
"""

import gc
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import host  # noqa: E402

LIBRARY, FOLDER = sys.argv[2], pathlib.Path(sys.argv[3])
DEVICE = {"allow_software": "1", "require_device": "1"}


def require(condition, message):
    """Raises with the message unless the condition holds."""
    if not condition:
        raise RuntimeError(message)


def load(model, delegate=None, **options):
    """An interpreter for a model of FOLDER with the given delegate, or with a new one."""
    delegate = delegate or host.load_delegate(LIBRARY, DEVICE | options)
    content = (FOLDER / f"{model}.tflite").read_bytes()
    return host.Interpreter(model_content=content, num_threads=1, experimental_delegates=[delegate])


def interpreter(model, delegate=None, **options):
    """The same for a model that must be taken whole."""
    it = load(model, delegate, **options)
    taken = host.coverage(it)
    require(not taken["left"] and taken["partitions"] == 1, f"taken: {taken}")
    return it


def shape_for(number):
    """One of several input shapes of the network."""
    return (1 + number % 3, 16 + 4 * (number % 4), 24, 3)


def draw(shape, seed):
    """Random input."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def invoke(it, *inputs):
    """Resizes, feeds, invokes and returns the first output."""
    host.feed(it, inputs, allocated=False)
    it.invoke()
    return host.results(it)[0]


def reference(model, *inputs):
    """The first output of the reference kernels."""
    it = host.reference((FOLDER / f"{model}.tflite").read_bytes())
    return invoke(it, *inputs)


def close(want, got, limit=1e-4):
    """Raises unless the outputs are near each other."""
    error = host.difference(want, got)
    require(error <= limit, f"error {error:.2e} > {limit:.0e}")


def resident():
    """Bytes of memory that the process holds."""
    gc.collect()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
