"""Every case of cases/ with and without the delegate, on each driver and precision.

The cases of one file run in one child process (more if it crashes); two children at a time.  The last item
of a group, "start and exit", collects what belongs to no case: leaks that the validation layer reports at
exit, for example.
"""

import concurrent.futures
import re

import drivers
import pytest
from conftest import selected
from model import SEED

from conformance import group

CONFIGS = ("lavapipe-fp32", "lavapipe-fp16", "swiftshader-fp32", "oldest-fp32")
# What the oldest host runs besides whole models: one group per kind of options.
OLDEST_GROUPS = (
    "binary",
    "conv_2d",
    "depthwise_conv_2d",
    "dynamic",
    "fully_connected",
    "fully_connected_integers",
    "fusions",
    "integers",
    "lookup",
    "quantized_binary",
    "pool_integers",
    "recurrent_integers",
    "resize_integers",
    "select",
    "softmax_integers",
    "sum_integers",
    "transpose_conv",
)


def pytest_generate_tests(metafunc):
    """One item per configuration, group and case."""
    if "case" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--configs")
    items = []
    for config in map(group.Config, chosen.split(",") if chosen else CONFIGS):
        for name in OLDEST_GROUPS if config.oldest else group.names():
            known = [case for case in group.load(name).values() if case.oldest or not config.oldest]
            known = [case for case in known if config.precision == "fp32" or not case.values]
            for text in [*[case.name for case in known], group.OUTSIDE]:
                items.append(pytest.param(config.name, name, text, id=f"{config.name}-{name}-{text}"))
    metafunc.parametrize(("config", "name", "case"), items)


@pytest.fixture(scope="session")
def outcomes(request, delegate, validate):
    """Futures of outcomes by configuration and group, for what is selected; the groups run two at a time."""
    wanted = {}
    for p in selected(request.session, "test_case"):
        wanted.setdefault((p["config"], p["name"]), []).append(p["case"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {key: pool.submit(run_group, *key, names, delegate, validate) for key, names in wanted.items()}
        pool.shutdown(cancel_futures=True)


def run_group(config, name, texts, library, validate):
    """Runs the selected cases of one group in one configuration."""
    folder = drivers.ROOT / "build" / "tests" / config / name
    chosen = [case for case in group.load(name).values() if case.name in texts]
    refused, entries = {}, []
    for number, case in enumerate(chosen):
        try:
            entries.append(group.write_case(folder, number, case))
        except (RuntimeError, ValueError) as error:
            refused[case.name] = [f"the stock interpreter refuses the model: {error}"]
    more = group.environment(name)
    outcome = group.run(entries, folder, library, group.Config(config), validate, more)
    outcome.faults.update(refused)
    return outcome


def test_case(outcomes, config, name, case):
    """The delegate takes the graph and computes what the stock interpreter does, in that precision."""
    outcome = outcomes[config, name].result()
    if group.KEPT_FP32 in outcome.printed.get(case, "") and not group.load(name)[case].sensitive:
        outcome.faults[case].append("kept in fp32")
    logs = group.load(name)[case].logs if case != group.OUTSIDE else ""
    if logs not in outcome.printed.get(case, ""):
        outcome.faults[case].append(f"the log lacks {logs!r}")
    outcome.judge(case, f"{config} {name} {case!r}, seed {SEED}")


def test_every_operator_has_a_case():
    """What the library says that it takes is in some case."""
    sources = "".join(path.read_text() for path in (drivers.ROOT / "src" / "ops").rglob("*.rs"))
    taken = set(re.findall(r'(?:\bname: |\bdef!\()"(\w+)"', sources))
    tried = {
        op for name in group.names() for case in group.load(name).values() for op in case.graph.operators
    }
    assert len(taken) > 20
    assert not taken - tried
