"""Compiles the delegate's kernels with the shader compilers of phones, and reports what they make of them.

    report.py --modules target/release/examples/bench-mobile-modules

Each kernel is specialised as for a layer of a real model on that GPU and compiled by Mesa's driver for it,
which runs under qemu-user on a shim in the GPU's place (fetch.sh).  Nothing is executed: numbers are static.
The report goes to build/bench/mobile.md.  The compilers are Mesa's, not those of the phones' makers: the same
instruction set and register file, another scheduling.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARIES = "/usr/lib/aarch64-linux-gnu"  # in the root that fetch.sh unpacked

# The folder of a GPU: its driver, the shim in the kernel's place, and which GPU the shim is.
GPUS = {
    "adreno-630": ("freedreno", "freedreno", {"FD_GPU_ID": "630"}),
    "adreno-660": ("freedreno", "freedreno", {"FD_GPU_ID": "660"}),
    "adreno-740": ("freedreno", "freedreno", {"FD_GPU_ID": "740"}),
    "adreno-830": ("freedreno", "freedreno", {"FD_GPU_ID": "830"}),
    "mali-g52": ("panfrost", "panfrost", {"PAN_GPU_ID": "7212"}),
    "mali-g610": ("panfrost", "panfrost", {"PAN_GPU_ID": "a867"}),
    "mali-g720": ("panfrost", "panfrost", {"PAN_GPU_ID": "c870", "MALI_VARIANT": "4"}),
    "mali-g725": ("panfrost", "panfrost", {"PAN_GPU_ID": "d830", "MALI_VARIANT": "4"}),
    "v3d-4.2": ("broadcom", "v3d", {"V3D_GPU_ID": "42"}),
    "v3d-7.1": ("broadcom", "v3d", {"V3D_GPU_ID": "71"}),
    "powervr-bxs": ("powervr_mesa", "powervr", {}),
}
# Drivers that are not conformant, and one that would find the last run's results.
SETTINGS = {
    "PAN_I_WANT_A_BROKEN_VULKAN_DRIVER": "1",
    "PVR_I_WANT_A_BROKEN_VULKAN_DRIVER": "1",
    "MESA_SHADER_CACHE_DISABLE": "true",
}

Row = collections.namedtuple("Row", "kernel layers instructions registers occupancy full spills share")


def compile_all(gpu, folder, tools):
    """What the compiler says of each module of a GPU's list, as dicts."""
    driver, shim, which = GPUS[gpu]
    command = [tools / "qemu", "-L", tools / "root"]
    command += ["-E", f"LD_PRELOAD={LIBRARIES}/lib{shim}_noop_drm_shim.so"]
    command += [tools / "stats", f"{LIBRARIES}/libvulkan_{driver}.so", folder / "list"]
    child = subprocess.run(command, env=os.environ | SETTINGS | which, capture_output=True, text=True)
    if child.returncode:
        sys.exit(f"{gpu}: exit code {child.returncode}\n{child.stderr}")
    return [json.loads(line) for line in child.stdout.splitlines()]


def disassembly(module):
    """The compiler's last text: machine code, where the driver shows it."""
    texts = sorted(module.parent.glob(f"{module.name}.*.txt"))
    return texts[-1].read_text() if texts else ""


def adreno(text):
    """Instructions in order: (slots, multiply-adds, label or None, target or None)."""
    for line in text.splitlines():
        label = re.match(r"(l\d+):$", line)
        if label:
            yield 0, 0, label[1], None
            continue
        if not re.match(r"[(a-z]", line):
            continue
        repeated = sum(int(n) for n in re.findall(r"\(rpt(\d+)\)", line))
        waits = sum(int(n) for n in re.findall(r"\(nop(\d+)\)", line))
        target = re.search(r"#(l\d+)$", line)
        mads = 1 + repeated if re.search(r"(^|\))\s*mad\.f", line) else 0
        yield 1 + repeated + waits, mads, None, target and target[1]


def valhall(text):
    """The same of Mali from G57 on; branches count instructions from the next one."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if re.match(r"[A-Z]", line)]
    for at, line in enumerate(lines):
        offset = re.search(r"offset:(-\d+)", line) if line.startswith("BRANCH") else None
        yield 1, int(line.startswith("FMA")), str(at), offset and str(at + 1 + int(offset[1]))


def bifrost(text):
    """The same of older Mali: a slot is a pair of a multiply-add (*) and an addition (+)."""
    for line in text.splitlines():
        label = re.match(r"(clause_\d+):", line)
        target = re.search(r"^\s*\+(?:BRANCH|JUMP).*(clause_\d+)", line)
        if label or target:
            yield 0, 0, label and label[1], target and target[1]
        if line.strip().startswith("*"):
            yield 1, int("*FMA" in line), None, None


def v3d(text):
    """The same of V3D: a slot is a pair of an addition and a multiplication; a multiply-add needs both.

    Branches count bytes, eight to an instruction, from the fourth one after.
    """
    lines = [line for line in text.splitlines() if ";" in line or line.startswith("bu")]
    for at, line in enumerate(lines):
        offset = re.match(r"bu\.?\w*\s+(-\d+)", line)
        yield 1, int("fmul" in line), str(at), offset and str(at + 4 + int(offset[1]) // 8)


def share(text):
    """Multiply-adds per issue slot in the innermost loop that has most of them; None without such a loop.

    Of loops with as many it is the leanest: edges have a loop of their own.
    """
    head = text[:200]
    kind = "IR3" in head and adreno or "QPU" in head and v3d
    if not kind and head.startswith("# Assembly"):
        kind = bifrost if "clause_" in text else valhall
    if not kind:
        return None
    steps = list(kind(text))
    places = {label: at for at, (_, _, label, _) in enumerate(steps) if label}
    loops = [(places[t], at) for at, (*_, t) in enumerate(steps) if t in places and places[t] <= at]
    inner = [(a, b) for a, b in loops if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in loops)]
    counts = [[sum(step[i] for step in steps[a : b + 1]) for i in (0, 1)] for a, b in inner]
    slots, mads = max(counts, key=lambda c: (c[1], -c[0]), default=(0, 0))
    return mads / slots if mads else None


def row_of(gpu, answer, kernel, layers):
    """A line of the report."""
    s = answer["statistics"]
    code = disassembly(pathlib.Path(answer["file"]))
    # Instructions, registers, occupancy, whether it is full, spills.
    if gpu.startswith("adreno"):
        waves = s["Max Waves Per Core"]
        spills = s["STP Count"] + s["LDP Count"]
        registers = f"{s['Registers used']}+{s['Half-registers used']}h"
        facts = s["Instruction Count"], registers, f"{waves} waves", waves >= 16, spills
    elif gpu.startswith("mali"):
        threads, spills = s["Threads"], s["Spills"] + s["Fills"]
        facts = s["Instructions"], s["Registers used"], f"{50 * threads} %", threads == 2, spills
    elif gpu.startswith("v3d"):
        threads, spills = s["Thread Count"], s["TMU Spills"] + s["TMU Fills"]
        strategy = f"{threads} threads, strategy {s['Compile Strategy']}"
        facts = s["Instruction Count"], "–", strategy, threads == 4, spills
    else:
        temps = s["Temp count"]
        facts = s["Inst group count"], temps, "–", None, s["Spill count"]
    return Row(kernel, layers, *facts, share(code))


def table(rows):
    """A GPU's rows in Markdown."""
    lines = [
        "| kernel | for | instructions | registers | occupancy | spills | multiply-adds |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for r in rows:
        layers = r.layers.split(", ")
        more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
        part = f"{100 * r.share:.0f} %" if r.share else "–"
        cells = r.kernel, layers[0] + more, r.instructions, r.registers, r.occupancy, r.spills, part
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main():
    """Compiles everything for every GPU and writes the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modules", required=True, metavar="PROGRAM", help="what writes the modules")
    parser.add_argument("--gpus", default=",".join(GPUS), metavar="A,B", help="[%(default)s]")
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / "build" / "mobile")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench" / "mobile.md")
    a = parser.parse_args()
    modules = a.tools / "modules"
    shutil.rmtree(modules, ignore_errors=True)
    subprocess.run([a.modules, modules], check=True)
    version = (a.tools / "version").read_text().strip()
    parts, summary = [f"Compilers: {version}, for arm64, under qemu-user."], []
    for gpu in a.gpus.split(","):
        listed = [line.split("\t") for line in (modules / gpu / "list").read_text().splitlines()]
        answers = compile_all(gpu, modules / gpu, a.tools)
        if len(answers) != len(listed):
            sys.exit(f"{gpu}: {len(answers)} answers for {len(listed)} modules")
        refused = [kernel for answer, (*_, kernel, _) in zip(answers, listed) if "error" in answer]
        pairs = [(x, line) for x, line in zip(answers, listed) if "error" not in x]
        rows = [row_of(gpu, x, kernel, layers) for x, (_, _, _, kernel, layers) in pairs]
        parts += [f"## {answers[0]['device']}", table(rows)]
        parts += [f"Refused: {', '.join(refused)}."] if refused else []
        spilling = [r.kernel for r in rows if r.spills]
        thin = [r.kernel for r in rows if r.full is False]
        summary.append(
            f"{gpu:12}{len(rows):3} modules{len(refused):3} refused"
            f"{len(spilling):4} spill{len(thin):4} below full occupancy"
        )
        print(summary[-1], *(f"\n    spills: {', '.join(spilling)}" for _ in spilling[:1]), flush=True)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text("\n\n".join([parts[0], "```\n" + "\n".join(summary) + "\n```", *parts[1:]]) + "\n")
    print(f"{version}; written to {os.path.relpath(a.out)}")


if __name__ == "__main__":
    main()
