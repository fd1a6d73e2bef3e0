"""The libraries in the AARs that `make android` built; `make test-doors` runs this."""

import os
import pathlib
import re
import subprocess
import zipfile

import drivers
import pytest

ROOT = drivers.ROOT
PAGE = 16384
NEEDED = {"libc.so", "libdl.so", "liblog.so", "libm.so"}
AARS = ROOT / "build" / "android"


def read(*command):
    """What a command prints; it must succeed."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("abi", ["arm64-v8a", "x86_64"])
def test_android_library(abi, library, tmp_path):
    """It exports what the library of this machine does, and fits pages of 16 KiB and any phone."""
    with zipfile.ZipFile(AARS / "tflite-vulkan.aar") as aar:
        ours = pathlib.Path(aar.extract(f"jni/{abi}/libtflite_vulkan.so", tmp_path))
    dynamic = read("readelf", "-dW", ours)
    assert set(re.findall(r"NEEDED.*\[(.+)\]", dynamic)) == NEEDED
    assert "[libtflite_vulkan.so]" in dynamic and "NODELETE" in dynamic
    segments = re.findall(r"^ +LOAD .* 0x(\w+)$", read("readelf", "-lW", ours), re.M)
    assert segments and all(int(alignment, 16) % PAGE == 0 for alignment in segments), segments

    def exported(path):
        return sorted(re.findall(r" [A-Z] (\w+)", read("nm", "-D", "--defined-only", path)))

    assert exported(ours) == exported(library)
    text = ours.read_bytes()
    for path in (ROOT, pathlib.Path.home() / ".cargo"):
        assert os.fsencode(path) not in text, f"the library tells {path}"


@pytest.mark.parametrize("abi", ["arm64-v8a", "x86_64"])
def test_accelerator(abi, tmp_path):
    """LiteRT's name for it loads our library, which has what LiteRT looks for."""
    with zipfile.ZipFile(AARS / "tflite-vulkan-litert.aar") as aar:
        for name in ("libLiteRtGpuAccelerator.so", "libtflite_vulkan.so"):
            aar.extract(f"jni/{abi}/{name}", tmp_path)
    folder = tmp_path / "jni" / abi
    dynamic = read("readelf", "-dW", folder / "libLiteRtGpuAccelerator.so")
    assert "NEEDED" in dynamic and "[libtflite_vulkan.so]" in dynamic
    assert "[libLiteRtGpuAccelerator.so]" in dynamic
    assert " LiteRtAcceleratorImpl\n" in read("nm", "-D", "--defined-only", folder / "libtflite_vulkan.so")
