"""Command line of the Python tests, and what several of them share."""

import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "python")]
import drivers  # noqa: E402
from model import SEED  # noqa: E402

LIBRARY = drivers.ROOT / "target" / "release" / "libtflite_vulkan.so"
FACTS = []  # lines for the end of the run


def pytest_addoption(parser):
    """--delegate, --configs and --no-validation."""
    parser.addoption(
        "--delegate", default=str(LIBRARY), help="the library under test; 'none' tries the harness"
    )
    parser.addoption(
        "--configs", default=None, help="drivers and precisions, for example lavapipe-fp32,gpu-fp16"
    )
    parser.addoption("--no-validation", action="store_true", help="run without the Khronos validation layer")


def pytest_report_header(config):
    """The seed, so that a failure can be repeated."""
    return f"seed {SEED} (TFLITE_VULKAN_SEED), delegate {config.getoption('--delegate')}"


def pytest_terminal_summary(terminalreporter):
    """What the tests measured."""
    for line in FACTS:
        terminalreporter.write_line(line)


def selected(session, test):
    """The parameters of all items of one test that this run was asked for."""
    return [item.callspec.params for item in session.items if item.originalname == test]


@pytest.fixture(scope="session")
def facts():
    """Lines to print at the end of the run."""
    return FACTS


@pytest.fixture(scope="session")
def delegate(pytestconfig):
    """The library under test, or "none"."""
    given = pytestconfig.getoption("--delegate")
    return given if given == "none" else pytestconfig.rootpath / given


@pytest.fixture(scope="session")
def library(delegate):
    """The library under test, which must be there."""
    if delegate == "none" or not delegate.is_file():
        pytest.fail(f"needs the library, and there is none at {delegate}: run `make build`", pytrace=False)
    return delegate


@pytest.fixture(scope="session")
def validate(pytestconfig):
    """Whether children run under the validation layer."""
    return not pytestconfig.getoption("--no-validation")
