"""Measures the real models and renews a table in README.md: lavapipe's in fp32, or a GPU's in fp32 and fp16.

    table.py --delegate target/release/libtflite_vulkan.so [--gpu] [--print] [--readme FILE]

One process per model.  Times are medians of invoke() over a second on an otherwise idle machine; the CPU's
are those of XNNPACK with one thread.  The error is the largest over a random input and a picture, as a share
of the largest reference value, against the plain reference kernels, or XNNPACK where those refuse the model.
"""

import argparse
import datetime
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests")]
import demo  # noqa: E402
import drivers  # noqa: E402
import host  # noqa: E402
import test_models  # noqa: E402

README = ROOT / "README.md"
BEGIN, END = "<!-- table of models: make table -->", "<!-- end of table -->"
BEGIN_GPU = "<!-- table of models on a GPU: make table GPU=1 -->"
LEFT = "model", "nodes", "on Vulkan", "partitions", "CPU ms"


def head(precisions):
    """The table's head."""
    columns = [*LEFT, *(word for p in precisions for word in (f"{p} ms", "error"))]
    return f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}"


def measure(name, library, options, precisions):
    """One model's row as a dict; "vulkan" has time and error of each precision."""
    path = test_models.MODELS / f"{name}.tflite"
    model = path.read_bytes()
    inputs = [run[0] for run in test_models.inputs_of(name, path)[1:3]]
    vulkan = []
    for precision in precisions:
        delegate = host.load_delegate(library, options | {"precision": precision})
        vulkan.append(host.Interpreter(model_content=model, num_threads=1, experimental_delegates=[delegate]))
    row = host.coverage(vulkan[0])
    if name == test_models.ATTENTION:
        return row
    plain = host.reference(model, "default" if name in test_models.CUSTOM else "plain")
    cpu = host.reference(model, "default")
    for it in (*vulkan, plain, cpu):
        it.allocate_tensors()
    errors = [[] for _ in vulkan]
    for x in inputs:
        plain.set_tensor(plain.get_input_details()[0]["index"], x)
        plain.invoke()
        _, row["cpu_ms"] = demo.measure(cpu, x)
        measured = [demo.measure(it, x) for it in vulkan]
        for found, (outputs, _) in zip(errors, measured):
            found += [host.difference(w, g) for w, g in zip(host.results(plain), outputs)]
    return dict(row, vulkan=[(ms, max(found)) for found, (_, ms) in zip(errors, measured)])


def line(name, row, precisions):
    """The table's line."""
    package, model = name.split("/")
    label = model + (" (mediapipe)" if package == "mediapipe" and model in test_models.TWICE else "")
    cells = [label, row["nodes"], row["delegated"], row["partitions"]]
    if "vulkan" in row:
        cells += [f"{row['cpu_ms']:.2f}"]
        cells += [text for ms, error in row["vulkan"] for text in (f"{ms:.2f}", f"{error:.0e}")]
    else:
        cells += ["–"] * (1 + 2 * len(precisions))
    return f"| {' | '.join(map(str, cells))} |"


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
    parser.add_argument("--gpu", action="store_true", help="the machine's GPU, not lavapipe")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--readme", type=pathlib.Path, default=README, help="write to this copy of README.md")
    parser.add_argument("--print", action="store_true", help="only print the table")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    a = parser.parse_args()
    precisions = ("fp32", "fp16") if a.gpu else ("fp32",)
    if a.model:
        options = demo.OPTIONS | {"allow_software": "0" if a.gpu else "1"}
        options |= dict(option.split("=", 1) for option in a.option)
        print(json.dumps(measure(a.model, a.delegate, options, precisions)))
        return
    environment = drivers.environment("gpu" if a.gpu else "lavapipe")
    lines, device = [head(precisions)], None
    for name in [*test_models.ALL, test_models.ATTENTION]:
        command = [sys.executable, __file__, *sys.argv[1:], "--model", name]
        child = subprocess.run(command, capture_output=True, text=True, env=environment)
        if child.returncode:
            sys.exit(f"{name}: exit code {child.returncode}\n{child.stderr}")
        lines.append(line(name, json.loads(child.stdout.splitlines()[-1]), precisions))
        print(lines[-1], flush=True)
        device = device or demo.device_of(child.stderr).removesuffix(", fp32")
    lines.append("\n" + conditions(device))
    if a.option:
        lines.append(f"Options: {', '.join(a.option)}.")
    print("\n".join(lines[len(test_models.ALL) + 2 :]))
    if not a.print:
        write(a.readme, BEGIN_GPU if a.gpu else BEGIN, lines)


def conditions(device):
    """What was measured, where and when."""
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    litert = metadata.version("ai-edge-litert")
    return (
        f"Vulkan: {device}. CPU: {processor()}, one thread, XNNPACK of ai-edge-litert {litert}. "
        f"tflite-vulkan {version} of {datetime.date.today()}."
    )


def write(readme, begin, lines):
    """Puts the lines between the markers."""
    if not readme.exists():
        shutil.copy(README, readme)
    before, rest = readme.read_text().split(begin)
    readme.write_text(before + begin + "\n\n" + "\n".join(lines) + "\n\n" + END + rest.split(END, 1)[1])
    print(f"written to {readme}")


if __name__ == "__main__":
    main()
