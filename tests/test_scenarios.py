"""Life cycles, threads, options and devices: scenarios.py and refusals, each in a fresh process."""

import json
import re
import subprocess
import sys

import drivers
import numpy as np
import pytest
from conformance import group
from conformance.cases.conv_2d import convolution
from conformance.cases.dynamic import network
from model import Graph

FOLDER = drivers.ROOT / "build" / "tests" / "scenarios"
SCRIPT = drivers.ROOT / "tests" / "scenarios.py"
OPTIONS = (
    "allow_precision_loss",
    "allow_software",
    "cache_dir",
    "device",
    "enable_quantization",
    "enable_quantized_inference",
    "experimental_flags",
    "first_delegate_node_index",
    "inference_preference",
    "inference_priority1",
    "inference_priority2",
    "inference_priority3",
    "is_precision_loss_allowed",
    "last_delegate_node_index",
    "log_level",
    "max_delegated_partitions",
    "model_token",
    "precision",
    "profile",
    "require_device",
    "serialization_dir",
    "tune",
    "wait_type",
)
ON_EVERY_DRIVER = (
    "several",
    "shared_delegate",
    "threads",
    "wandering",
    "creating_threads",
    "delegate_first",
    "globals_at_exit",
    "never_invoked",
    "partly",
    "one_partition",
    "nothing_taken",
    "malformed",
    "filled_input",
    "cache",
    "hostile_cache",
    "learned",
    "profile",
)


def bucketize(g, x):
    """An operator that stays on the CPU for good."""
    return g.op("BUCKETIZE", x, boundaries=[-0.5, 0.0, 0.5], dtype="int32")


def malformed():
    """Models that contradict themselves, by name."""
    names = ("circle", "twice", "int_result", "wide_index", "wide_shape", "sparse_bomb", "huge")
    graphs = {name: Graph(name) for name in names}
    g = graphs["circle"]
    g.output(g.op("NEG", g.op("RELU", g.input(2, 8))))
    g.nodes[0].inputs = g.nodes[0].outputs
    g = graphs["twice"]
    x = g.input(2, 8)
    g.output(g.op("ABS", g.op("NEG", x)))
    g.op("RELU", x)
    g.nodes[2].outputs = g.nodes[0].outputs
    g.nodes[1], g.nodes[2] = g.nodes[2], g.nodes[1]
    g = graphs["int_result"]
    x = g.input(2, 8)
    g.output(g.op("MUL", g.op("ADD", x, x, dtype="int32"), x))
    g = graphs["wide_index"]
    g.output(g.op("ARG_MAX", g.input(2, 8), g.const(np.int32([1])), output_type=4, dtype="int32"))
    g = graphs["wide_shape"]
    g.output(g.op("SHAPE", g.input(2, 8), out_type=4, dtype="int32"))
    g = graphs["sparse_bomb"]
    x, value = g.input(2, 8), g.sparse(np.ones((1, 8), "float32"), formats="sd")
    dense = g.op("DENSIFY", value)
    g.tensors[value].shape = [1 << 20, 1 << 18]
    g.tensors[value].sparsity.dimMetadata[1].denseSize = 1 << 18
    g.output(g.op("PADV2", x, g.const(np.zeros((2, 2), "int32")), dense))
    g.tensors[dense].shape = [1 << 20, 1 << 18]
    g = graphs["huge"]
    wide = g.op("TILE", g.input(1, 1), g.const(np.int32([65536, 65536])))
    g.output(g.op("SUM", wide, g.const(np.int32([0, 1]))))
    shapes = {"huge": {wide: [65536, 65536]}}
    for name, g in graphs.items():
        for t, tensor in enumerate(g.tensors):
            if tensor.buffer == 0 and not tensor.shape and t not in g.inputs:
                tensor.shape = [] if name == "huge" else [2, 8]
            tensor.shape = shapes.get(name, {}).get(t, tensor.shape)
    return {name: g._pack() for name, g in graphs.items()}


@pytest.fixture(scope="session")
def models():
    """The folder with the scenarios' models: a network of open size, graphs of few nodes, one not ours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    graphs = {
        name: Graph(name)
        for name in ("network", "chain", "gap", "foreign", "large", "matrix", "filter", "filled")
    }
    g = graphs["network"]
    g.output(
        g.op("MEAN", network(g, g.input(1, 16, 24, 3, signature=(-1, -1, -1, 3))), g.const(np.int32([1, 2])))
    )
    g = graphs["chain"]
    x = g.input(1, 8, 8, 4)
    g.output(g.op("ADD", x, convolution(g, x, 4, 3, 3, 4), activation="RELU"))
    g = graphs["gap"]
    x = g.op("CAST", bucketize(g, convolution(g, g.input(1, 8, 8, 4), 4, 3, 3, 4)))
    g.output(convolution(g, g.op("LOGISTIC", x), 4, 3, 3, 4))
    g = graphs["large"]
    x = g.op("MUL", g.input(1, 8, 8, 4), g.const(np.float32([100])))
    g.output(g.op("MUL", x, g.const(np.float32([150]))))
    g = graphs["matrix"]
    x = g.input(1, 2048, signature=(-1, 2048))
    g.output(g.op("FULLY_CONNECTED", x, g.weights(4096, 2048), -1))
    g = graphs["filter"]
    x = g.input(1, 4, 4, 512, signature=(1, -1, -1, 512))
    g.output(
        g.op(
            "CONV_2D", x, g.weights(1024, 4, 4, 512), g.weights(1024), padding="VALID", stride_w=1, stride_h=1
        )
    )
    g = graphs["filled"]
    x, w = g.input(2, 8), g.weights(2, 8)
    g.inputs.append(w)
    g.output(g.op("ADD", g.op("MUL", x, w), x))
    g = graphs["foreign"]
    g.output(bucketize(g, g.input(1, 8, 8, 4)))
    others = {"network": [(2, 20, 24, 3)], "matrix": [(2, 2048)], "filter": [(1, 5, 6, 512)]}
    for name, g in graphs.items():
        (FOLDER / f"{name}.tflite").write_bytes(g.build(others.get(name)))
    for name, model in malformed().items():
        (FOLDER / f"{name}.tflite").write_bytes(model)
    return FOLDER


def play(scenario, library, env, *more, python=sys.executable):
    """Runs one scenario; its output, after failing the test if it failed or the validation layer spoke."""
    command = [str(python), str(SCRIPT), scenario, str(library), str(FOLDER), *more]
    child = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=group.TIMEOUT, text=True
    )
    if (
        child.returncode
        or "done" not in child.stdout.split("\n")
        or drivers.validation_messages(child.stdout)
    ):
        pytest.fail(f"{scenario}: exit code {child.returncode}\n{child.stdout}", pytrace=False)
    return child.stdout


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
@pytest.mark.parametrize("scenario", ON_EVERY_DRIVER)
def test_life(models, library, validate, scenario, driver):
    """Scenarios that are the same everywhere."""
    play(scenario, library, drivers.environment(driver, validate))


@pytest.mark.parametrize(
    "scenario", ["several", "delegate_first", "globals_at_exit", "never_invoked", "partly"]
)
def test_life_in_oldest_host(models, library, validate, scenario):
    """The same in tflite-runtime 2.14."""
    play(scenario, library, drivers.environment("lavapipe", validate), python=group.OLDEST)


@pytest.mark.parametrize(
    ("scenario", "driver", "words"),
    [
        ("loops", "lavapipe", []),
        ("loops", "swiftshader", ["keep"]),
        ("resizes_in_one", "lavapipe", []),
        ("resizes_in_one", "swiftshader", []),
        ("one_packing", "lavapipe", []),
        ("one_packing", "swiftshader", []),
    ],
)
def test_memory(models, library, facts, scenario, driver, words):
    """Loops and other shapes do not grow the process."""
    printed = play(scenario, library, drivers.environment(driver), *words)
    facts.append(f"{driver}: {printed.splitlines()[-2]}")


@pytest.mark.parametrize("scenario", ["loops", "resizes_in_one"])
def test_loops_are_valid(models, library, scenario):
    """200 loops under the validation layer, whose own memory is not judged."""
    play(scenario, library, drivers.environment("lavapipe", validate=True), "nomemory")


def test_precision_loss_allowed(models, library, validate):
    """TFLite's own key for fp16."""
    play("precision_loss", library, drivers.environment("lavapipe", validate))


def test_first_inputs_in_fp16(models, library, validate):
    """The log tells what fp16 would do to the first inputs, for the one interpreter where it overflows."""
    printed = play("first_inputs", library, drivers.environment("lavapipe", validate))
    told = re.findall(
        r"values in fp32: else on the first inputs, fp16 moves output \S+ to infinity or NaN", printed
    )
    assert len(told) == 1 and group.KEPT_FP32 not in printed, printed


def test_fp16_on_a_device_without(models, library, validate):
    """SwiftShader has no fp16."""
    play("fp16_without_hardware", library, drivers.environment("swiftshader", validate))


def test_custom_operators(models, library, validate):
    """A model with operators that nobody has: the log names them."""
    printed = play("custom_operators", library, drivers.environment("lavapipe", validate))
    for name in ("Landmarks2TransformMatrix", "TransformTensorBilinear", "TransformLandmarks"):
        assert name in printed.split("taken:")[0], f"the log does not name {name}:\n{printed}"


@pytest.mark.parametrize(
    ("driver", "reason"),
    [("none", "no Vulkan"), ("lavapipe", "allow_software"), ("swiftshader", "allow_software")],
)
def test_no_device(models, library, driver, reason):
    """Without a driver, or with a software device only, the CPU does the work and the log says why."""
    printed = play("no_device", library, drivers.environment(driver))
    assert reason in printed, printed


LOAD = """
import sys, json, host
try:
    host.load_delegate(sys.argv[1], json.loads(sys.argv[2]))
    print("loaded")
except ValueError as error:
    print(error)
"""


def load(library, env, options):
    """Loads the delegate in a child; the text of the ValueError, or "loaded"."""
    command = [sys.executable, "-c", LOAD, str(library), json.dumps(options)]
    env = env | {"PYTHONPATH": str(drivers.ROOT / "python")}
    child = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    return child.stdout.strip()


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("none", {"require_device": "1"}, ["Vulkan"]),
        ("lavapipe", {"require_device": "1"}, ["allow_software"]),
        (
            "lavapipe",
            {"require_device": "1", "allow_software": "1", "device": "no such thing"},
            ["no such thing"],
        ),
        ("lavapipe", {"require_device": "1", "allow_software": "1", "device": "99"}, ["99"]),
        ("none", {"presicion": "fp16"}, ["presicion", *OPTIONS]),
        ("lavapipe", {"allow_software": "1", "presicion": "fp16"}, ["presicion", *OPTIONS]),
        ("lavapipe", {"precision": "fp8"}, ["precision", "fp8", "fp32", "fp16"]),
        ("lavapipe", {"allow_software": "yes"}, ["allow_software", "yes", "0", "1"]),
        ("lavapipe", {"require_device": ""}, ["require_device", "0", "1"]),
        ("lavapipe", {"is_precision_loss_allowed": "2"}, ["is_precision_loss_allowed", "2"]),
        ("lavapipe", {"max_delegated_partitions": "-1"}, ["max_delegated_partitions", "-1"]),
        ("lavapipe", {"max_delegated_partitions": "many"}, ["max_delegated_partitions", "many"]),
        (
            "lavapipe",
            {"log_level": "loud"},
            ["log_level", "loud", "off", "error", "warn", "info", "debug", "trace"],
        ),
    ],
    ids=str,
)
def test_refused(library, driver, options, words):
    """load_delegate raises ValueError; its text holds these words."""
    text = load(library, drivers.environment(driver), options)
    assert text != "loaded"
    assert not [word for word in words if word not in text], text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"device": "0"},
        {"device": "llvmpipe"},
        {"device": "LLVMpipe"},
        {"allow_software": "True", "require_device": "TRUE", "is_precision_loss_allowed": "False"},
        {"precision": "fp32", "log_level": "off", "max_delegated_partitions": "3"},
    ],
    ids=str,
)
def test_accepted(library, options):
    """Options in their various forms, on lavapipe."""
    env = drivers.environment("lavapipe")
    assert load(library, env, {"allow_software": "1", "require_device": "1"} | options) == "loaded"


def hazard(driver):
    """The output of the program with the hazard, under the validation layer."""
    program, env = (
        drivers.ROOT / "tests" / "drivers" / "hazard.py",
        drivers.environment(driver, validate=True),
    )
    child = subprocess.run(
        [sys.executable, str(program)], env=env, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def test_device_by_uuid(library):
    """A device's UUID selects it, another one does not."""
    (uuid,) = re.findall(r"^uuid (\S+)$", hazard("lavapipe"), re.M)
    env, options = drivers.environment("lavapipe"), {"allow_software": "1", "require_device": "1"}
    assert load(library, env, options | {"device": uuid}) == "loaded"
    other = uuid[:-1] + ("0" if uuid[-1] != "0" else "1")
    assert other in load(library, env, options | {"device": other})


def logged(library, options):
    """What loading the delegate logs with two drivers of one kind, lavapipe behind SwiftShader."""
    path = ":".join(str(drivers.manifest(driver)) for driver in ("swiftshader", "lavapipe"))
    env = drivers.environment("none") | {"VK_DRIVER_FILES": path, "VK_ICD_FILENAMES": path}
    env["PYTHONPATH"] = str(drivers.ROOT / "python")
    options = {"allow_software": "1", "require_device": "1"} | options
    command = [sys.executable, "-c", LOAD, str(library), json.dumps(options)]
    child = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert child.stdout.strip() == "loaded", child.stdout
    return child.stderr


def test_ties_go_to_the_device_with_fp16(library):
    """Of two software devices the one that stores 16-bit floats is taken, without a word about the other."""
    text = logged(library, {})
    assert "info: device llvmpipe" in text, text
    assert "matches several" not in text, text


def test_ambiguous_device_is_told(library):
    """A part of both names: `llvmpipe (LLVM …)` and `SwiftShader Device (…)`."""
    text = logged(library, {"device": "e ("})
    assert "warn: device=e ( matches several devices" in text, text
    assert "info: device llvmpipe" in text, text
    assert "matches several" not in logged(library, {"device": "swiftshader"})


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_validation_layer_is_awake(driver):
    """The layer reports a hazard that is really there."""
    printed = hazard(driver)
    messages = drivers.validation_messages(printed)
    assert any("SYNC-HAZARD-WRITE-AFTER-WRITE" in message for message in messages), printed
