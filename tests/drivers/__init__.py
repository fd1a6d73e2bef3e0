"""The Vulkan drivers that the tests run on, as environments for child processes.

    environment("lavapipe")                     Mesa's CPU driver, the distribution's own
    environment("swiftshader", validate=True)   SwiftShader under the Khronos validation layer
    environment("none")                         a loader that finds no driver
    environment("gpu")                          whatever the machine has

`fetch.sh` beside this file brings SwiftShader and the layer to build/drivers.
"""

import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FETCHED = ROOT / "build" / "drivers"
NAMES = ("lavapipe", "swiftshader", "gpu", "none")

# What the validation layer prints; one of these in a child's output is a failure.
MESSAGE = re.compile(
    r"^.*(?:Validation (?:Error|Warning|Performance Warning)|SYNC-HAZARD|VUID-|UNASSIGNED-).*$", re.M
)

LAYER = {
    "VK_INSTANCE_LAYERS": "VK_LAYER_KHRONOS_validation",
    "VK_LAYER_PATH": str(FETCHED),
    "VK_KHRONOS_VALIDATION_REPORT_FLAGS": "error,warn,perf",
    "VK_KHRONOS_VALIDATION_VALIDATE_SYNC": "1",
    # Without it the layer does not look at the buffers that a shader touches.
    "VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC": "1",
}


def manifest(driver):
    """The ICD manifest that selects a driver; raises FileNotFoundError where it is not installed."""
    if driver == "swiftshader":
        found = [FETCHED / "swiftshader_icd.json"]
    else:
        found = sorted(pathlib.Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json"))
    if not found or not found[0].is_file():
        raise FileNotFoundError(f"no Vulkan driver {driver!r}: run `make drivers`")
    return found[0]


def environment(driver, validate=False):
    """os.environ with one driver selected, and with the validation layer if asked for."""
    if driver not in NAMES:
        raise ValueError(f"unknown driver {driver!r}; known: {', '.join(NAMES)}")
    env = (
        {k: v for k, v in os.environ.items() if not k.startswith("VK_")}
        if driver != "gpu"
        else dict(os.environ)
    )
    if driver != "gpu":
        path = "/nonexistent/icd.json" if driver == "none" else str(manifest(driver))
        env |= {"VK_DRIVER_FILES": path, "VK_ICD_FILENAMES": path}
    if validate:
        if not (FETCHED / "VkLayer_khronos_validation.json").is_file():
            raise FileNotFoundError("no validation layer: run `make drivers`")
        env |= LAYER
    return env


def validation_messages(text):
    """Every line of a child's output in which the validation layer complains."""
    return [m.group(0) for m in MESSAGE.finditer(text)]
