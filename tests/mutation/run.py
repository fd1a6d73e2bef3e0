"""Mutants of models and sequences of resizes: the delegate against the stock kernels.

    run.py --delegate target/release/libtflite_vulkan.so [--seed N] [--only mutant-17] [--keep]

The seed is new in each run, unless it is given here or in TFLITE_VULKAN_SEED. Each model runs in
processes of its own, one for the stock kernels, one for the delegate. What must hold:

- The delegate crashes or hangs on nothing on which the stock kernels do not.
- It fails on nothing on which both stock kernels succeed, and computes nothing on the host.
- Its results are within 1e-4 of those of one of the stock kernels (as a share of the largest value), or three
  times as far as these are apart, or as they move when the inputs do by 1e-6; integers are the same.
  Infinity is as good as the largest float.

The last line is "N passed, N failed".
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "python")]
import drivers  # noqa: E402
import host  # noqa: E402
from conformance.group import ON_HOST  # noqa: E402

from mutation import corpus  # noqa: E402

SMALL, REAL, SEQUENCES = 2850, 150, 500
# So many mutants the stock kernels must accept with a node of ours in them, out of those above.
AT_LEAST = 1000
HANG = 10  # seconds, or so many times what the stock kernels take
TOO_SLOW = 20  # seconds of the stock kernels, after which a model says nothing
LIMIT = 1e-4
SHAKE = 1e-6
LANES = 2
OPTIONS = {"allow_software": "1", "require_device": "1", "log_level": "warn"}
# Faults that are none: an expression that the trial's text matches, what the fault's text holds, and why.
EXCEPTIONS = [
    (" CAST |POW int", "error", "C++ leaves open what numbers beyond a type become (docs/operators.md)"),
    ("shape b'depthwise_conv2d", "error", "XNNPACK reads fp16 weights in the shape that the model claims"),
    ("sparsity ", "crash", "the stock kernel writes beyond the result of DENSIFY"),
    (
        "Convolution2DTransposeBias",
        "error inf",
        "XNNPACK multiplies NaN with zeros of its padding",
    ),
    (
        "hybrid ",
        "error",
        "where weights are integers the CPU rounds float operands to 8 bits (docs/precision.md)",
    ),
    ("", "an operand [", "of elements that fill no rows the CPU's FULLY_CONNECTED leaves some out"),
    ("FULLY_CONNECTED", ",0]", "of weights without columns the CPU makes what rows it finds"),
    ("", "rank 7 (6 at most)", "a resize beyond rank 6 is an error, with that reason"),
    (r"REDUCE_PROD int.*\[\[0, ", "error", "of an empty product the CPU leaves what lay in memory before"),
    ("", "STRIDED_SLICE [0]: index ", "the stock kernel reads an element that the tensor does not have"),
]


class Child:
    """A child process that answers tasks; another one after each hang."""

    def __init__(self, arguments, errors):
        self.arguments, self.errors, self.process = arguments, errors, None

    def _start(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        command = [sys.executable, str(TESTS / "mutation" / "child.py"), *self.arguments]
        with self.errors.open("ab") as errors:
            env = drivers.environment("lavapipe")
            self.process = subprocess.Popen(command, stderr=errors, env=env, start_new_session=True, **pipes)

    def ask(self, task, seconds):
        """The answer, with the time it took and what was printed; or the end, "crash" or "hang"."""
        if self.process is None:
            self._start()
        before, start = self.errors.stat().st_size if self.errors.exists() else 0, time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(task) + "\n")
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        answer = json.loads(line) if line.endswith("\n") else {"end": f"hang, {seconds:.0f} s"}
        if not line:
            self.close(kill=True)
        answer["seconds"] = time.monotonic() - start
        with self.errors.open("rb") as errors:
            errors.seek(before)
            answer["printed"] = errors.read().decode(errors="replace")
        return answer

    def close(self, kill=False):
        """Ends the process, which has nothing left to do."""
        if self.process:
            if kill:
                os.killpg(self.process.pid, signal.SIGKILL)
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.wait()
            self.process = None


class Lane:
    """Two children that take turns."""

    def __init__(self, folder, library, crash):
        folder.mkdir()
        self.folder = folder
        options = OPTIONS | {"cache_dir": str(folder.parent)}
        self.stock = Child([crash, "stock"], folder / "stock.txt")
        self.delegate = Child([crash, str(library), json.dumps(options)], folder / "delegate.txt")

    def run(self, trial, seed):
        """What kind of trial it was and its faults."""
        task = trial.task(self.folder / "model.tflite", seed)
        try:
            want = self.stock.ask(task, TOO_SLOW)
            if "hang" in want.get("end", ""):
                return "too slow on the CPU", []
            got = self.delegate.ask(task, max(HANG, 20 * want["seconds"]))
            return self._judge(trial, task, want, got)
        finally:
            for path in self.folder.glob("model.tflite*"):
                path.unlink()

    def _judge(self, trial, task, want, got):
        ours = re.search(r"^taken: [1-9]", got["printed"], re.M)
        if "end" in want:
            return "the CPU crashes", []
        if "end" in got:
            # XNNPACK's reads beyond its tensors do not end the same way each time.
            own = re.search("^taken: 0", got["printed"], re.M) or crashed_in_host(got["printed"])
            return "ended", [] if own else [f"{got['end']}: {got['printed'][-1500:]}"]
        faults, good = [], 0
        if ON_HOST in got["printed"]:
            faults.append(f"computed on the host: {got['printed'][-600:]}")
        for step, failure in enumerate(got["delegate"]):
            stock = {k: want[k][step] for k in ("plain", "default")}
            if "Didn't find op" in (stock["plain"] or ""):
                del stock["plain"]
            accepted = [k for k, error in stock.items() if error is None]
            good += bool(accepted)
            if failure and len(accepted) == len(stock):
                faults.append(f"step {step} fails where the CPU succeeds: {failure}")
            if not failure and accepted and ours and trial.defined:
                faults += self._differences(task, step, accepted)
        kind = "accepted by the CPU" if good else "refused by the CPU"
        return f"{kind}, {'with' if ours else 'without'} a node of ours", faults

    def _differences(self, task, step, accepted):
        """The faults of a step's results; the nearest of the accepted kernels counts."""
        path = f"{task['model']}.{{}}.{step}.npz"
        got, wanted = arrays(path.format("delegate")), [arrays(path.format(k)) for k in accepted]
        if any(len(want) != len(got) for want in wanted):
            return [f"step {step}: {len(got)} outputs"]
        apart = [error(a, b) for a, b in zip(wanted[0], wanted[-1])]
        off = [min(error(want[i], x) for want in wanted) for i, x in enumerate(got)]
        bad = [i for i, e in enumerate(off) if not e <= max(LIMIT, 3 * apart[i])]
        if bad and all(np.isfinite(off[i]) for i in bad):
            self.stock.ask(task | {"shake": SHAKE}, TOO_SLOW)
            moved = [error(a, b) for a, b in zip(wanted[0], arrays(path.format(accepted[0])))]
            bad = [i for i in bad if not off[i] <= 3 * moved[i]]
        return [
            f"step {step}, output {i}: error {off[i]:.2e}, stock kernels {apart[i]:.1e} apart: "
            f"{wanted[0][i].dtype} {wanted[0][i].ravel()[:6]} became {got[i].dtype} {got[i].ravel()[:6]}"
            for i in bad
        ]

    def close(self):
        """Ends both children."""
        self.stock.close()
        self.delegate.close()


def crashed_in_host(printed):
    """Whether the host's own kernels crashed, with nothing of the delegate below them."""
    frames = printed.partition("crashed in:\n")[2].splitlines()
    return any("ai_edge_litert" in file for file in frames) and not any("tflite_vulkan" in f for f in frames)


def crash_handler(folder):
    """crash.c as a library."""
    source, made = pathlib.Path(__file__).with_name("crash.c"), pathlib.Path(folder) / "libcrash.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source], check=True)
    return str(made)


def arrays(path):
    """The outputs in a file; an unknown type's as bytes."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[key] for key in stored.files]


def error(want, got):
    """As a share of the largest value that is wanted."""
    if want.dtype.kind not in "biuf":
        return 0.0 if want.shape == got.shape else float("inf")
    if want.dtype.kind == "f" and want.shape == got.shape:
        # TFLite's convolutions clamp sums to finite numbers, or do not, as the kernels choose.
        most = np.finfo(want.dtype).max
        got = np.where(np.isinf(got) & (np.abs(want) == most), np.copysign(most, got), got)
    return host.difference(want, got)


def trials(seed, only):
    """Names and makers of all trials, or of those asked for."""
    small, real = corpus.small(), corpus.real()
    print(f"{len(small)} small models, {len(real)} real ones", flush=True)
    kinds = [("mutant", SMALL, small), ("real", REAL, real)]
    listed = [
        (f"{kind}-{n}", lambda s=sources, k=kind, n=n: corpus.mutant(s, seed, k, n))
        for kind, count, sources in kinds
        if sources
        for n in range(count)
    ]
    listed += [(f"resize-{n}", lambda n=n: corpus.sequence(small, seed, n)) for n in range(SEQUENCES)]
    return [(name, make) for name, make in listed if not only or name in only.split(",")]


def excused(trial, fault):
    """Why a fault is none, or None."""
    text = f"{trial.name} {trial.said}"
    return next((why for word, what, why in EXCEPTIONS if re.search(word, text) and what in fault), None)


def main():
    """Runs all trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delegate", required=True)
    parser.add_argument("--seed", default=os.environ.get("TFLITE_VULKAN_SEED") or str(time.time_ns() % 10**9))
    parser.add_argument("--only", default="", help="names of trials, with commas between")
    parser.add_argument("--part", type=int, default=1, help="run every nth trial only")
    parser.add_argument("--keep", help="a folder for the models that fail")
    a = parser.parse_args()
    print(f"seed {a.seed}", flush=True)
    chosen = trials(a.seed, a.only)[:: a.part]
    counts, failed, done, lock = collections.Counter(), 0, 0, threading.Lock()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        library, crash = pathlib.Path(a.delegate).resolve(), crash_handler(folder)
        lanes = [Lane(pathlib.Path(folder) / str(n), library, crash) for n in range(LANES)]

        def work(lane, share):
            nonlocal failed, done
            for name, make in share:
                trial = make()
                kind, faults = lane.run(trial, int(a.seed) % 2**32)
                why = [excused(trial, fault) for fault in faults]
                with lock:
                    done += 1
                    counts[f"{name.split('-')[0]} {kind}"] += 1
                    for reason in filter(None, why):
                        counts[f"excused: {reason}"] += 1
                    faults = [fault for fault, reason in zip(faults, why) if not reason]
                    failed += bool(faults)
                    if faults:
                        print(f"FAILED {name} of seed {a.seed}: {trial.said[:600]}")
                        print("".join(f"    {fault}\n" for fault in faults), end="", flush=True)
                    if faults and a.keep:
                        (pathlib.Path(a.keep) / f"{a.seed}-{name}.tflite").write_bytes(trial.data)
                    if done % 500 == 0:
                        print(f"{done} of {len(chosen)}, {time.monotonic() - start:.0f} s", flush=True)
            lane.close()

        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            for finished in [pool.submit(work, lane, chosen[n::LANES]) for n, lane in enumerate(lanes)]:
                finished.result()
    for kind, count in sorted(counts.items()):
        print(f"{count:6} {kind}")
    ours = sum(
        n for kind, n in counts.items() if "accepted" in kind and "with a" in kind and "resize" not in kind
    )
    if not a.only and ours * a.part < AT_LEAST:
        print(f"only {ours} mutants are accepted by the CPU and have a node of ours")
        failed += 1
    print(f"{done - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
