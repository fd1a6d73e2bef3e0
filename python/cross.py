"""Debian's Rust, unpacked under build/: it builds its standard library for systems that Debian is none of.

`android/fetch.sh` brings it. `RUSTC_BOOTSTRAP` is what lets a stable compiler build its standard library.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUST = ROOT / "build" / "android" / "rust"


def run(command, env=None):
    """Runs a command in the project's root; ends the program if it fails."""
    status = subprocess.run([str(word) for word in command], cwd=ROOT, env=env).returncode
    if status:
        sys.exit(f"{command[0]} failed with status {status}")


def environment(target):
    """The environment in which Debian's Rust runs, with cargo's files in a folder of build/."""
    libraries = f"{RUST}/usr/lib/x86_64-linux-gnu:{RUST}/usr/lib/llvm/lib"
    return os.environ | {
        "LD_LIBRARY_PATH": libraries,
        "RUSTC": f"{RUST}/usr/bin/rustc",
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(ROOT / "build" / target / "target"),
    }


def flags(env):
    """Flags that keep the paths of this machine out of what is built."""
    home = pathlib.Path(env.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    return [f"--remap-path-prefix={home}=cargo", f"--remap-path-prefix={ROOT}=."]


def version():
    """The project's version, as Cargo.toml says."""
    return re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
