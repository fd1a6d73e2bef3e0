"""What is made wrong: the conformance cases' small graphs, and the networks of build/models."""

import dataclasses
import pathlib
import random

import drivers
from conformance import group

import mutation.mutate as mutate

LARGEST = 16384  # elements of a small graph's inputs
SMALL_FILE, REAL_FILE = 60_000, 1_300_000  # bytes
STEPS = 4  # shapes of a sequence, besides the declared ones at its end
SIZES = (0, 1, 2, 3, 5, 8, 17, 64, 300)


@dataclasses.dataclass
class Source:
    """A model with the shapes of its inputs and their ranges: (low, high, step) or None each."""

    name: str
    data: bytes
    ranges: list
    shapes: list


def small():
    """One model for each conformance case that is small: most have one node, fusions a few."""
    found = []
    for name in group.names():
        for case in group.load(name).values():
            shapes = case.graph.input_shapes()
            if sum(elements(dims) for dims in shapes) > LARGEST:
                continue
            data = case.model()
            if len(data) <= SMALL_FILE:
                found.append(Source(f"{name} {case.name}", data, case.graph.ranges, shapes))
    return found


def real():
    """The networks that are not large."""
    paths = sorted((drivers.ROOT / "build" / "models").rglob("*.tflite"))
    paths = [path for path in paths if path.stat().st_size <= REAL_FILE]
    return [Source(f"{path.parent.name}/{path.name}", path.read_bytes(), [], []) for path in paths]


def elements(dims):
    """The number of elements of a shape."""
    count = 1
    for n in dims:
        count *= n
    return count


@dataclasses.dataclass
class Trial:
    """A model and what is done with it; `name` repeats it, given the seed."""

    name: str
    said: str
    data: bytes
    ranges: list
    steps: list
    defined: bool

    def task(self, path, seed):
        """What the child needs, the model being stored at this path."""
        pathlib.Path(path).write_bytes(self.data)
        return {"model": str(path), "ranges": self.ranges, "seed": seed, "steps": self.steps, "shake": 0}


def hybrid(data):
    """Whether a node has operands both of floats and of 8 or 4 bits, as those with quantised weights."""
    types = mutate.schema.TensorType
    kinds = {types.FLOAT32: "float", types.INT8: "few", types.INT4: "few"}

    def of(graph, node):
        known = (i for i in mutate.listed(node.inputs) if 0 <= i < len(graph.tensors))
        return {kinds.get(graph.tensors[i].type) for i in known}

    graphs = mutate.load(data).subgraphs
    return any(of(graph, node) >= {"float", "few"} for graph in graphs for node in graph.operators)


def mutant(sources, seed, kind, number):
    """A mutant of one of the sources."""
    for attempt in range(100):
        draws = random.Random(f"{seed} {kind} {number} {attempt}")
        source = draws.choice(sources)
        made = mutate.mutant(source.data, draws)
        if made and made[1]:
            data, said = made
            said += ["hybrid weights"] * hybrid(data)
            text = f"{source.name}: {'; '.join(said)}"
            return Trial(f"{kind}-{number}", text, data, source.ranges, [None], mutate.settled(data))
    raise RuntimeError("no mutation leaves a model")


def sequence(sources, seed, number):
    """Four shapes of a source's inputs, then the declared ones."""
    draws = random.Random(f"{seed} resize {number}")
    source = draws.choice([s for s in sources if s.shapes])
    batch = draws.random() < 0.5
    steps = []
    for _ in range(STEPS):
        n = draws.choice((0, 1, 2, 5, 9))
        steps.append(
            [[n, *dims[1:]] if dims else [] for dims in source.shapes]
            if batch
            else [resized(dims, draws) for dims in source.shapes]
        )
    steps.append([list(dims) for dims in source.shapes])
    text = f"{source.name}: {steps}"
    return Trial(f"resize-{number}", text, source.data, source.ranges, steps, True)


def resized(dims, draws):
    """A shape with up to two other sizes, seldom of another rank; as large as before or small."""
    dims = list(dims)
    for _ in range(draws.choice((0, 1, 1, 2))):
        if dims and draws.random() < 0.9:
            at = draws.randrange(len(dims))
            new = dims[:at] + [draws.choice(SIZES)] + dims[at + 1 :]
            dims = new if elements(new) <= 4 * LARGEST else dims
        elif draws.random() < 0.5:
            dims = dims + [1]
        else:
            dims = dims[1:]
    return dims
