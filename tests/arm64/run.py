"""Runs the tests of conformance or models with a library for arm64, on a machine of another kind.

    run.py linux|android PYTEST-ARGUMENTS...

The children in which the library runs are Python for arm64 under qemu (`fetch.sh`), with lavapipe in fp32 and
without the validation layer; pytest itself runs on this machine. `make wheel-aarch64` or `make android` must
have built the library. Behind Android's libraries stands glibc, as `tests/android/run.py` says.
"""

import os
import pathlib
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "android"))
import run as android  # noqa: E402

BUILD = ROOT / "build" / "arm64-test"
ANDROID = android.BUILD / "target" / "aarch64-linux-android" / "release" / "libtflite_vulkan.so"


def from_wheel():
    """The library of the wheel for arm64, unpacked."""
    wheels = sorted((ROOT / "dist").glob("tflite_vulkan-*_aarch64.whl"))
    if not wheels:
        sys.exit("there is no wheel for arm64 in dist/: run `make wheel-aarch64`")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/libtflite_vulkan.so")]
        return pathlib.Path(wheel.extract(name, BUILD / "wheel"))


def from_android():
    """Android's library, once what stands for Android's own libraries is made."""
    if not ANDROID.is_file():
        sys.exit(f"there is no {ANDROID.relative_to(ROOT)}: run `make android`")
    android.shims(BUILD / "shims", "aarch64-linux-gnu-gcc")
    return ANDROID


def main():
    """Finds the library and runs pytest."""
    kind, *arguments = sys.argv[1:]
    env = os.environ | {"TFLITE_VULKAN_PYTHON": str(BUILD / "python")}
    if kind == "android":
        library = from_android()
        env |= {"ARM64_LIBRARIES": str(BUILD / "shims"), "TFLITE_VULKAN_LIBRARY": "libvulkan.so.1"}
    else:
        library = from_wheel()
    given = ["--delegate", str(library), "--configs", "lavapipe-fp32", "--no-validation"]
    command = [sys.executable, "-m", "pytest", "-q", *given, *arguments]
    sys.exit(subprocess.run(command, cwd=ROOT, env=env).returncode)


if __name__ == "__main__":
    main()
