"""Runs models on the CPU and on Vulkan with the same inputs."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from ._files import path
from ._host import Host, texts
from ._why import captured, parse


class Times(NamedTuple):
    """Milliseconds."""

    load: float
    first: float
    median: float
    least: float
    runs: int


class Loaded(NamedTuple):
    """An interpreter that is ready to be invoked, and how long that took in milliseconds."""

    interpreter: Any
    load: float
    taken: str
    """How many nodes are on Vulkan, as "97 of 97"."""


def load(host: Host, model: str, options: dict[str, Any] | None, threads: int) -> Loaded:
    """Allocates a model; without options on the CPU, else with the delegate, which must find a device."""
    with quietly(options) as lines:
        begin, delegates = time.perf_counter(), None
        if options is not None:
            asked = {"require_device": True, "log_level": "info"} | options
            delegates = [host.load_delegate(str(path()), texts(asked))]
        interpreter = host.Interpreter(model, num_threads=threads, experimental_delegates=delegates)
        interpreter.allocate_tensors()
        milliseconds = 1e3 * (time.perf_counter() - begin)
    nodes = [node for subgraph in parse(lines).totals for node in subgraph]
    return Loaded(interpreter, milliseconds, f"{sum(nodes[::2])} of {sum(nodes[1::2])}" if nodes else "0")


@contextlib.contextmanager
def quietly(options: dict[str, Any] | None) -> Iterator[list[str]]:
    """Keeps the log back but for warnings; all of it is shown to who has asked for a level."""
    lines: list[str] = []
    try:
        with captured() as lines:
            yield lines
    finally:
        asked = options is not None and "log_level" in options
        for line in lines if asked else parse(lines).messages:
            print(line, file=sys.stderr)


def random_inputs(interpreter: Any, seed: int) -> list[Any]:
    """Floats between -1 and 1, small integers, booleans."""
    import numpy

    random = numpy.random.default_rng(seed)

    def draw(detail: Any) -> Any:
        kind = numpy.dtype(detail["dtype"])
        shape = tuple(detail["shape"])
        if kind.kind == "f":
            return random.uniform(-1, 1, shape).astype(kind)
        if kind.kind in "iu" and kind.itemsize == 1:
            limits = numpy.iinfo(kind)
            return random.integers(limits.min, limits.max, shape, kind, endpoint=True)
        return random.integers(0, 2, shape).astype(kind)

    return [draw(detail) for detail in interpreter.get_input_details()]


def give(interpreter: Any, inputs: list[Any]) -> None:
    """Sets the inputs; resizes where a shape is another."""
    details = interpreter.get_input_details()
    if len(details) != len(inputs):
        raise ValueError(f"the model takes {len(details)} inputs, not {len(inputs)}")
    for detail, x in zip(details, inputs):
        if tuple(detail["shape"]) != x.shape:
            interpreter.resize_tensor_input(detail["index"], x.shape)
    interpreter.allocate_tensors()
    for detail, x in zip(details, inputs):
        interpreter.set_tensor(detail["index"], x)


def results(interpreter: Any) -> list[tuple[str, Any]]:
    """Names and copies of the outputs."""
    return [(d["name"], interpreter.get_tensor(d["index"]).copy()) for d in interpreter.get_output_details()]


def times(loaded: Loaded, runs: int, seconds: float) -> Times:
    """Invokes at least three times, then until `runs` or `seconds` are over; the first counts apart."""

    def once() -> float:
        begin = time.perf_counter()
        loaded.interpreter.invoke()
        return 1e3 * (time.perf_counter() - begin)

    first = once()
    for _ in range(2):
        once()
    begin, all_times = time.perf_counter(), []
    while len(all_times) < runs and (len(all_times) < 3 or time.perf_counter() - begin < seconds):
        all_times.append(once())
    all_times.sort()
    return Times(loaded.load, first, all_times[len(all_times) // 2], all_times[0], len(all_times))
