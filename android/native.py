"""Builds libtflite_vulkan.so for Android without an NDK.

The compiler is Debian's (`fetch.sh`), which builds the standard library too. To link, an empty library stands
for each of bionic's, with the names in `symbols/`, all of which API level 24 has.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HERE = ROOT / "android"
BUILD = ROOT / "build" / "android"
RUST = BUILD / "rust"
API = 24
ABIS = {"arm64-v8a": "aarch64-linux-android", "x86_64": "x86_64-linux-android"}
CLANG = ["clang", "-nostdlib", "-Wno-unused-command-line-argument", f"--ld-path={RUST}/usr/bin/ld.lld"]
# Phones have memory pages of 4 or 16 KiB.
LINK = ["-Wl,-z,defs", "-Wl,-z,max-page-size=16384", "-Wl,--hash-style=gnu", "-Wl,--build-id=sha1"]
CARGO = ["--lib", "--crate-type", "cdylib", "-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]
PROFILE = ["--config", 'profile.release.panic="abort"', "--config", 'profile.release.strip="symbols"']


def run(command, env=None):
    """Runs a command in the project's root; ends the program if it fails."""
    status = subprocess.run([str(word) for word in command], cwd=ROOT, env=env).returncode
    if status:
        sys.exit(f"android: {command[0]} failed with status {status}")


def tools():
    """The environment in which Debian's Rust runs; `RUSTC_BOOTSTRAP` lets it build its standard library."""
    libraries = f"{RUST}/usr/lib/x86_64-linux-gnu:{RUST}/usr/lib/llvm/lib"
    return os.environ | {
        "LD_LIBRARY_PATH": libraries,
        "RUSTC": f"{RUST}/usr/bin/rustc",
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(BUILD / "target"),
    }


def stubs(target):
    """The folder of what stands for the phone's libraries and for the unwinder."""
    folder = BUILD / "stubs" / target
    folder.mkdir(parents=True, exist_ok=True)
    clang = [*CLANG, f"--target={target}{API}"]
    for names in sorted((HERE / "symbols").glob("*.txt")):
        source = folder / f"{names.stem}.s"
        lines = [f".globl {name}\n.type {name}, %function\n{name}:\n" for name in names.read_text().split()]
        source.write_text("".join(lines))
        library = f"{names.stem}.so"
        run([*clang, "-shared", f"-Wl,-soname,{library}", "-o", folder / library, source], tools())
    run([*clang, "-Os", "-fPIC", "-c", "-o", folder / "unwind.o", HERE / "unwind.c"], tools())
    # An archive of one object, with what is linked by the name of the unwinder.
    (folder / "libunwind.a").write_text(f"INPUT({folder / 'unwind.o'})\n")
    return folder


def build(abi):
    """Builds the library for an ABI; its path."""
    target, env = ABIS[abi], tools()
    folder = stubs(target)
    home = pathlib.Path(env.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    hidden = [f"--remap-path-prefix={home}=cargo", f"--remap-path-prefix={ROOT}=."]
    link = [*CLANG[1:], *LINK, f"--target={target}{API}", f"-L{folder}", "-Wl,-soname,libtflite_vulkan.so"]
    name = f"CARGO_TARGET_{target.upper().replace('-', '_')}"
    env |= {
        f"{name}_LINKER": CLANG[0],
        f"{name}_RUSTFLAGS": " ".join([*hidden, *(f"-Clink-arg={word}" for word in link)]),
    }
    print(f"building for {abi}; the first time takes two to five minutes on two cores", flush=True)
    run(["cargo", "rustc", "--quiet", "--release", "--target", target, *CARGO, *PROFILE], env)
    return BUILD / "target" / target / "release" / "libtflite_vulkan.so"


def shim(abi, library):
    """Builds LiteRT's name for an accelerator: a library of nothing that loads ours; its path."""
    folder = BUILD / "shim" / abi
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "libLiteRtGpuAccelerator.so"
    needed = ["-Wl,--no-as-needed", "-L", library.parent, "-ltflite_vulkan", "-Wl,-soname," + made.name]
    clang = [*CLANG, f"--target={ABIS[abi]}{API}", "-shared", *LINK[1:], "-Wl,--strip-all"]
    run([*clang, "-o", made, "-x", "c", os.devnull, "-x", "none", *needed], tools())
    return made
