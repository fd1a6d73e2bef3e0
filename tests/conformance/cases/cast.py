"""CAST between all types, with the numbers at the ends of each."""

import numpy as np
from model import Graph

from ..case import Case

INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
FLOATS = ("float32", "float16")
TYPES = FLOATS + INTEGERS + ("bool",)
INF, NAN = float("inf"), float("nan")
# Integers whose float has to be rounded: ties to even and their neighbours.
HARD = [2**24 + 1, 2**24 + 3, 2**25 + 2, 2**31 - 1, 2**53 + 1, 2**62 + 2**38, 2**62 + 2**38 + 1, 2**63 - 1]
HALVES = [2049, 2051, 4098, 65503, 65504, 65519, 65520, 70000]
FRACTIONS = [0.0, -0.0, 0.5, -0.5, 0.999, -0.999, 1.5, 2.5, -2.5, 99.99, 127.4, 6e-8, -1e-7, 1e-40, 65504.0]
SHAPES = [(), (1,), (7,), (3, 5), (1, 7, 5, 3), (2, 3, 1, 2, 1, 5)]


def numbers(source, target):
    """What the target can hold of the source's numbers, its ends among them."""
    if source == "bool":
        return np.array([True, False, True])
    if source in INTEGERS:
        info = np.iinfo(source)
        wide = [
            0,
            1,
            -1,
            5,
            100,
            127,
            128,
            255,
            256,
            -128,
            -129,
            info.max,
            info.max - 1,
            info.min,
            info.min + 1,
        ]
        wide += [sign * n for n in HARD + HALVES for sign in (1, -1)]
        return np.array([n for n in wide if info.min <= n <= info.max], source)
    with np.errstate(over="ignore"):
        found = np.array(FRACTIONS + [2.0**31 - 128, -(2.0**31), 2.0**62, -(2.0**63), 3e38], source)
    found = np.concatenate([found, np.array([1024.5, -2048.0, 32767.0, 32767.9, -32768.9, 255.9], source)])
    if target in FLOATS + ("bool",):
        return np.concatenate([found, np.array([INF, -INF, NAN], source)])
    info = np.iinfo(target)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.trunc(found.astype(np.float64))
    return found[np.isfinite(whole) & (whole >= info.min) & (whole <= info.max)]


def cast(source, target, values=None, shape=None):
    """One node."""
    shape = np.shape(values) if shape is None else shape
    label = "" if values is not None else f" {list(shape)}"
    g = Graph(f"CAST {source} to {target}{label}")
    x = g.input(*shape, dtype=source)
    g.output(g.op("CAST", x, dtype=target))
    values = [] if values is None else [values]
    return Case(g, oldest=False, values=values, exact=True)


def cases():
    """Every pair of types, and every shape for some."""
    for source in TYPES:
        for target in TYPES:
            yield cast(source, target, numbers(source, target))
    for source, target in (("uint8", "int64"), ("int32", "int8"), ("bool", "int16"), ("int64", "bool")):
        for shape in SHAPES:
            yield cast(source, target, shape=shape)
    beyond = {"int32": 1e9, "int16": 3e5, "uint8": 3e4}
    for target, step in beyond.items():
        yield saturated(target, np.float32([step * n for n in (-4, -3, 3, 4)] + [INF, -INF]))
    g = Graph("CAST there and back through the narrow types")
    x = g.input(3, 7, dtype="int32", low=-100, high=300)
    for target in ("uint8", "int16", "int8", "bool", "float32", "int64", "float16"):
        g.output(g.op("CAST", g.op("CAST", x, dtype=target), dtype="int32"))
    yield Case(g, oldest=False, exact=True)
    g = Graph("CAST of a constant")
    g.output(g.op("ADD", g.op("CAST", g.const(np.int8([-3, 0, 127]))), g.input(3), activation="NONE"))
    yield Case(g, oldest=False)


def saturated(target, values):
    """Floats beyond the type."""
    g = Graph(f"CAST float32 beyond {target}")
    g.output(g.op("CAST", g.input(len(values)), dtype=target))
    return Case(g, oldest=False, values=[values], exact=True)
