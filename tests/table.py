"""Measures the real models and renews the table in README.md.

    table.py --delegate target/release/libtflite_vulkan.so [--option precision=fp16] [--print]

One process per model.  Times are medians of invoke() over a second on an otherwise idle machine; the CPU's
are those of XNNPACK with one thread.  The error is the largest over a random input and a picture, as a share
of the largest reference value, against the plain reference kernels, or XNNPACK where those refuse the model.
"""

import argparse
import json
import pathlib
import platform
import re
import subprocess
import sys
from importlib import metadata

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests")]
import demo  # noqa: E402
import host  # noqa: E402
import test_models  # noqa: E402

README = ROOT / "README.md"
BEGIN, END = "<!-- table of models: make table -->", "<!-- end of table -->"
HEAD = (
    "| model | nodes | on Vulkan | partitions | CPU ms | Vulkan ms | error |\n|---|--:|--:|--:|--:|--:|--:|"
)


def measure(name, library, options):
    """One model's row as a dict."""
    path = test_models.MODELS / f"{name}.tflite"
    model = path.read_bytes()
    inputs = [run[0] for run in test_models.inputs_of(name, path)[1:3]]
    delegate = host.load_delegate(library, options)
    vulkan = host.Interpreter(model_content=model, num_threads=1, experimental_delegates=[delegate])
    row = host.coverage(vulkan)
    if name == test_models.ATTENTION:
        return row
    plain = host.reference(model, "default" if name in test_models.CUSTOM else "plain")
    cpu = host.reference(model, "default")
    for it in (vulkan, plain, cpu):
        it.allocate_tensors()
    errors = []
    for x in inputs:
        plain.set_tensor(plain.get_input_details()[0]["index"], x)
        plain.invoke()
        _, row["cpu_ms"] = demo.measure(cpu, x)
        outputs, row["vulkan_ms"] = demo.measure(vulkan, x)
        errors += [host.difference(w, g) for w, g in zip(host.results(plain), outputs)]
    return dict(row, error=max(errors))


def line(name, row):
    """The table's line."""
    package, model = name.split("/")
    times = "| – | – | – |"
    if "error" in row:
        times = f"| {row['cpu_ms']:.2f} | {row['vulkan_ms']:.2f} | {row['error']:.0e} |"
    label = model + (" (mediapipe)" if package == "mediapipe" and model in test_models.TWICE else "")
    return f"| {label} | {row['nodes']} | {row['delegated']} | {row['partitions']} {times}"


def processor():
    """The CPU's name."""
    found = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1) if found else platform.machine()


def main():
    """Measures everything and writes the table, or one model as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delegate", required=True)
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--print", action="store_true", help="only print the table")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    a = parser.parse_args()
    options = demo.OPTIONS | dict(option.split("=", 1) for option in a.option)
    if a.model:
        print(json.dumps(measure(a.model, a.delegate, options)))
        return
    lines, device = [HEAD], None
    for name in [*test_models.ALL, test_models.ATTENTION]:
        command = [sys.executable, __file__, "--delegate", a.delegate, "--model", name]
        command += [word for option in a.option for word in ("--option", option)]
        child = subprocess.run(command, capture_output=True, text=True)
        if child.returncode:
            sys.exit(f"{name}: exit code {child.returncode}\n{child.stderr}")
        lines.append(line(name, json.loads(child.stdout.splitlines()[-1])))
        print(lines[-1], flush=True)
        device = device or demo.device_of(child.stderr)
    litert = metadata.version("ai-edge-litert")
    lines.append(f"\nVulkan: {device}. CPU: {processor()}, one thread, XNNPACK of ai-edge-litert {litert}.")
    if a.option:
        lines.append(f"Options: {', '.join(a.option)}.")
    print("\n".join(lines[-2:]))
    if not a.print:
        before, rest = README.read_text().split(BEGIN)
        README.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])
        print(f"written to {README.name}")


if __name__ == "__main__":
    main()
