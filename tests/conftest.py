"""Command line of the Python tests, and what several of them share."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import drivers  # noqa: E402
from conformance.model import SEED  # noqa: E402

LIBRARY = drivers.ROOT / "target" / "release" / "libtflite_vulkan.so"
BUILD = drivers.ROOT / "build"


def pytest_addoption(parser):
    """--delegate, --configs and --no-validation."""
    parser.addoption(
        "--delegate", default=str(LIBRARY), help="the library under test; 'none' tries the harness alone"
    )
    parser.addoption(
        "--configs", default=None, help="drivers and precisions, for example lavapipe-fp32,gpu-fp16"
    )
    parser.addoption("--no-validation", action="store_true", help="run without the Khronos validation layer")


def pytest_report_header(config):
    """The seed, so that a failure can be repeated."""
    return f"seed {SEED} (TFLITE_VULKAN_SEED), delegate {config.getoption('--delegate')}"


@pytest.fixture(scope="session")
def library(pytestconfig):
    """The delegate library under test."""
    path = pathlib.Path(pytestconfig.getoption("--delegate"))
    if not path.is_file():
        pytest.fail(f"{path} is missing: run `make build`")
    return path


@pytest.fixture(scope="session")
def validate(pytestconfig):
    """Whether children run under the validation layer."""
    return not pytestconfig.getoption("--no-validation")
