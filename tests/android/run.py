"""Runs the tests of the library with Android's own, on this machine: its C library stands for Android's.

    run.py PYTEST-ARGUMENTS...

Android's libraries have names of their own. Behind each there is a library that needs the one of this machine
and adds what that lacks. `make android` must have built for x86_64.
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "android"
LIBRARY = BUILD / "target" / "x86_64-linux-android" / "release" / "libtflite_vulkan.so"
LIBRARIES = {"libc": ["bionic.c"], "libm": [], "libdl": [], "liblog": ["log.c"]}


def shims(folder, compiler="gcc"):
    """Makes Android's libraries out of those of the compiler's machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sources in LIBRARIES.items():
        made = ["-shared", "-fPIC", f"-Wl,-soname,{name}.so", "-o", folder / f"{name}.so"]
        inputs = [HERE / source for source in sources] or ["-x", "c", os.devnull, "-x", "none"]
        libraries = ["-Wl,--no-as-needed", "-lm", "-ldl"]
        command = [compiler, "-Wall", "-Wextra", "-Werror", *made, *inputs, *libraries]
        subprocess.run([str(word) for word in command], check=True)


def main():
    """Makes the libraries and runs pytest with them."""
    if not LIBRARY.is_file():
        sys.exit(f"there is no {LIBRARY.relative_to(ROOT)}: run `make android`")
    folder = BUILD / "shims"
    shims(folder)
    env = os.environ | {"LD_LIBRARY_PATH": str(folder), "TFLITE_VULKAN_LIBRARY": "libvulkan.so.1"}
    command = [sys.executable, "-m", "pytest", "-q", "--delegate", str(LIBRARY), *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=ROOT, env=env).returncode)


if __name__ == "__main__":
    main()
