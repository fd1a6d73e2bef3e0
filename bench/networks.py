"""Writes the classification networks that `make bench` measures, and one large matrix product.

    networks.py [--fp16] [NAME ...]        writes build/bench/NAME.tflite, or NAME_fp16.tflite

Every layer is the published one, for pictures of 224 x 224 and 1000 classes, with the batch normalisations
folded into the convolutions.  The weights are random, from a seed, and scaled as He et al. (2015) do it, so
that the numbers keep their size from layer to layer: fp16 then loses what it loses in a trained network,
and the classes differ.  With --fp16 the file holds the weights in 16 bits, followed by DEQUANTIZE.
"""

import argparse
import dataclasses
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
from model import SEED, Graph  # noqa: E402

FOLDER = ROOT / "build" / "bench"
NORMAL = np.linspace(-8, 8, 16001)


def moment(function):
    """The mean square of a function of normal numbers."""
    density = np.exp(-(NORMAL**2) / 2)
    return float(np.sum(function(NORMAL) ** 2 * density) / np.sum(density))


def hard_sigmoid(x):
    """What HARD_SWISH and a squeeze-and-excitation multiply with."""
    return np.clip(x + 3, 0, 6) / 6


MOMENTS = {
    "NONE": 1.0,
    "RELU": moment(lambda x: np.maximum(x, 0)),
    "RELU6": moment(lambda x: np.clip(x, 0, 6)),
    "HARD_SWISH": moment(lambda x: x * hard_sigmoid(x)),
}
GATE = moment(hard_sigmoid)
# What averaging over a picture leaves of the mean square of numbers that are seldom negative.
POOLED = 0.5


@dataclasses.dataclass
class Map:
    """A tensor [1, size, size, channels], and the mean square that its numbers should have."""

    tensor: int
    size: int
    channels: int
    moment: float


class Network:
    """A graph that knows how many parameters and multiply-adds it has.

    parameters     weights and biases, and the scales of the batch normalisations that were folded in
    multiply_adds  of convolutions and fully connected layers
    """

    def __init__(self, name, half=False):
        self.graph, self.half = Graph(name), half
        self.parameters, self.multiply_adds = 0, 0

    def picture(self, size=224, channels=3):
        """The network's input, numbers of -1..1."""
        tensor = self.graph.input(1, size, size, channels, low=-1, high=1)
        return Map(tensor, size, channels, 1 / 3)

    def constant(self, array):
        """Weights, in 16 bits where that was asked for."""
        self.parameters += array.size
        if not self.half:
            return self.graph.const(array)
        return self.graph.op("DEQUANTIZE", self.graph.const(array.astype("float16")), version=3)

    def weights(self, shape, taps, x, gain):
        """Weights and biases after which the sums of `taps` products have the mean square gain^2."""
        weights = self.graph.normal(*shape, scale=gain / np.sqrt(taps * x.moment))
        biases = self.graph.normal(shape[-1] if shape[0] == 1 else shape[0], scale=0.1 * gain)
        return self.constant(weights), self.constant(biases)

    def convolution(self, x, channels, kernel=1, stride=1, activation="NONE", **more):
        """A convolution; `more` may be normalised=False, gain, or fixed=True: PAD is a node of its own."""
        taps = kernel * kernel * x.channels
        shape = (channels, kernel, kernel, x.channels)
        return self._window("CONV_2D", x, shape, taps, stride, activation, **more)

    def depthwise(self, x, kernel, stride=1, activation="NONE"):
        """A depthwise convolution."""
        shape = (1, kernel, kernel, x.channels)
        options = {"depth_multiplier": 1}
        return self._window("DEPTHWISE_CONV_2D", x, shape, kernel * kernel, stride, activation, **options)

    def _window(
        self, name, x, shape, taps, stride, activation, normalised=True, gain=1.0, fixed=False, **options
    ):
        # At the edge of a small map many taps see zeros.
        reach = shape[1] // 2
        inside = 1 - reach * (reach + 1) / (shape[1] * x.size)
        weights, biases = self.weights(shape, taps * inside**2, x, gain)
        channels = shape[-1] if shape[0] == 1 and name != "CONV_2D" else shape[0]
        self.parameters += channels * normalised
        tensor, padding = x.tensor, "SAME"
        if fixed and shape[1] > 1:
            before = (shape[1] - 1) // 2
            border = np.array([[0, 0], [before, before], [before, before], [0, 0]], "int32")
            tensor, padding = self.graph.op("PAD", tensor, self.graph.const(border)), "VALID"
        fused = activation if activation != "HARD_SWISH" else "NONE"
        options |= {"stride_w": stride, "stride_h": stride, "padding": padding, "activation": fused}
        tensor = self.graph.op(name, tensor, weights, biases, **options)
        if activation == "HARD_SWISH":
            tensor = self.graph.op("HARD_SWISH", tensor)
        size = -(-x.size // stride)
        self.multiply_adds += size * size * taps * channels
        return Map(tensor, size, channels, gain * gain * MOMENTS[activation])

    def add(self, x, y, activation="NONE"):
        """A residual connection."""
        tensor = self.graph.op("ADD", x.tensor, y.tensor, activation=activation)
        return dataclasses.replace(x, tensor=tensor, moment=x.moment + y.moment * MOMENTS[activation])

    def average(self, x, keep_dims=False):
        """The mean over the picture."""
        axes = self.graph.const(np.array([1, 2], "int32"))
        tensor = self.graph.op("MEAN", x.tensor, axes, keep_dims=keep_dims)
        return Map(tensor, 1, x.channels, POOLED * x.moment)

    def excite(self, x, squeezed):
        """A squeeze-and-excitation: every channel times a gate that depends on the means of all."""
        y = self.convolution(self.average(x, keep_dims=True), squeezed, activation="RELU", normalised=False)
        y = self.convolution(y, x.channels, normalised=False)
        three, sixth = (self.graph.const(np.float32(n)) for n in (3, 1 / 6))
        gate = self.graph.op("MUL", self.graph.op("ADD", y.tensor, three, activation="RELU6"), sixth)
        return dataclasses.replace(x, tensor=self.graph.op("MUL", x.tensor, gate), moment=x.moment * GATE)

    def classify(self, x, classes=1000):
        """The output: probabilities of classes for the means in `x`, of which a few stand out."""
        weights, biases = self.weights((classes, x.channels), x.channels, x, gain=3.0)
        self.multiply_adds += classes * x.channels
        logits = self.graph.op("FULLY_CONNECTED", x.tensor, weights, biases)
        self.graph.output(self.graph.op("SOFTMAX", logits, beta=1.0))


def mobilenet_v1(n):
    """Howard et al., MobileNets, 2017, table 1."""
    x = n.convolution(n.picture(), 32, 3, 2, "RELU6")
    halving = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    for channels, stride in [*halving, *[(512, 1)] * 5, (1024, 2), (1024, 1)]:
        x = n.convolution(n.depthwise(x, 3, stride, "RELU6"), channels, activation="RELU6")
    n.classify(n.average(x))


def inverted_residual(n, x, channels, kernel, stride, expanded, activation="RELU6", squeezed=0):
    """Expand, depthwise, perhaps excite, project; the way around where the shape stays."""
    y = x
    if expanded != x.channels:
        y = n.convolution(y, expanded, activation=activation)
    y = n.depthwise(y, kernel, stride, activation)
    if squeezed:
        y = n.excite(y, squeezed)
    around = stride == 1 and channels == x.channels
    y = n.convolution(y, channels, gain=0.5 if around else 1.0)
    return n.add(x, y) if around else y


def repeated(n, x, stages):
    """Stages of inverted residuals: (expansion, channels, blocks, stride, kernel)."""
    for expansion, channels, blocks, stride, kernel in stages:
        for block in range(blocks):
            expanded = expansion * x.channels
            x = inverted_residual(n, x, channels, kernel, stride if block == 0 else 1, expanded)
    return x


def mobilenet_v2(n):
    """Sandler et al., MobileNetV2, 2018, table 2."""
    x = n.convolution(n.picture(), 32, 3, 2, "RELU6")
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3)]
    x = repeated(n, x, [*stages, (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)])
    n.classify(n.average(n.convolution(x, 1280, activation="RELU6")))


def efficientnet_lite0(n):
    """TensorFlow's EfficientNet-Lite, 2020: B0 without squeeze-and-excitation, with RELU6."""
    x = n.convolution(n.picture(), 32, 3, 2, "RELU6")
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5)]
    x = repeated(n, x, [*stages, (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)])
    n.classify(n.average(n.convolution(x, 1280, activation="RELU6")))


def mobilenet_v3_large(n):
    """Howard et al., Searching for MobileNetV3, 2019, table 1."""
    relu, swish = "RELU", "HARD_SWISH"
    x = n.convolution(n.picture(), 16, 3, 2, swish)
    # kernel, expanded, channels, squeezed, activation, stride
    blocks = [
        (3, 16, 16, 0, relu, 1),
        (3, 64, 24, 0, relu, 2),
        (3, 72, 24, 0, relu, 1),
        (5, 72, 40, 24, relu, 2),
        (5, 120, 40, 32, relu, 1),
        (5, 120, 40, 32, relu, 1),
        (3, 240, 80, 0, swish, 2),
        (3, 200, 80, 0, swish, 1),
        (3, 184, 80, 0, swish, 1),
        (3, 184, 80, 0, swish, 1),
        (3, 480, 112, 120, swish, 1),
        (3, 672, 112, 168, swish, 1),
        (5, 672, 160, 168, swish, 2),
        (5, 960, 160, 240, swish, 1),
        (5, 960, 160, 240, swish, 1),
    ]
    for kernel, expanded, channels, squeezed, activation, stride in blocks:
        x = inverted_residual(n, x, channels, kernel, stride, expanded, activation, squeezed)
    x = n.average(n.convolution(x, 960, activation=swish), keep_dims=True)
    x = n.convolution(x, 1280, activation=swish, normalised=False)
    flat = n.graph.op("RESHAPE", x.tensor, n.graph.const(np.array([1, 1280], "int32")), new_shape=[1, 1280])
    n.classify(dataclasses.replace(x, tensor=flat))


def resnet50(n):
    """He et al., 2015, with the stride in the 3 x 3 convolutions (v1.5)."""
    x = n.convolution(n.picture(), 64, 7, 2, "RELU", fixed=True)
    pool = {"filter_width": 3, "filter_height": 3, "stride_w": 2, "stride_h": 2, "padding": "SAME"}
    x = dataclasses.replace(x, tensor=n.graph.op("MAX_POOL_2D", x.tensor, **pool), size=56, moment=2.0)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage else 1
            y = n.convolution(x, inner, activation="RELU")
            y = n.convolution(y, inner, 3, stride, "RELU", fixed=stride > 1)
            y = n.convolution(y, 4 * inner, gain=0.5)
            if block == 0:
                x = n.convolution(x, 4 * inner, stride=stride)
            x = n.add(x, y, "RELU")
    n.classify(n.average(x))


def fully_connected_4096(n, size=4096):
    """The product of two matrices of 4096 x 4096, one of them constant."""
    tensor = n.graph.input(size, size, low=-1, high=1)
    x = Map(tensor, size, size, 1 / 3)
    n.multiply_adds += size**3
    n.graph.output(n.graph.op("FULLY_CONNECTED", tensor, *n.weights((size, size), size, x, 1.0)))


# name: (how it is made, published parameters, published multiply-adds in millions)
NETWORKS = {
    "mobilenet_v1": (mobilenet_v1, 4_231_976, 569),
    "mobilenet_v2": (mobilenet_v2, 3_504_872, 300),
    "mobilenet_v3_large": (mobilenet_v3_large, 5_483_032, 219),
    "efficientnet_lite0": (efficientnet_lite0, 4_652_008, 407),
    "resnet50": (resnet50, 25_557_032, 4_090),
    "fully_connected_4096": (fully_connected_4096, 4096 * 4097, 68_719),
}


def network(name, half=False):
    """A network of the table."""
    n = Network(name, half)
    NETWORKS[name][0](n)
    return n


def write(name, half=False):
    """Writes a network to its file; returns both."""
    path = FOLDER / f"{name}{'_fp16' if half else ''}.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    n = network(name, half)
    path.write_bytes(n.graph.build())
    return path, n


def main():
    """Writes the networks named on the command line, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--fp16", action="store_true", help="store the weights in 16 bits")
    a = parser.parse_args()
    if unknown := set(a.names) - NETWORKS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NETWORKS)}")
    print(f"seed {SEED} (TFLITE_VULKAN_SEED)")
    for name in a.names or NETWORKS:
        path, n = write(name, a.fp16)
        print(f"{path}: {n.parameters:,} parameters, {n.multiply_adds / 1e6:,.0f} million multiply-adds")


if __name__ == "__main__":
    main()
