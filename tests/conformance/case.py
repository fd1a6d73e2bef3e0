"""One test case: a model, the input shapes to run it with, and what the delegate must take of it."""

import dataclasses

import numpy as np
from model import DTYPES, Graph, generator


@dataclasses.dataclass
class Case:
    """A model that runs with and without the delegate and must give the same outputs.

    graph    the model; its name is the case's name
    resizes  further shapes of all inputs, run in turn; then everything repeats from the declared shapes
    left     operators that must stay on the CPU, with their number; by default none
    partitions  how many delegate nodes the graph must have
    oldest   whether the oldest host can run it without the delegate
    values   the inputs of two runs, in place of draws; not run in fp16, which may not hold them
    exact    whether the outputs must have the same bytes, in fp32
    placeholder  whether open sizes are stored as 1, as converters do
    follows  the stock kernels that it must equal, "plain" or "default" (XNNPACK) or both; by default the
             plain ones, unless they lack one of the operators
    sensitive  whether its result jumps, so that the library may keep it in fp32 where fp16 was asked for
    options  further options of the delegate
    twin     the graph whose stock kernels it must equal instead of its own
    near     the largest error against its own stock kernels, where it has a twin
    stateful   whether a run depends on those before it
    logs     what the log must say, with the log_level of the options
    """

    graph: Graph
    resizes: list = ()
    left: dict = dataclasses.field(default_factory=dict)
    partitions: int = 1
    oldest: bool = True
    values: list = ()
    exact: bool = False
    placeholder: bool = False
    follows: tuple = ()
    sensitive: bool = False
    options: dict = dataclasses.field(default_factory=dict)
    twin: Graph | None = None
    near: float = 0.05
    stateful: bool = False
    logs: str = ""

    @property
    def name(self):
        """Unique within its group."""
        return self.graph.name

    def model(self):
        """The bytes of the .tflite file."""
        return self.graph.build(self.resizes[0] if self.resizes else None, self.placeholder)

    def runs(self):
        """The inputs of each run: two draws for every shape, then the first draw again."""
        if self.values:
            return [self.values, self.values]
        shapes = [self.graph.input_shapes(), *self.resizes]
        drawn = [self._draw(s, n) for n, s in enumerate(shapes)] + [self._draw(shapes[0], len(shapes))]
        return drawn + drawn[:1]

    def _draw(self, shapes, number):
        random, tensors = generator(self.name, "input", number), []
        for t, shape, span in zip(self.graph.inputs, shapes, self.graph.ranges):
            dtype = next(name for name, code in DTYPES.items() if code == self.graph.tensors[t].type)
            low, high, step = span or ((0, 2, None) if dtype == "bool" else (-9, 10, None))
            if np.dtype(dtype).kind != "f":
                x = random.integers(low, high, shape)
            elif span is None:
                x = random.normal(0, 1, shape)
            elif step is None:
                x = random.uniform(low, high, shape)
            else:
                x = random.integers(round(low / step), round(high / step) + 1, shape)
                x = np.where(x == 0, 1, x) * step
            tensors.append(np.asarray(x).astype(dtype))
        return tensors
