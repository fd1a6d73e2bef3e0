"""Every case of cases/ with and without the delegate, on each driver and precision.

The cases of one file run in one child process (more if it crashes); two children at a time.  The last item
of a group, "start and exit", collects what belongs to no case: leaks reported by the validation layer at
exit, for example.
"""

import concurrent.futures

import drivers
import pytest

from conformance import group
from conformance.model import SEED

OLDEST = drivers.ROOT / "build" / "venv-2.14" / "bin" / "python"
DEFAULT_CONFIGS = ("lavapipe-fp32", "lavapipe-fp16", "swiftshader-fp32", "oldest-fp32")
# What the oldest host, tflite-runtime 2.14, runs besides whole models: one group per kind of options.
OLDEST_GROUPS = (
    "add",
    "conv_2d",
    "depthwise_conv_2d",
    "fully_connected",
    "transpose_conv",
    "resize",
    "fusions",
)


def pytest_generate_tests(metafunc):
    """One item per configuration, group and case."""
    chosen = metafunc.config.getoption("--configs")
    configs = chosen.split(",") if chosen else DEFAULT_CONFIGS
    items = [
        pytest.param(config, name, case, id=f"{config}-{name}-{case}")
        for config in configs
        for name in (OLDEST_GROUPS if config.startswith("oldest") else group.names())
        for case in [*group.load(name), "start and exit"]
    ]
    metafunc.parametrize(("config", "name", "case"), items)


@pytest.fixture(scope="session")
def verdicts(request, pytestconfig, validate):
    """Futures of {case: faults} by configuration and group; the groups run two at a time."""
    library = pytestconfig.getoption("--delegate")
    if library != "none":
        request.getfixturevalue("library")
    wanted = {}
    for item in request.session.items:
        if item.originalname == "test_case":
            p = item.callspec.params
            wanted.setdefault((p["config"], p["name"]), []).append(p["case"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {key: pool.submit(run_group, *key, names, library, validate) for key, names in wanted.items()}
        pool.shutdown(cancel_futures=True)


def run_group(config, name, case_names, library, validate):
    """Runs the selected cases of one group in one configuration."""
    driver, precision = config.split("-")
    cases = [case for case in group.load(name).values() if case.name in case_names]
    host = {"python": OLDEST} if driver == "oldest" else {}
    driver = "lavapipe" if driver == "oldest" else driver
    options = {"allow_software": "1", "require_device": "1", "precision": precision}
    folder = drivers.ROOT / "build" / "tests" / config / name
    return group.run(
        cases, folder, library, options, driver, group.LIMITS[precision], validate=validate, **host
    )


def test_case(verdicts, config, name, case):
    """The delegate takes the graph and computes what the stock interpreter computes."""
    faults = verdicts[config, name].result()[case]
    if faults:
        pytest.fail(f"{config} {name} {case!r}, seed {SEED}:\n" + "\n".join(faults), pytrace=False)
