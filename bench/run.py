"""Measures models on the CPU, on LiteRT's own GPU accelerator and on this delegate, side by side.

    run.py --delegate target/release/libtflite_vulkan.so [--models mobilenet_v2,resnet50] [--rounds 5]

Models: those that `make models` fetches and the networks of networks.py, which are written when they are
missing; or files, or patterns.  Columns: XNNPACK with one thread and with all cores, LiteRT's accelerator in
fp32 and with fp16 allowed, the delegate in fp32, fp16 and fp16-fast.  A column is a process of its own for
each model.  All load and warm up, then they take turns, one at a time.  A time is that of writing the inputs,
invoking and reading the outputs; a start is the time from loading the delegate (or the model) to the first
result, of two processes one after the other that share an empty cache.

The report goes to build/bench/report.md, with a picture ratios.svg and all numbers in report.json.  The
machine's Vulkan driver is used, a CPU driver like lavapipe where there is no GPU; --driver selects one.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
from importlib import metadata

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "python"), str(ROOT / "tests")]
import drivers  # noqa: E402
import host  # noqa: E402
import networks  # noqa: E402
import report  # noqa: E402

# Holds operators that no stock interpreter can run.
LEFT_OUT = "face_landmark_with_attention"
# What to say of a column when its log holds this.
SIGNS = {
    "this partition runs in fp32": "a part in fp32, for fp16 is too coarse",
    "as it cannot store fp16": "fp32, for the device cannot store fp16",
    "as sums of 16 bits are not faster": "as fp16, for sums of 16 bits are not faster on the device",
}
# Takes minutes on a CPU driver: only when asked for.
LARGE = "fully_connected_4096"
CORES = len(os.sched_getaffinity(0))


def columns_of(library, options):
    """The columns by name: what a job says besides the model."""
    ours = {"peer": "ours", "threads": 1, "library": str(pathlib.Path(library).resolve())}
    common = {"allow_software": "1", "require_device": "1"} | options
    columns = {"XNNPACK 1 thread": {"peer": "cpu", "threads": 1}}
    if CORES > 1:
        columns[f"XNNPACK {CORES} threads"] = {"peer": "cpu", "threads": CORES}
    columns["LiteRT GPU fp32"] = {"peer": "litert", "fp32": True}
    columns["LiteRT GPU fp16"] = {"peer": "litert", "fp32": False}
    for precision in ("fp32", "fp16", "fp16-fast"):
        columns[f"ours {precision}"] = ours | {"options": common | {"precision": precision}}
    return columns


def known_models():
    """Paths by name, "package/model" or "model"; generated ones may not be there yet."""
    fetched = {f"{p.parent.name}/{p.stem}": p for p in sorted((ROOT / "build/models").glob("*/*.tflite"))}
    made = {name: networks.FOLDER / f"{name}.tflite" for name in networks.NETWORKS}
    return {name: path for name, path in (fetched | made).items() if not name.endswith(LEFT_OUT)}


def choose(asked):
    """Paths by name for what the user asked for: names, names without package, patterns, files."""
    known = known_models()
    if not asked:
        return {name: path for name, path in known.items() if name != LARGE}
    chosen = {}
    for word in asked.split(","):
        found = {n: p for n, p in known.items() if word in (n, n.split("/")[-1]) or fnmatch.fnmatch(n, word)}
        if pathlib.Path(word).is_file():
            found = {pathlib.Path(word).stem: pathlib.Path(word).resolve()}
        if not found:
            sys.exit(f"no model {word!r}; known: {', '.join(known)}")
        chosen |= found
    return chosen


def tensors_of(path):
    """The inputs and outputs of a model as its jobs tell them."""
    it = host.reference(path.read_bytes(), "optimised")
    signatures = list(it.get_signature_list().values())
    full = next(iter(it._get_full_signature_list().values())) if signatures else {}

    def describe(details, names):
        return [
            {
                "index": int(d["index"]),
                "names": [d["name"], *(n for n, index in names.items() if index == d["index"])],
                "shape": [int(n) for n in d["shape"]],
                "dtype": np.dtype(d["dtype"]).name,
            }
            for d in details
        ]

    return {
        "model": str(path),
        "inputs": describe(it.get_input_details(), full.get("inputs", {})),
        "outputs": describe(it.get_output_details(), full.get("outputs", {})),
    }


class Child:
    """The process of one column and model.  Whatever goes wrong sets `error`, once."""

    def __init__(self, job, env, timeout, log):
        self.timeout, self.error, self.log = timeout, None, pathlib.Path(log)
        command = [sys.executable, str(HERE / "column.py"), json.dumps(job)]
        pipe = subprocess.PIPE
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=stderr)
        self.facts = self._answer()

    def _answer(self):
        ready = select.select([self.process.stdout], [], [], self.timeout)[0]
        line = self.process.stdout.readline() if ready else b""
        if line:
            answer = json.loads(line)
            self.error = answer.get("error")
            return answer
        if not ready:
            self.process.kill()
        code = self.process.wait()
        end = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        last = " / ".join(self.said().strip().splitlines()[-2:])
        self.error = f"{end}: {last}" if ready else f"no answer within {self.timeout:g} s"
        return {}

    def turn(self, seconds):
        """Runs for so long; the times in ms, none after an error."""
        if self.error:
            return []
        try:
            self.process.stdin.write(f"{seconds}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer that does not come tells why
        answer = self._answer()
        self.facts |= answer
        return answer.get("times", [])

    def said(self):
        """What it wrote to its standard error stream."""
        return self.log.read_text(errors="replace")

    def close(self):
        """Ends the process; its log."""
        try:
            self.process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.error = self.error or f"did not end within {self.timeout:g} s"
        return self.said()


def facts_of(log):
    """What a column's log tells: the device, and of ours how large the work is."""
    found = {}
    for key, pattern in {
        "device": r"device (.+?), fp(?:16|32)\b|Selected adapter: (.+)",
        "arena_bytes": r"arena (\d+) bytes",
        "dispatches": r"(\d+) dispatches",
        "barriers": r"(\d+) barriers",
        "pipelines": r"(\d+) pipelines",
    }.items():
        values = [next(filter(None, m)) for m in re.findall(pattern.replace(r"(\d+)", r"(\d+)()"), log)]
        if values:
            found[key] = values[0] if key == "device" else sum(map(int, values))
    found["remarks"] = [text for sign, text in SIGNS.items() if sign in log]
    return found


def measure(path, columns, a, env):
    """Every column's results on one model, by name; one that failed has an "error"."""
    tensors = tensors_of(path)
    with tempfile.TemporaryDirectory() as scratch:
        results, children = {}, {}
        for number, (name, column) in enumerate(columns.items()):
            job = tensors | column | {"outputs_to": f"{scratch}/{number}.npz"}
            children[name] = Child(job, env, a.timeout, f"{scratch}/{number}.log")
            results[name] = {"times": []}
        for _ in range(a.rounds):
            for name, child in children.items():
                results[name]["times"] += child.turn(a.seconds)
        wanted = None
        for number, (name, child) in enumerate(children.items()):
            log, result = child.close(), results[name]
            told = facts_of(log)
            remarks = child.facts.pop("remarks", []) + told.pop("remarks")
            result |= child.facts | told | {"remarks": remarks, "times": result["times"]}
            if child.error:
                result["error"] = child.error
                continue
            result["ms"] = float(np.median(result["times"]))
            with np.load(f"{scratch}/{number}.npz") as stored:
                outputs = [stored[key] for key in stored.files]
            wanted = wanted or outputs
            result["difference"] = max(map(host.difference, wanted, outputs))
    for name in columns if a.starts else ():
        if "error" not in results[name]:
            results[name] |= starts(tensors, columns[name], a, env)
    return results


def starts(tensors, column, a, env):
    """Times to the first result of two processes that share an empty cache; an error leaves them out."""
    with tempfile.TemporaryDirectory() as cache:
        # Drivers keep caches too: Mesa's and NVIDIA's go to the same empty folder.
        env = env | {"MESA_SHADER_CACHE_DIR": cache, "__GL_SHADER_DISK_CACHE_PATH": cache}
        job = tensors | column
        if "options" in job:
            job["options"] = job["options"] | {"cache_dir": cache}
        times = []
        for _ in range(2):
            child = Child(job, env, a.timeout, f"{cache}/log")
            child.close()
            times.append(child.facts.get("first_ms"))
        return {"cold_ms": times[0], "warm_ms": times[1]}


def main():
    """Measures everything and writes the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delegate", required=True, metavar="LIBRARY", help="libtflite_vulkan.so")
    parser.add_argument("--models", default="", metavar="A,B", help="names, patterns or files; default: all")
    parser.add_argument("--columns", default="*", metavar="A,B", help="patterns like '*fp16'; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each column [%(default)s]")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn [%(default)s]")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for an answer [%(default)s]")
    parser.add_argument("--driver", choices=drivers.NAMES, default="gpu", help="[gpu: the machine's]")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="for ours")
    parser.add_argument("--no-starts", dest="starts", action="store_false", help="leave the starts out")
    parser.add_argument("--out", type=pathlib.Path, default=networks.FOLDER, help="folder of the report")
    a = parser.parse_args()
    options = dict(option.split("=", 1) for option in a.option)
    patterns = a.columns.split(",")
    columns = {
        name: column
        for name, column in columns_of(a.delegate, options).items()
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    }
    if not columns:
        parser.error(f"no column matches {a.columns!r}")
    env = drivers.environment(a.driver)
    env.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    rows = {}
    for name, path in choose(a.models).items():
        if not path.is_file():
            networks.write(name)
        rows[name] = measure(path, columns, a, env)
        print(report.line(name, rows[name]), flush=True)
        facts = {
            "columns": list(columns),
            "rounds": a.rounds,
            "seconds": a.seconds,
            "options": a.option,
            "litert": metadata.version("ai-edge-litert"),
            "cores": CORES,
        }
        report.write(a.out, facts, rows)  # after every model, so that a cut leaves what is there
    print(f"\n{report.summary(rows, list(columns))}")
    print(f"written to {os.path.relpath(a.out)}: report.md, ratios.svg, report.json")


if __name__ == "__main__":
    main()
