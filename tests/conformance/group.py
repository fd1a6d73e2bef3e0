"""Runs one operator's cases in child processes and sorts what they print by case."""

import importlib
import json
import pkgutil
import subprocess
import sys

import drivers
import numpy as np

from . import cases

CHILD = drivers.ROOT / "tests" / "conformance" / "child.py"
LIMITS = {"fp32": 1e-4, "fp16": 1e-2}
TIMEOUT = 600  # seconds for one child


def names():
    """The groups: one per file in cases/."""
    return sorted(m.name for m in pkgutil.iter_modules(cases.__path__))


def load(name):
    """The cases of a group by name."""
    listed = list(importlib.import_module(f"{cases.__name__}.{name}").cases())
    by_name = {case.name: case for case in listed}
    if len(by_name) != len(listed):
        raise ValueError(f"{name}: two cases have the same name")
    return by_name


def write_case(folder, number, case):
    """Stores a case for the child; returns its entry in the job."""
    (folder / f"{number}.tflite").write_bytes(case.model())
    arrays = {f"{run}_{i}": x for run, inputs in enumerate(case.runs()) for i, x in enumerate(inputs)}
    np.savez(folder / f"{number}.npz", **arrays)
    kernels = "default" if case.graph.has_custom else "plain"
    entry = {"name": case.name, "file": str(number), "kernels": kernels}
    return dict(entry, left=case.left, partitions=case.partitions)


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


def run(selected, folder, library, options, driver, limit, python=sys.executable, validate=True):
    """Runs cases; returns {name: faults}, with "start and exit" for what belongs to no case.

    A child that dies is followed by another for the cases that are left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.jsonl"
    results.write_text("")
    faults, waiting = {case.name: [] for case in selected} | {"start and exit": []}, []
    for number, case in enumerate(selected):
        try:
            waiting.append(write_case(folder, number, case))
        except RuntimeError as refused:
            faults[case.name].append(f"the stock interpreter refuses the model: {refused}")
    env = drivers.environment(driver, validate)
    while waiting:
        job = {"folder": str(folder), "results": str(results), "library": str(library), "options": options}
        (folder / "job.json").write_text(json.dumps(dict(job, limit=limit, cases=waiting)))
        output = folder / "output.txt"
        with output.open("wb") as out:
            command = [str(python), str(CHILD), str(folder / "job.json")]
            try:
                code = subprocess.run(
                    command, stdout=out, stderr=subprocess.STDOUT, env=env, timeout=TIMEOUT
                ).returncode
                end = f"died with code {code}"
            except subprocess.TimeoutExpired:
                code, end = 1, f"still running after {TIMEOUT} s"
        printed = sections(output.read_text(errors="replace"))
        for section, text in printed.items():
            if drivers.validation_messages(text):
                faults[section if section in faults else "start and exit"].append(
                    "validation layer:\n" + text
                )
        if code == 0:
            break
        last = list(printed)[-1]
        tail = "\n".join(printed[last].splitlines()[-30:])
        place = last if last in faults else "start and exit"
        faults[place].append(f"the process {end} in {last!r}:\n{tail}")
        started = [number for number, entry in enumerate(waiting) if entry["name"] in printed]
        if not started or last == "exit":
            for entry in waiting if not started else []:
                faults[entry["name"]].append("not run: the process died before its first case")
            break
        waiting = waiting[started[-1] + 1 :]
    records = {r["case"]: r for r in map(json.loads, results.read_text().splitlines())}
    for name in faults.keys() - {"start and exit"}:
        if name in records:
            faults[name] += records[name]["faults"]
        elif not faults[name]:
            faults[name].append("no result")
    return faults
