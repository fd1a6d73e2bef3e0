"""Runs models that were made wrong, in a process that may crash or hang.

    child.py CRASH stock                  the plain kernels, then the default ones (XNNPACK)
    child.py CRASH LIBRARY OPTIONS    the default kernels with the delegate; its options as JSON

CRASH is crash.c as a library.

Each task runs in a process of its own, forked from this one: what it does to its memory harms no other.

Each line of stdin is a task: the model's file, the seed and ranges of its inputs, by which share to
shake them, and one or several steps, each a list of input shapes to resize to, or null. The answer is
one line: for each kind of kernels and step null or an error's text, or "end" with the signal that ended
it. Outputs go to FILE.KERNELS.STEP.npz. How many nodes the delegate took goes to stderr first, for the
case that the rest does not end well.
"""

import ctypes
import json
import os
import pathlib
import resource
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import host  # noqa: E402

MEMORY = 4 << 30  # bytes of addresses


def draw(details, ranges, random):
    """Random inputs of the shapes and types that the interpreter wants."""
    tensors = []
    for number, detail in enumerate(details):
        dtype, dims = np.dtype(detail["dtype"]), tuple(int(n) for n in detail["shape"])
        span = ranges[number] if number < len(ranges) else None
        if dtype.kind in "biu":
            low, high = (0, 2) if dtype.kind == "b" else span[:2] if span else (-9, 10)
            low = max(low, np.iinfo(dtype).min) if dtype.kind != "b" else low
            x = random.integers(int(low), max(int(high), int(low) + 1), dims)
        elif dtype.kind == "f":
            x = random.uniform(*span[:2], dims) if span else random.normal(0, 1, dims)
        else:
            x = np.zeros(dims)
        tensors.append(np.asarray(x).astype(dtype))
    return tensors


def shaken(x, share, random):
    """Floats that are larger or smaller by a share."""
    return x * (1 + random.choice(np.array((-share, share), x.dtype), x.shape)) if x.dtype.kind == "f" else x


def play(it, task, kernels, twice):
    """Every step; null or an error's text for each."""
    answers, allocated = [], False
    for number, shapes in enumerate(task["steps"]):
        try:
            for detail, dims in zip(it.get_input_details(), shapes or ()):
                it.resize_tensor_input(detail["index"], dims)
                allocated = False
            if not allocated:
                it.allocate_tensors()
            allocated = True
            details = it.get_input_details()
            random = np.random.default_rng([task["seed"], number])
            inputs = draw(details, task["ranges"], random)
            if task["shake"]:
                inputs = [shaken(x, task["shake"], random) for x in inputs]
            for _ in range(1 + twice):
                it.reset_all_variables()
                for detail, x in zip(details, inputs):
                    it.set_tensor(detail["index"], x)
                it.invoke()
            np.savez(f"{task['model']}.{kernels}.{number}.npz", *host.results(it))
            answers.append(None)
        except (MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            answers.append(f"{type(error).__name__}: {error}"[:400])
    return answers


def stock(task, kernels):
    """A task on the interpreter's own kernels."""
    try:
        it = host.reference(pathlib.Path(task["model"]).read_bytes(), kernels)
    except (RuntimeError, ValueError) as error:
        return [f"load: {error}"[:400]] * len(task["steps"])
    return play(it, task, kernels, False)


def delegated(task, library, options):
    """A task with the delegate, each step twice."""
    try:
        it = host.Interpreter(
            model_content=pathlib.Path(task["model"]).read_bytes(),
            num_threads=1,
            experimental_delegates=[host.load_delegate(library, options)],
        )
    except (RuntimeError, ValueError) as error:
        return [f"load: {error}"[:400]] * len(task["steps"])
    print("taken:", host.coverage(it)["delegated"], file=sys.stderr, flush=True)
    return play(it, task, "delegate", True)


def main():
    """Answers tasks until stdin ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(sys.argv[1])
    library = sys.argv[2]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        if process := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if code:
                answers.write(json.dumps({"end": f"crash, code {code}"}) + "\n")
            continue
        task = json.loads(line)
        if library == "stock":
            answer = {kernels: stock(task, kernels) for kernels in ("plain", "default")}
        else:
            answer = {"delegate": delegated(task, library, json.loads(sys.argv[3]))}
        answers.write(json.dumps(answer) + "\n")
        os._exit(0)


if __name__ == "__main__":
    main()
