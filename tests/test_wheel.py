"""The wheel: an empty environment, three lines of Python, the command line, and what `make dist` adds."""

import ctypes
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import drivers
import numpy as np
import pytest
from conformance.cases.conv_2d import convolution
from model import Graph

DIST = drivers.ROOT / "dist"
PACKAGING = drivers.ROOT / "packaging"
VERSION = tomllib.loads((drivers.ROOT / "Cargo.toml").read_text())["package"]["version"]
MOST = 4 << 20  # bytes of a wheel
OLDEST_GLIBC = (2, 17)
# The environment whose host the wheel finds: its packages are lent, nothing is installed.
HOSTS = {"ai_edge_litert": "venv", "tflite_runtime": "venv-2.14", None: None}
COMPILED_MODEL = """
import sys, numpy, tflite_vulkan
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
environment = Environment.create(runtime_path=str(tflite_vulkan.litert_runtime_path()))
wanted = HardwareAccelerator.GPU | HardwareAccelerator.CPU
compiled = CompiledModel.from_file(sys.argv[1], hardware_accel=wanted, environment=environment)
inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
inputs[0].write(numpy.zeros((1, 8, 8, 4), "float32"))
compiled.run_by_index(0, inputs, outputs)
print(outputs[0].read(256, numpy.float32).shape)
"""
THREE_LINES = """
import sys, numpy
host = __import__(sys.argv[1] + ".interpreter", fromlist=["Interpreter"])
import tflite_vulkan
vulkan = tflite_vulkan.load_delegate(allow_software=True, require_device=True, log_level="info")
interpreter = host.Interpreter(sys.argv[2], experimental_delegates=[vulkan])
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], numpy.load(sys.argv[3]))
interpreter.invoke()
numpy.save(sys.argv[4], interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
"""
PANIC = """
#[unsafe(no_mangle)]
pub extern "C" fn TfLiteVulkanPanics() -> i32 {
    let panics = || if std::env::args().next().is_some() { panic!("caught") } else { 1 };
    std::panic::catch_unwind(panics).unwrap_or(42)
}
"""


def wheels():
    """Every wheel in dist/."""
    found = sorted(DIST.glob("*.whl"))
    assert found, "no wheel in dist/: run `make wheel`"
    return found


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Two convolutions around an operator that stays on the CPU, and one that no reader needs."""
    g = Graph("wheel")
    x = convolution(g, g.input(1, 8, 8, 4), 4, 3, 3, 4)
    x = g.op("CAST", g.op("BUCKETIZE", x, boundaries=[-0.5, 0.0, 0.5], dtype="int32"))
    g.output(convolution(g, x, 4, 3, 3, 4))
    path = tmp_path_factory.mktemp("model") / "wheel.tflite"
    path.write_bytes(g.build())
    return path


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """Pythons with the wheel installed and nothing else but one host, by the host's name."""
    (wheel,) = (wheel for wheel in wheels() if "x86_64" in wheel.name)
    pythons = {}
    for host, lent in HOSTS.items():
        folder = tmp_path_factory.mktemp("environment") / "venv"
        base = pathlib.Path(drivers.ROOT, "build", lent or "venv", "bin", "python").resolve()
        subprocess.run([base, "-m", "venv", folder], check=True)
        python = folder / "bin" / "python"
        pip = [python, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
        subprocess.run(pip, check=True)
        if lent:
            (packages,) = (drivers.ROOT / "build" / lent).glob("lib/python*/site-packages")
            (own,) = folder.glob("lib/python*/site-packages")
            (own / "host.pth").write_text(f"{packages}\n")
        pythons[host] = python
    return pythons


def run(python, *arguments, driver="lavapipe", more=None):
    """A child outside the checkout, so that only the installed package is found."""
    env = {k: v for k, v in drivers.environment(driver).items() if not k.startswith("PYTHON")}
    env |= more or {}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd="/", timeout=120)


def cli(python, *arguments, driver="lavapipe"):
    """The command line."""
    return run(python, "-m", "tflite_vulkan", *arguments, driver=driver)


@pytest.mark.parametrize("host", [host for host in HOSTS if host])
def test_three_lines(environments, model, tmp_path, host):
    """A delegate that finds the host, and gives the numbers of the CPU."""
    x = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 4)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    files = [model, tmp_path / "x.npy", tmp_path / "y.npy"]
    child = run(environments[host], "-c", THREE_LINES, host, *files)
    assert child.returncode == 0, child.stderr
    assert re.search(r"[1-9]\d* of 4 nodes delegated", child.stderr), child.stderr
    from ai_edge_litert.interpreter import Interpreter

    it = Interpreter(str(model))
    it.allocate_tensors()
    it.set_tensor(it.get_input_details()[0]["index"], x)
    it.invoke()
    want = it.get_tensor(it.get_output_details()[0]["index"])
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), want, atol=1e-4 * abs(want).max())


@pytest.mark.parametrize("host", [host for host in HOSTS if host])
def test_run_bench_why(environments, model, tmp_path, host):
    """The verbs that need a host print tables, and on a driver's refusal still the CPU's."""
    python = environments[host]
    child = cli(python, "run", model, "--allow-software", "--save", tmp_path / "y.npz")
    assert child.returncode == 0, child.stderr
    error = float(re.search(r"1x8x8x4 +float32 .* ([0-9.e-]+)$", child.stdout, re.M)[1])
    assert error < 1e-4 and np.load(tmp_path / "y.npz")["output_0"].shape == (1, 8, 8, 4), child.stdout
    child = cli(python, "bench", model, "--allow-software", "--runs", 3)
    assert child.returncode == 0, child.stderr
    rows = re.findall(r"^(CPU|Vulkan fp\d+) +(\d|\d of 4)(?: +[0-9.]+){6}$", child.stdout, re.M)
    assert [name for name, _ in rows] == ["CPU", "Vulkan fp32", "Vulkan fp16"], child.stdout
    assert rows[0][1] == "0" and rows[1][1][0] in "123", child.stdout
    assert "Vulkan fp16 ..." in child.stderr
    child = cli(python, "why", model)
    assert child.returncode == 0, child.stderr
    assert "the whole model stays on the CPU: only software devices" in child.stdout
    assert re.search(r"^ +1  BUCKETIZE  .+  #1$", child.stdout, re.M), child.stdout
    told = json.loads(cli(python, "why", model, "--allow-software", "--json").stdout)
    child = cli(python, "bench", model)
    assert child.returncode == 2 and "allow_software" in child.stderr, child.stderr
    (subgraph,) = told["subgraphs"]
    reasons = {node["operator"]: node["reason"] for node in subgraph["nodes"]}
    assert reasons["BUCKETIZE"] and reasons["CONV_2D"] is None and len(subgraph["nodes"]) == 4, told
    assert not told["refused"] and "llvmpipe" in told["device"], told


def test_mistakes_are_told(environments, model):
    """A missing file, a wrong option: one line, and exit code 2."""
    python = environments["ai_edge_litert"]
    for arguments, word in (
        (("run", "/nonexistent.tflite"), "/nonexistent.tflite"),
        (("bench", model, "-o", "presicion=fp16"), "presicion"),
        (("why", model, "-o", "precision"), "KEY=VALUE"),
    ):
        child = cli(python, *arguments)
        assert child.returncode == 2 and word in child.stderr, child.stderr
        assert "Traceback" not in child.stderr, child.stderr


@pytest.mark.parametrize("verb", ["run", "bench", "why"])
def test_without_a_host(environments, model, verb):
    """It says what to install."""
    child = cli(environments[None], verb, model)
    assert child.returncode == 2 and "pip install ai-edge-litert" in child.stderr, child.stderr
    assert "Traceback" not in child.stderr, child.stderr


def test_devices(environments):
    """Devices are listed without a host, with a driver and without."""
    python = environments[None]
    child = cli(python, "devices")
    assert child.returncode == 0, child.stderr
    assert re.search(r"^#0 +llvmpipe .* software .*needs allow_software=1$", child.stdout, re.M), child.stdout
    assert "no device is taken: only software devices" in child.stdout
    (device,) = json.loads(cli(python, "devices", "--json").stdout)
    assert device["index"] == 0 and device["kind"] == "software" and not device["default"]
    assert re.fullmatch(r"1\.[1-9]", device["vulkan"]) and len(device["uuid"]) == 36
    none = cli(python, "devices", driver="none")
    assert "Traceback" not in none.stderr and "llvmpipe" not in none.stdout, none.stderr
    assert none.returncode == 1 and "apt install" in none.stderr


def test_values_and_folders(environments):
    """How options become texts; the folder for CompiledModel, and where there is none."""
    code = """
import pathlib, tflite_vulkan
from tflite_vulkan._host import texts
print(texts({"a": True, "b": False, "c": None, "d": 3, "e": pathlib.Path("f")}), tflite_vulkan.__version__)
print(sorted(file.name for file in tflite_vulkan.litert_runtime_path().iterdir() if file.exists()))
"""
    child = run(environments["ai_edge_litert"], "-c", code)
    first, second = child.stdout.splitlines()
    assert first == f"{{'a': '1', 'b': '0', 'd': '3', 'e': 'f'}} {VERSION}", child.stderr
    assert second == "['libLiteRt.so', 'libLiteRtGpuAccelerator.so']"
    child = run(environments["tflite_runtime"], "-c", code)
    assert "ImportError: CompiledModel needs LiteRT 2" in child.stderr


def test_compiled_model(environments, model):
    """LiteRT's CompiledModel finds the wheel's library as its GPU accelerator."""
    options = {"TFLITE_VULKAN_OPTIONS": "allow_software=1;log_level=info"}
    child = run(environments["ai_edge_litert"], "-c", COMPILED_MODEL, model, more=options)
    assert child.stdout.split() == ["(256,)"], child.stderr
    assert re.search(r"[1-9]\d* of 4 nodes delegated", child.stderr), child.stderr


@pytest.mark.parametrize("wheel", wheels() if DIST.is_dir() else [], ids=lambda wheel: wheel.name)
def test_contents(wheel, tmp_path):
    """Size, tags, checksums, and a library that runs with glibc 2.17 and shows its C functions alone."""
    assert wheel.stat().st_size <= MOST
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    info = tmp_path / f"tflite_vulkan-{VERSION}.dist-info"
    record = [line.split(",") for line in (info / "RECORD").read_text().splitlines()]
    assert [row[0] for row in record] == names
    tags = re.findall(r"^Tag: (.+)$", (info / "WHEEL").read_text(), re.M)
    machine = wheel.name.split("manylinux2014_")[1].removesuffix(".whl")
    major, minor = OLDEST_GLIBC
    assert tags == [f"py3-none-manylinux_{major}_{minor}_{machine}", f"py3-none-manylinux2014_{machine}"]
    library = tmp_path / "tflite_vulkan" / "libtflite_vulkan.so"

    def told(*command):
        return subprocess.run([*command, library], capture_output=True, text=True, check=True).stdout

    header = told("readelf", "-hW")
    assert {"x86_64": "X86-64", "aarch64": "AArch64"}[machine] in header
    versions = re.findall(r"GLIBC_([0-9.]+)", told("readelf", "-VW"))
    assert versions and max(tuple(map(int, version.split("."))) for version in versions) <= OLDEST_GLIBC
    needed = set(re.findall(r"NEEDED.*\[(.+?)\.so", told("readelf", "-dW")))
    assert needed <= {"libc", "libm", "libdl", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"}
    assert "NODELETE" in told("readelf", "-dW") and ".symtab" not in told("readelf", "-SW")
    symbols = told("readelf", "--dyn-syms", "-W")
    shown = set(re.findall(r"^ +\d+: .* (?:FUNC|OBJECT) +GLOBAL DEFAULT +\d+ (\w+)", symbols, re.M))
    header = (drivers.ROOT / "include" / "tflite_vulkan.h").read_text()
    declared = set(re.findall(r"^TFLITE_VULKAN_API .*?(\w+)\(", header, re.M))
    assert len(declared) > 5 and declared <= shown
    assert not [name for name in shown if re.match(r"(vk|TfLite(?!Vulkan)|rust_|_ZN)", name)]


def test_versions_agree(library):
    """Cargo.toml is the one source: of the library, the lock file, the wheels and the bill of materials."""
    version = ctypes.CDLL(str(library)).TfLiteVulkanDelegateVersion
    version.restype = ctypes.c_char_p
    printed = version().decode()
    lock = tomllib.loads((drivers.ROOT / "Cargo.lock").read_text())["package"]
    (locked,) = (crate["version"] for crate in lock if crate["name"] == "tflite-vulkan")
    assert printed == locked == VERSION
    assert all(wheel.name.startswith(f"tflite_vulkan-{VERSION}-") for wheel in wheels())


def test_dist(tmp_path):
    """The folder is complete, its checksums hold, and an artefact of another version is refused."""
    (tmp_path / "any.aar").write_bytes(b"from another target")
    command = [sys.executable, str(PACKAGING / "dist.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    sums = dict(reversed(line.split("  ")) for line in (tmp_path / "SHA256SUMS").read_text().splitlines())
    bill = f"tflite-vulkan-{VERSION}.cdx.json"
    others = {file.name for file in (drivers.ROOT / "build").glob("android/*.aar")}
    others |= {f"{file.name}-{VERSION}.zip" for file in (drivers.ROOT / "build").glob("ios/TFLiteVulkan")}
    assert set(sums) == {"LICENSE", "any.aar", "include/tflite_vulkan.h", bill} | others
    assert all(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sums[name] for name in sums)
    told = json.loads((tmp_path / bill).read_text())
    assert told["metadata"]["component"]["version"] == VERSION
    crates = {crate["name"]: crate for crate in told["components"]}
    assert crates["ash"]["scope"] == "required" and crates["bindgen"]["scope"] == "excluded"
    assert not {"shaderc", "tflite-vulkan"} & set(crates), (
        "tests and the compiler of kernels are no part of it"
    )
    assert all(len(crate["hashes"]) == 1 and crate["licenses"] for crate in crates.values())
    references = {crate["bom-ref"] for crate in told["components"]} | {
        told["metadata"]["component"]["bom-ref"]
    }
    assert {entry["ref"] for entry in told["dependencies"]} == references
    assert all(set(entry["dependsOn"]) <= references for entry in told["dependencies"])
    (tmp_path / "tflite-vulkan-0.0.9.aar").write_bytes(b"")
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode and "0.0.9" in child.stderr


def test_panics_are_caught(tmp_path):
    """The unwinder that wheels are linked with finds Rust's frames: a panic becomes an answer."""
    (tmp_path / "panics.rs").write_text(PANIC)
    archive, shared = tmp_path / "libpanics.a", tmp_path / "panics.so"
    rustc = ["rustc", "--edition", "2024", "-O", "--crate-type", "staticlib", "-o", archive]
    subprocess.run([*rustc, tmp_path / "panics.rs"], check=True)
    tools = drivers.ROOT / "build" / "packaging"
    code = (
        "import sys, pathlib as p, wheel; wheel.link(sys.argv[1], 'x86_64', p.Path(sys.argv[2]), sys.argv[3])"
    )
    env = os.environ | {"PYTHONPATH": f"{PACKAGING}:{tools}"}
    subprocess.run([sys.executable, "-c", code, archive, tools, shared], env=env, check=True)
    code = f"import ctypes; print(ctypes.CDLL({str(shared)!r}).TfLiteVulkanPanics())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.stdout.strip() == "42" and "caught" in child.stderr, child.stderr
