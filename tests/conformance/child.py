"""Runs the cases of one job with and without the delegate, in a process that may crash.

    child.py JOB.json

The job names the library (or "none": the interpreter's own default kernels in place of the delegate, to try
the harness; or "reference": only store what the stock interpreter computes), the delegate's options, the
error limit and the cases.  A case is a model file and a file with the inputs of each run.  `want` names a
file with the reference outputs; otherwise each of the stock interpreter's `kernels` runs before the
delegate, which must equal all.  `spread` tells how far those kernels are apart, by run and output: nobody
need be nearer than three times that.  Where outputs are smaller than `scale`, errors count as parts of that.

Before each case a line "@@ NAME" goes to stdout, so that what drivers print can be told apart; the case's
record goes to the job's results file as one JSON line.  Needs numpy and a host package only.
"""

import itertools
import json
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
import host  # noqa: E402

# The error limits of precisions whose results can have the same bytes.
EXACT_BELOW = 1e-3


def say(text):
    """A line to stdout, whole and at once."""
    sys.stdout.flush()
    os.write(1, (text + "\n").encode())


def load_runs(path):
    """Arrays by run: those of run 0, those of run 1, and so on."""
    with np.load(path) as stored:
        runs = 1 + max(int(key.split("_")[0]) for key in stored.files)
        counts = [sum(key.startswith(f"{run}_") for key in stored.files) for run in range(runs)]
        return [[stored[f"{run}_{i}"] for i in range(counts[run])] for run in range(runs)]


def save_runs(path, runs):
    """Stores what `load_runs` reads."""
    np.savez(path, **{f"{run}_{i}": x for run, arrays in enumerate(runs) for i, x in enumerate(arrays)})


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
    model = pathlib.Path(case["model"]).read_bytes()
    runs = load_runs(case["inputs"])
    if job["library"] == "reference":
        played = [play(host.reference(model, kernels), runs) for kernels in case["kernels"]]
        save_runs(case["want"], played[0])
        return {"case": case["name"], "faults": [], "spread": spread(played)}
    if "want" in case:
        wanted = {"stored": load_runs(case["want"])}
    else:
        twin = pathlib.Path(case["twin"]).read_bytes() if "twin" in case else model
        wanted = {kernels: play(host.reference(twin, kernels), runs) for kernels in case["kernels"]}
    faults, record = [], {"case": case["name"]}
    if job["library"] == "none":
        it = host.Interpreter(model_content=model)
    else:
        options = job["options"] | case.get("options", {})
        delegate = host.load_delegate(job["library"], options)
        it = host.Interpreter(model_content=model, num_threads=1, experimental_delegates=[delegate])
        taken = host.coverage(it)
        record.update(taken)
        if taken["left"] != case["left"]:
            faults.append(f"left on the CPU: {taken['left']}, expected {case['left']}")
        if taken["partitions"] != case["partitions"]:
            faults.append(f"{taken['partitions']} partitions, expected {case['partitions']}")
    got = play(it, runs)
    record["error"] = max(compare(want, got, job, case, kernels, faults) for kernels, want in wanted.items())
    if "twin" in case:
        own = play(host.reference(model, case["kernels"][0]), runs)
        compare(own, got, dict(job, limit=case["near"]), case, "its own", faults)
    # The last run has the first one's inputs.
    if not case.get("stateful") and not all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(got[0], got[-1])
    ):
        faults.append("the repeated input gives other outputs")
    return dict(record, faults=faults)


def compare(want, got, job, case, kernels, faults):
    """The largest error of all runs and outputs; adds those beyond the limit to the faults."""
    errors = []
    for run, (ws, gs) in enumerate(zip(want, got)):
        for i, (w, g) in enumerate(zip(ws, gs)):
            error = host.difference(w, g)
            errors.append(error)
            limit = max(job["limit"], 3 * case["spread"][run][i] if "spread" in case else 0)
            if w.size:
                limit *= max(1, case.get("scale", 0) / max(np.abs(w).max(), 1e-30))
            place = f"run {run}, output {i}, {kernels} kernels"
            if case.get("exact") and job["limit"] < EXACT_BELOW and comparable(w) != comparable(g):
                faults.append(f"{place}: other bytes; {describe(w, g)}")
            if not error <= limit:
                faults.append(f"{place}: error {error:.2e} > {limit:.1e}; {describe(w, g)}")
    return max(errors)


def comparable(x):
    """The bytes of an array; of floats NaN has no other than its own."""
    return (np.where(np.isnan(x), np.nan, x) if x.dtype.kind == "f" else x).astype(x.dtype).tobytes()


def spread(played):
    """The largest difference between any two of several plays, by run and output."""
    pairs = list(itertools.combinations(played, 2))
    return [
        [
            max((host.difference(a[run][i], b[run][i]) for a, b in pairs), default=0)
            for i in range(len(outputs))
        ]
        for run, outputs in enumerate(played[0])
    ]


def describe(want, got):
    """Where two outputs differ most."""
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    gap = np.abs(np.nan_to_num(got.astype(np.float64), nan=1e30) - np.nan_to_num(want.astype(np.float64)))
    at = np.unravel_index(np.argmax(gap), gap.shape)
    step = 1e-3 * np.abs(want).max() if want.dtype.kind == "f" else 0
    worst = f"{list(map(int, at))}: {got[at]} instead of {want[at]}"
    return f"shape {list(want.shape)}, {100 * np.mean(gap > step):.3g} % off, worst at {worst}"


def main():
    """Runs the job's cases in turn."""
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    # One delegate outlives all cases, as it would in a program that uses several models.
    alone = job["library"] in ("none", "reference")
    keeper = None if alone else host.load_delegate(job["library"], job["options"])
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
