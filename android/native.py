"""Builds libtflite_vulkan.so for Android without an NDK.

The compiler is Debian's (`fetch.sh`), which builds the standard library too. To link, an empty library stands
for each of bionic's, with the names in `symbols/`, all of which API level 24 has.
"""

import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from cross import ROOT, RUST, environment, flags, run, version  # noqa: E402, F401

HERE = ROOT / "android"
BUILD = ROOT / "build" / "android"
API = 24
ABIS = {"arm64-v8a": "aarch64-linux-android", "x86_64": "x86_64-linux-android"}
CLANG = ["clang", "-nostdlib", "-Wno-unused-command-line-argument", f"--ld-path={RUST}/usr/bin/ld.lld"]
# Phones have memory pages of 4 or 16 KiB.
LINK = ["-Wl,-z,defs", "-Wl,-z,max-page-size=16384", "-Wl,--hash-style=gnu", "-Wl,--build-id=sha1"]
CARGO = ["--lib", "--crate-type", "cdylib", "-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]
PROFILE = ["--config", 'profile.release.panic="abort"', "--config", 'profile.release.strip="symbols"']


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
        made = ["-o", folder / library, source]
        run([*clang, "-shared", f"-Wl,-soname,{library}", *made], environment("android"))
    run([*clang, "-Os", "-fPIC", "-c", "-o", folder / "unwind.o", HERE / "unwind.c"])
    # A linker script, under the name by which the standard library asks for an unwinder.
    (folder / "libunwind.a").write_text(f"INPUT({folder / 'unwind.o'})\n")
    return folder


def build(abi):
    """Builds the library for an ABI; its path."""
    target, env = ABIS[abi], environment("android")
    folder = stubs(target)
    link = [*CLANG[1:], *LINK, f"--target={target}{API}", f"-L{folder}", "-Wl,-soname,libtflite_vulkan.so"]
    name = f"CARGO_TARGET_{target.upper().replace('-', '_')}"
    env |= {
        f"{name}_LINKER": CLANG[0],
        f"{name}_RUSTFLAGS": " ".join([*flags(env), *(f"-Clink-arg={word}" for word in link)]),
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
    run([*clang, "-o", made, "-x", "c", os.devnull, "-x", "none", *needed], environment("android"))
    return made
