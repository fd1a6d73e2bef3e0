"""One column of the benchmark on one model: a process of its own, so that it may crash or hang alone.

    column.py JOB

The job is a JSON object; `run.py` says what is in it.  The process loads the model, runs it once and answers
with the facts of `loaded`; then for every line on its standard input, a number of seconds, it runs as often
as fits and answers with the times in ms.  Answers are JSON lines.  Whatever native code prints goes to the
standard error stream.
"""

import json
import os
import pathlib
import re
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import host  # noqa: E402
from model import generator  # noqa: E402


def inputs_of(job):
    """Random inputs, the same for every column."""
    random = generator(job["model"])
    draws = [random.uniform(-1, 1, t["shape"]) for t in job["inputs"]]
    kinds = [np.dtype(t["dtype"]) for t in job["inputs"]]
    return [(x if kind.kind == "f" else np.round(50 * x)).astype(kind) for x, kind in zip(draws, kinds)]


def interpreter(job, inputs):
    """The classic interpreter, with our delegate if the job names a library; how to run it, and remarks."""
    delegates = [host.load_delegate(job["library"], job["options"])] if job.get("library") else None
    it = host.Interpreter(job["model"], num_threads=job["threads"], experimental_delegates=delegates)
    left = host.coverage(it)["left"] if delegates and "outputs_to" in job else {}
    it.allocate_tensors()
    outputs = [t["index"] for t in job["outputs"]]

    def run():
        for t, x in zip(job["inputs"], inputs):
            it.set_tensor(t["index"], x)
        it.invoke()
        return [it.get_tensor(index) for index in outputs]

    return run, [f"{sum(left.values())} nodes on the CPU"] if left else []


def litert(job, inputs):
    """LiteRT's CompiledModel on its GPU accelerator; how to run it, and remarks."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.options import CpuOptions, GpuOptions, HardwareAccelerator, Options

    def load(hardware):
        cpu, gpu = CpuOptions(num_threads=1), GpuOptions(enforce_f32=job["fp32"])
        options = Options(hardware, cpu_options=cpu, gpu_options=gpu)
        return CompiledModel.from_file(job["model"], options=options)

    hardware, remarks = HardwareAccelerator, []
    try:
        compiled = load(hardware.GPU)
    except RuntimeError:
        compiled, remarks = load(hardware.GPU | hardware.CPU), ["a part on the CPU"]
    signature = compiled.get_signature_by_index(0)
    into, out = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    fed = [inputs[i] for i in places(signature["inputs"], job["inputs"])]
    order = places(signature["outputs"], job["outputs"])
    wanted = [job["outputs"][i] for i in order]

    def run():
        for buffer, x in zip(into, fed):
            buffer.write(x)
        compiled.run_by_index(0, into, out)
        results = [None] * len(out)
        for at, t, buffer in zip(order, wanted, out):
            flat = buffer.read(int(np.prod(t["shape"])), np.dtype(t["dtype"]))
            results[at] = flat.reshape(t["shape"])
        return results

    return run, remarks


def places(names, tensors):
    """For each name of a signature where its tensor is in the list."""
    found = {name: i for i, t in enumerate(tensors) for name in t["names"]}
    return [found[name] for name in names]


def memory(field):
    """The memory of the process in bytes: VmRSS what it has, VmHWM the most it has had."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M).group(1))


def main():
    """Loads, then takes turns."""
    job = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    inputs = inputs_of(job)
    before = memory("VmRSS")
    try:
        start = time.perf_counter()
        run, remarks = (litert if job["peer"] == "litert" else interpreter)(job, inputs)
        outputs = run()
        first = 1e3 * (time.perf_counter() - start)
        if "outputs_to" in job:
            np.savez(job["outputs_to"], *outputs)
    except Exception as e:
        print(json.dumps({"error": " ".join(f"{type(e).__name__}: {e}".split())}), file=answers)
        return
    print(json.dumps({"first_ms": first, "remarks": remarks}), file=answers)
    for line in sys.stdin:
        run()  # wakes the device and the caches up
        times, end = [], time.perf_counter() + float(line)
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
        peak = {"memory": memory("VmHWM"), "memory_before": before}
        print(json.dumps({"times": times} | peak), file=answers)


if __name__ == "__main__":
    main()
