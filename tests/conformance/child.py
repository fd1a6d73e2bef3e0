"""Runs the cases of one job with and without the delegate, in a process that may crash.

    child.py JOB.json

The job names the library (or "none": the interpreter's own default kernels in place of the delegate, to try
the harness), its options, the error limit and the cases: files NAME.tflite and NAME.npz in its folder.
Before each case a line "@@ NAME" goes to stdout, so that what drivers print can be told apart; the case's
record goes to the job's results file as one JSON line.  Needs numpy and a host package only.
"""

import json
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import host  # noqa: E402


def say(text):
    """A line to stdout, whole and at once."""
    sys.stdout.flush()
    os.write(1, (text + "\n").encode())


def stored_runs(path):
    """The inputs of each run, as `group.write_case` stored them."""
    with np.load(path) as stored:
        runs = 1 + max(int(key.split("_")[0]) for key in stored.files)
        counts = [sum(key.startswith(f"{run}_") for key in stored.files) for run in range(runs)]
        return [[stored[f"{run}_{i}"] for i in range(counts[run])] for run in range(runs)]


def play(it, runs):
    """The outputs of every run."""
    outputs = []
    for number, inputs in enumerate(runs):
        host.feed(it, inputs, allocated=number > 0)
        it.invoke()
        outputs.append(host.results(it))
    return outputs


def check(job, case):
    """Runs one case; a record of what happened, with a list of its faults."""
    folder = pathlib.Path(job["folder"])
    model = (folder / f"{case['file']}.tflite").read_bytes()
    runs = stored_runs(folder / f"{case['file']}.npz")
    faults, record = [], {"case": case["name"]}
    want = play(host.reference(model, case["kernels"]), runs)
    if job["library"] == "none":
        it = host.Interpreter(model_content=model)
    else:
        delegate = host.load_delegate(job["library"], job["options"])
        it = host.Interpreter(model_content=model, num_threads=1, experimental_delegates=[delegate])
        taken = host.coverage(it)
        record.update(taken)
        if taken["left"] != case["left"]:
            faults.append(f"left on the CPU: {taken['left']}, expected {case['left']}")
        if taken["partitions"] != case["partitions"]:
            faults.append(f"{taken['partitions']} partitions, expected {case['partitions']}")
    got = play(it, runs)
    errors = [host.difference(w, g) for ws, gs in zip(want, got) for w, g in zip(ws, gs)]
    record["error"] = max(errors)
    for run, (ws, gs) in enumerate(zip(want, got)):
        for i, (w, g) in enumerate(zip(ws, gs)):
            error = host.difference(w, g)
            if not error <= job["limit"]:
                faults.append(
                    f"run {run}, output {i}: error {error:.2e} > {job['limit']:.0e}; {describe(w, g)}"
                )
    # The last run has the first one's inputs.
    if not all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(got[0], got[-1])):
        faults.append("the repeated input gives other outputs")
    return dict(record, faults=faults)


def describe(want, got):
    """Where two outputs differ most."""
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    gap = np.abs(np.nan_to_num(got.astype(np.float64), nan=1e30) - np.nan_to_num(want.astype(np.float64)))
    at = np.unravel_index(np.argmax(gap), gap.shape)
    wrong = (
        np.mean(gap > 1e-3 * max(np.abs(want).max(), 1e-30)) if want.dtype.kind == "f" else np.mean(gap > 0)
    )
    worst = f"{list(map(int, at))}: {got[at]} instead of {want[at]}"
    return f"shape {list(want.shape)}, {100 * wrong:.3g} % off, worst at {worst}"


def main():
    """Runs the job's cases in turn."""
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    keeper = None if job["library"] == "none" else host.load_delegate(job["library"], job["options"])
    with pathlib.Path(job["results"]).open("a", buffering=1) as results:
        for case in job["cases"]:
            say(f"@@ {case['name']}")
            try:
                record = check(job, case)
            except (RuntimeError, ValueError) as refused:
                record = {"case": case["name"], "faults": [f"{type(refused).__name__}: {refused}"]}
            results.write(json.dumps(record) + "\n")
    del keeper
    say("@@ exit")


if __name__ == "__main__":
    main()
