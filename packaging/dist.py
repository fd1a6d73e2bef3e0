"""Completes a folder of artefacts: the C header, the licence, the bill of materials and checksums.

    dist.py FOLDER

What `make android` and `make ios` have built is copied, and whatever lies in the folder already is listed in
SHA256SUMS too.  Fails if the name of
a file holds another version than Cargo.toml.
"""

import hashlib
import json
import pathlib
import re
import shutil
import sys

import sbom
from project import ROOT, VERSION

SUMS = "SHA256SUMS"
SWIFT = "TFLiteVulkan"  # the Swift package with its xcframework


def main():
    """Completes the folder and prints what is in it."""
    folder = pathlib.Path(sys.argv[1])
    (folder / "include").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "include" / "tflite_vulkan.h", folder / "include")
    shutil.copy(ROOT / "LICENSE", folder)
    for aar in sorted((ROOT / "build" / "android").glob("*.aar")):
        shutil.copy(aar, folder)
    if (ROOT / "build" / "ios" / SWIFT).is_dir():
        shutil.make_archive(str(folder / f"{SWIFT}-{VERSION}"), "zip", ROOT / "build" / "ios", SWIFT)
    bill = folder / f"tflite-vulkan-{VERSION}.cdx.json"
    bill.write_text(json.dumps(sbom.bill(), indent=1) + "\n")
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != SUMS)
    for file in files:
        named = re.search(r"tflite[-_]vulkan(?:[-_]litert)?-(\d+\.\d+\.\d+)", file.name)
        if named and named[1] != VERSION:
            sys.exit(f"{file} is of version {named[1]}, not {VERSION}: remove it")
    lines = [
        f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(folder).as_posix()}" for f in files
    ]
    (folder / SUMS).write_text("\n".join(lines) + "\n")
    for file in files:
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file}")
    print(f"checksums in {folder / SUMS}: sha256sum --check {SUMS}")


if __name__ == "__main__":
    main()
