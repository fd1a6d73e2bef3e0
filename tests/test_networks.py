"""The networks that the benchmark measures are the published ones, and their numbers stay healthy."""

import pathlib
import sys

import host
import numpy as np
import pytest
from model import OPERATORS, generator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import networks  # noqa: E402

CLASSIFIERS = [name for name in networks.NETWORKS if name != "fully_connected_4096"]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_size(name):
    """Parameters to the last one; multiply-adds as far as those who publish them agree how to count."""
    _, parameters, millions = networks.NETWORKS[name]
    n = networks.network(name)
    assert n.parameters == parameters
    assert n.multiply_adds / 1e6 == pytest.approx(millions, rel=0.06)


def probabilities(it, x):
    """The classes' probabilities of one picture."""
    it.set_tensor(it.get_input_details()[0]["index"], x)
    it.invoke()
    return host.results(it)[0][0]


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_health(name, half):
    """No layer's numbers vanish or explode; the classes differ, and so do the results for two pictures."""
    n = networks.network(name, half)
    it = host.Interpreter(model_content=n.graph.build(), experimental_preserve_all_tensors=True)
    it.allocate_tensors()
    first, second = generator(name).uniform(-1, 1, (2, 1, 224, 224, 3)).astype("float32")
    other, result = probabilities(it, second), probabilities(it, first)
    strange = {}
    for node in n.graph.nodes:
        name = OPERATORS[n.graph.codes[node.opcodeIndex][0]]
        if name not in ("DEQUANTIZE", "SOFTMAX"):
            x = np.float64(it.get_tensor(int(node.outputs[0])))
            size = float(np.sqrt(np.mean(x**2)))
            if not 0.1 < size < 10:
                strange[f"{n.graph.tensors[node.outputs[0]].name} {name}"] = size
    assert not strange
    assert result.max() > 0.01  # ten times what it would be if no class stood out
    assert abs(result - other).max() > 0.02 * result.max()
