"""Runs cases in child processes and sorts what they print by case."""

import dataclasses
import functools
import importlib
import json
import os
import pkgutil
import subprocess
import sys

import drivers
import host
import pytest

from . import cases
from .child import save_runs

CHILD = drivers.ROOT / "tests" / "conformance" / "child.py"
OLDEST = drivers.ROOT / "build" / "venv-2.14" / "bin" / "python"
# What runs the children: `tests/arm64/run.py` gives a Python for another machine.
PYTHON = os.environ.get("TFLITE_VULKAN_PYTHON", sys.executable)
# What the library logs when a partition that should run in fp16 does not.
KEPT_FP32 = "this partition runs in fp32"
# What it logs when it computes on the host what the device cannot: a last resort, no answer.
ON_HOST = "on the host, slowly"
LIMITS = {"fp32": 1e-4, "fp16": 1e-2}
TIMEOUT = 900  # seconds for one child
OUTSIDE = "start and exit"  # where what belongs to no case is reported


@dataclasses.dataclass
class Config:
    """A driver, a precision and a host, from a name like lavapipe-fp16 or oldest-fp32."""

    name: str

    @property
    def driver(self):
        """The driver's name; the oldest host runs on lavapipe."""
        return self.name.split("-")[0].replace("oldest", "lavapipe")

    @property
    def precision(self):
        """Precision, fp32 or fp16."""
        return self.name.split("-")[1]

    @property
    def oldest(self):
        """Whether the host is tflite-runtime 2.14."""
        return self.name.startswith("oldest")

    @property
    def options(self):
        """The delegate's options."""
        return {
            "allow_software": "1",
            "require_device": "1",
            "precision": self.precision,
            "integers": "reference-2.14" if self.oldest else "reference",
            "log_level": "info",
        }


@dataclasses.dataclass
class Outcome:
    """What became of the cases of one job: by name its faults, its record and what was printed during it."""

    faults: dict
    records: dict
    printed: dict

    def judge(self, name, text):
        """Fails the running test if the case has faults."""
        if self.faults[name]:
            pytest.fail(f"{text}:\n" + "\n".join(self.faults[name]), pytrace=False)


def names():
    """The groups: one per file in cases/."""
    return sorted(m.name for m in pkgutil.iter_modules(cases.__path__))


@functools.cache
def load(name):
    """The cases of a group by name."""
    listed = list(importlib.import_module(f"{cases.__name__}.{name}").cases())
    by_name = {case.name: case for case in listed}
    if len(by_name) != len(listed):
        raise ValueError(f"{name}: two cases have the same name")
    return by_name


def write_case(folder, number, case):
    """Stores a case for the child; returns its entry in the job."""
    folder.mkdir(parents=True, exist_ok=True)
    model, inputs = folder / f"{number}.tflite", folder / f"{number}.npz"
    model.write_bytes(case.model())
    save_runs(inputs, case.runs())
    kernels = list(case.follows) or [case.graph.kernels]
    entry = {"name": case.name, "model": str(model), "inputs": str(inputs), "kernels": kernels}
    if case.twin:
        twin = folder / f"{number}-twin.tflite"
        twin.write_bytes(case.twin.build())
        entry |= {"twin": str(twin), "near": case.near}
    entry |= {"left": case.left, "partitions": case.partitions, "exact": case.exact}
    return dict(entry, stateful=case.stateful, options=case.options)


def input_shape(path):
    """The shape of a model's only input."""
    (detail,) = host.Interpreter(model_path=str(path)).get_input_details()
    return detail["shape"]


def sections(text):
    """What a child printed, by the case during which it did; before the first case it is "start"."""
    found, current = {"start": []}, "start"
    for line in text.splitlines():
        if line.startswith("@@ "):
            current = line[3:]
            found.setdefault(current, [])
        else:
            found[current].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def environment(name):
    """What a group adds to the environment of its children."""
    return getattr(importlib.import_module(f"{cases.__name__}.{name}"), "ENVIRONMENT", {})


def run(entries, folder, library, config, validate=True, more=None):
    """Runs entries of `write_case` in children, another one for the rest each time that one dies.

    `more` adds to their environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results, output = folder / "results.jsonl", folder / "output.txt"
    results.write_text("")
    faults, everything = {entry["name"]: [] for entry in entries} | {OUTSIDE: []}, {}
    job = {"library": str(library), "options": config.options, "limit": LIMITS[config.precision]}
    job["results"] = str(results)
    python = sys.executable if library == "reference" else PYTHON
    command = [str(OLDEST if config.oldest else python), str(CHILD), str(folder / "job.json")]
    env = drivers.environment(config.driver, validate) | (more or {})
    waiting = list(entries)
    while waiting:
        (folder / "job.json").write_text(json.dumps(dict(job, cases=waiting), indent=1))
        with output.open("wb") as out:
            try:
                child = subprocess.run(
                    command, stdout=out, stderr=subprocess.STDOUT, env=env, timeout=TIMEOUT
                )
                code, end = child.returncode, f"died with code {child.returncode}"
            except subprocess.TimeoutExpired:
                code, end = 1, f"was still running after {TIMEOUT} s"
        printed = sections(output.read_text(errors="replace"))
        everything.update(printed)
        for section, text in printed.items():
            place = section if section in faults else OUTSIDE
            if ON_HOST in text:
                faults[place].append(f"computed on the host, during {section}:\n{text}")
            if drivers.validation_messages(text):
                faults[place].append(f"validation layer, during {section}:\n{text}")
        if code == 0:
            break
        last = list(printed)[-1]
        tail = "\n".join(printed[last].splitlines()[-30:])
        faults[last if last in faults else OUTSIDE].append(f"the process {end} during {last!r}:\n{tail}")
        started = sum(entry["name"] in printed for entry in waiting)
        if not started:
            break
        waiting = waiting[started:]
    records = {record["case"]: record for record in map(json.loads, results.read_text().splitlines())}
    for entry in entries:
        name = entry["name"]
        if name in records:
            faults[name] += records[name]["faults"]
        elif not faults[name]:
            faults[name].append("not run")
    return Outcome(faults, records, everything)
