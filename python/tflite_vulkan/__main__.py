"""Command line: python -m tflite_vulkan devices | run MODEL | bench MODEL | why MODEL."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

from . import __version__
from ._devices import default_device, devices
from ._host import HostMissingError, find_host
from ._measure import give, load, quietly, random_inputs, results, times
from ._text import Progress, table
from ._why import Report, reasons, why

NO_DRIVER = """\
Vulkan comes with the GPU's driver.  Debian and Ubuntu: apt install libvulkan1 mesa-vulkan-drivers, for
NVIDIA the driver's own packages.  Without it models run on the CPU alone."""


def list_devices(a: argparse.Namespace) -> int:
    """The machine's Vulkan devices, and which one a delegate takes."""
    try:
        found = devices()
    except RuntimeError as error:
        print(f"no Vulkan: {error}\n{NO_DRIVER}", file=sys.stderr)
        return 1
    default, reason = default_device()
    if a.json:
        print(json.dumps([d._asdict() | {"default": d == default} for d in found], indent=1))
        return 0

    def state(d: Any) -> str:
        if d == default:
            return "the default"
        return d.unusable or ("needs allow_software=1" if d.kind == "software" else "usable")

    rows = [
        (f"#{d.index}", d.name, d.kind, d.driver, d.vulkan, "yes" if d.fp16 else "no", state(d))
        for d in found
    ]
    print(table(("", "name", "type", "driver", "Vulkan", "fp16", "state"), rows))
    for d in found:
        print(f"#{d.index} uuid {d.uuid}")
    if default is None:
        print(f"without options no device is taken: {reason}")
    return 0


def device_options(a: argparse.Namespace) -> dict[str, Any]:
    """The options of the command line."""
    options: dict[str, Any] = {}
    for pair in a.option:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--option {pair}: must be KEY=VALUE")
        options[key] = value
    if a.allow_software:
        options["allow_software"] = True
    return options


def run(a: argparse.Namespace) -> int:
    """Runs a model on Vulkan and compares with the CPU."""
    host, progress, options = find_host(), Progress(), device_options(a)
    import numpy

    progress.tell(f"{host.name}: on the CPU")
    plain = load(host, a.model, None, a.threads).interpreter
    inputs = [numpy.load(file) for file in a.input] or random_inputs(plain, a.seed)
    give(plain, inputs)
    with quietly(None):
        plain.invoke()
    want = results(plain)
    progress.tell("on Vulkan")
    ours, _, taken = load(host, a.model, options, a.threads)
    with quietly(options):
        give(ours, inputs)
        # The first invocation gives fp32's result also where fp16 is asked for.
        for _ in range(2):
            ours.invoke()
        got = results(ours)
        del ours
    progress.done()
    print(f"{taken} nodes on Vulkan")
    rows = []
    for (name, x), (_, reference) in zip(got, want):
        shape = "x".join(map(str, x.shape)) or "scalar"
        span = f"{x.min():.4g} to {x.max():.4g}" if x.size else "-"
        rows.append((name, shape, str(x.dtype), span, deviation(x, reference)))
    print(table(("output", "shape", "type", "values", "error against the CPU"), rows))
    if a.save:
        numpy.savez(a.save, **{f"output_{i}": x for i, (_, x) in enumerate(got)})
        print(f"saved to {a.save}")
    return 0


def deviation(x: Any, reference: Any) -> str:
    """The largest difference as a share of the reference's range."""
    if not x.size or x.dtype.kind not in "iufb":
        return "-"
    difference = abs(x.astype("float64") - reference.astype("float64")).max()
    largest = abs(reference.astype("float64")).max()
    return f"{difference / largest if largest else difference:.1e}"


def bench(a: argparse.Namespace) -> int:
    """Times on the CPU, and on Vulkan in fp32 and fp16."""
    host, progress, options = find_host(), Progress(), device_options(a)
    candidates: list[tuple[str, dict[str, Any] | None]] = [("CPU", None)]
    if "precision" in options:
        candidates.append((f"Vulkan {options['precision']}", options))
    else:
        candidates += [(f"Vulkan {name}", options | {"precision": name}) for name in ("fp32", "fp16")]
    rows, cpu = [], None
    for name, chosen in candidates:
        progress.tell(name)
        loaded = load(host, a.model, chosen, a.threads)
        with quietly(chosen):
            give(loaded.interpreter, random_inputs(loaded.interpreter, a.seed))
            t = times(loaded, a.runs, a.seconds)
        cpu = cpu or t.median
        numbers = [f"{ms:.2f}" for ms in (t.load, t.first, t.median, t.least)]
        rows.append((name, loaded.taken, *numbers, str(t.runs), f"{cpu / t.median:.2f}"))
        del loaded
    progress.done()
    print(f"{a.model}: milliseconds, {host.name}, {a.threads} CPU thread(s)")
    print(table(NUMBERS, rows, right=" ".join(NUMBERS[1:])))
    return 0


NUMBERS = ("on", "nodes", "load", "first", "median", "least", "runs", "speedup")


def explain(a: argparse.Namespace) -> int:
    """What stays on the CPU, and for which reason."""
    host, progress, options = find_host(), Progress(), device_options(a)
    progress.tell("asking the delegate")
    report = why(host, a.model, options)
    refused = report.refused
    if not report.subgraphs and "allow_software" not in options:
        report = why(host, a.model, options | {"allow_software": True})
    progress.done()
    if a.json:
        print(json.dumps(as_json(report, refused), indent=1))
        return 0
    for reason in refused:
        print(f"the whole model stays on the CPU: {reason}")
    if refused and report.subgraphs:
        print("with allow_software=1:")
    if report.device:
        print(f"device {report.device}")
    for number, subgraph in enumerate(report.subgraphs):
        rows = reasons(subgraph)
        taken = sum(node.reason is None for node in subgraph.nodes)
        where = f"subgraph {number}: " if len(report.subgraphs) > 1 else ""
        parts = f"{subgraph.partitions} partition" + ("s" if subgraph.partitions != 1 else "")
        print(f"{where}{taken} of {len(subgraph.nodes)} nodes on Vulkan, in {parts}")
        if rows:
            print(table(("nodes", "operator", "stays on the CPU because", "which"), rows, right="nodes"))
        if a.nodes:
            fates = [(f"#{n.index}", n.operator, n.reason or "on Vulkan") for n in subgraph.nodes]
            print(table(("node", "operator", "fate"), fates))
    for message in report.messages:
        print(message)
    return 0


def as_json(report: Report, refused: list[str]) -> dict[str, Any]:
    """The report as plain data."""
    subgraphs = [
        {"partitions": s.partitions, "nodes": [node._asdict() for node in s.nodes]} for s in report.subgraphs
    ]
    return {"device": report.device, "refused": refused, "subgraphs": subgraphs, "messages": report.messages}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(prog="python -m tflite_vulkan", description="TensorFlow Lite on Vulkan.")
    whole.add_argument("--version", action="version", version=__version__)
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="devices|run|bench|why")

    def verb(name: str, does: Any, model: bool = True) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=does.__doc__, description=does.__doc__)
        sub.set_defaults(does=does)
        if model:
            sub.add_argument("model", help="a .tflite file")
            sub.add_argument("--option", "-o", action="append", default=[], metavar="KEY=VALUE",
                             help="an option of the delegate, for example precision=fp16")  # fmt: skip
            sub.add_argument("--allow-software", action="store_true", help="also take a CPU's Vulkan driver")
        return sub

    verb("devices", list_devices, model=False).add_argument("--json", action="store_true")
    for sub in (runner := verb("run", run), timer := verb("bench", bench)):
        sub.add_argument("--threads", type=int, default=1, help="of the CPU, 1 by default")
        sub.add_argument("--seed", type=int, default=1, help="of random inputs")
    runner.add_argument("--input", action="append", default=[], metavar="FILE.npy", help="one per input")
    runner.add_argument("--save", metavar="FILE.npz", help="where to keep the outputs")
    timer.add_argument("--runs", type=int, default=200, help="at most, 200 by default")
    timer.add_argument("--seconds", type=float, default=3, help="at most, for each line, 3 by default")
    reporter = verb("why", explain)
    reporter.add_argument("--nodes", action="store_true", help="also the fate of every node")
    reporter.add_argument("--json", action="store_true")
    return whole


def main() -> int:
    """Runs one verb; its exit code."""
    a = parser().parse_args()
    try:
        if "model" in a and not pathlib.Path(a.model).is_file():
            raise ValueError(f"there is no file {a.model}")
        return int(a.does(a))
    except HostMissingError as error:
        print(error, file=sys.stderr)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
