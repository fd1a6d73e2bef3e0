"""Links libtflite_vulkan.so for old C libraries and puts it into a Python wheel.

    wheel.py --library libtflite_vulkan.a --machine x86_64 --tools build/packaging --out dist

The library is the static one that cargo makes for the machine.  `zig cc` links it against stubs of
glibc 2.17, and with an unwinder of its own, so that a panic is caught without libgcc_s.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys

import archive
from project import PACKAGE, ROOT, VERSION

GLIBC = (2, 17)
SOURCES = ROOT / "python" / "tflite_vulkan"
LIBRARY = "libtflite_vulkan.so"
NAME = f"tflite_vulkan-{VERSION}"
LINK = [
    "-shared",
    "-s",
    "-Wl,--gc-sections",
    "-Wl,-z,nodelete",  # as build.rs has it
    "-Wl,-z,max-page-size=65536",  # the largest pages of arm64
    f"-Wl,--version-script={ROOT / 'packaging' / 'exports.map'}",
    f"-Wl,-soname,{LIBRARY}",
    "-lunwind",
]


def link(static, machine, tools, to):
    """Links the shared library."""
    cache = str(tools.resolve() / "cache")
    env = os.environ | {
        "PYTHONPATH": str(tools),
        "ZIG_GLOBAL_CACHE_DIR": cache,
        "ZIG_LOCAL_CACHE_DIR": cache,
    }
    target = f"{machine}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"
    whole = ["-Wl,--whole-archive", str(static), "-Wl,--no-whole-archive"]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-o", str(to), *whole, *LINK]
    subprocess.run(command, check=True, env=env)


def newest_glibc(library):
    """The newest version of glibc that a library asks for."""
    printed = subprocess.run(["readelf", "-VW", library], capture_output=True, text=True, check=True).stdout
    return max(tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", printed))


def metadata():
    """The wheel's METADATA."""
    head = [
        "Metadata-Version: 2.4",
        "Name: tflite-vulkan",
        f"Version: {VERSION}",
        f"Summary: {PACKAGE['description']}",
        f"License-Expression: {PACKAGE['license']}",
        "License-File: LICENSE",
        f"Keywords: {','.join(PACKAGE['keywords'])}",
        "Requires-Python: >=3.9",
        "Description-Content-Type: text/markdown",
        "Provides-Extra: litert",
        "Requires-Dist: ai-edge-litert; extra == 'litert'",
    ]
    return "\n".join(head) + "\n\n" + (ROOT / "docs" / "python.md").read_text()


def pack(library, machine, to):
    """Writes the wheel; its path."""
    tag = f"py3-none-manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}.manylinux2014_{machine}"
    info = f"{NAME}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: tflite-vulkan\nRoot-Is-Purelib: false\n"
    wheel += "".join(f"Tag: py3-none-{platform}\n" for platform in tag.split("-", 2)[2].split("."))
    files = {f"tflite_vulkan/{file.name}": file.read_bytes() for file in sorted(SOURCES.glob("*.py*"))}
    files |= {
        "tflite_vulkan/py.typed": b"",
        f"tflite_vulkan/{LIBRARY}": library.read_bytes(),
        f"{info}/METADATA": metadata().encode(),
        f"{info}/WHEEL": wheel.encode(),
        f"{info}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes(),
    }
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = to / f"{NAME}-{tag}.whl"
    path.write_bytes(archive.pack(files))
    return path


def main():
    """Links, checks and packs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--machine", choices=("x86_64", "aarch64"), required=True)
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="where ziglang is installed")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    a = parser.parse_args()
    folder = a.out / f"linux-{a.machine}"
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / LIBRARY
    link(a.library, a.machine, a.tools, library)
    if newest_glibc(library) > GLIBC:
        sys.exit(f"{library} needs glibc {newest_glibc(library)}, newer than {GLIBC}")
    path = pack(library, a.machine, a.out)
    print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
