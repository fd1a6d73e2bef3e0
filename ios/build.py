"""Builds the Swift package build/ios/TFLiteVulkan without Xcode: its xcframework holds static libraries.

    build.py [--only TARGET]... [--empty FOLDER]

`make ios` calls it, after `android/fetch.sh` has brought the compiler. Static libraries need no linker.
"""

import argparse
import pathlib
import plistlib
import shutil
import struct
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import symbols  # noqa: E402
from cross import ROOT, environment, flags, run, version  # noqa: E402

HERE = ROOT / "ios"
BUILD = ROOT / "build" / "ios"
NAME = "TFLiteVulkan"
OLDEST = "15.0"
# Per slice of the framework: targets of Rust with Apple's name of the architecture and its number in Mach-O.
SLICES = {
    "ios-arm64": {"aarch64-apple-ios": ("arm64", 0x0100000C, 0)},
    "ios-arm64_x86_64-simulator": {
        "aarch64-apple-ios-sim": ("arm64", 0x0100000C, 0),
        "x86_64-apple-ios": ("x86_64", 0x01000007, 3),
    },
}
CARGO = ["--lib", "--crate-type", "staticlib", "-Zbuild-std=std,panic_unwind"]


def build(target):
    """Builds the static library for a target of Rust; its path."""
    env = environment("ios")
    env |= {"IPHONEOS_DEPLOYMENT_TARGET": OLDEST, "RUSTFLAGS": " ".join(flags(env))}
    print(f"building for {target}; the first time takes two to five minutes on two cores", flush=True)
    strip = ["--config", 'profile.release.strip="none"']
    run(["cargo", "rustc", "--quiet", "--release", "--target", target, *CARGO, *strip], env)
    library = BUILD / "target" / target / "release" / "libtflite_vulkan.a"
    if unlisted := symbols.unlisted(library):
        sys.exit(f"{target} needs names that ios/symbols.txt does not list: {' '.join(unlisted)}")
    return library


def universal(archives, to):
    """Joins static libraries, given as (type, subtype) of the processor to path, into one, as lipo does."""
    align = 3  # archives begin at multiples of 8
    offset = 8 + 20 * len(archives)
    header, body = struct.pack(">II", 0xCAFEBABE, len(archives)), b""
    for (kind, subtype), path in archives.items():
        data = path.read_bytes()
        gap = -(offset + len(body)) % (1 << align)
        body += b"\0" * gap
        header += struct.pack(">iiIII", kind, subtype, offset + len(body), len(data), align)
        body += data
    to.write_bytes(header + body)


def fill(folder, targets, libraries):
    """Writes a slice of the framework: its library and headers; what Info.plist says of it."""
    headers = folder / "Headers" / "CTFLiteVulkan"
    headers.mkdir(parents=True)
    shutil.copy(ROOT / "include" / "tflite_vulkan.h", headers)
    shutil.copy(HERE / "module.modulemap", headers)
    library = folder / f"lib{NAME}.a"
    if len(targets) == 1:
        shutil.copy(libraries[next(iter(targets))], library)
    else:
        universal({facts[1:]: libraries[target] for target, facts in targets.items()}, library)
    facts = {
        "BinaryPath": library.name,
        "HeadersPath": "Headers",
        "LibraryIdentifier": folder.name,
        "LibraryPath": library.name,
        "SupportedArchitectures": [architecture for architecture, _, _ in targets.values()],
        "SupportedPlatform": "ios",
    }
    return facts | ({"SupportedPlatformVariant": "simulator"} if "simulator" in folder.name else {})


def pack(libraries, package):
    """Writes the package: `libraries` gives a path for each target that was built."""
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(HERE / "Sources", package / "Sources")
    shutil.copy(HERE / "Package.swift", package)
    podspec = (HERE / f"{NAME}.podspec").read_text().replace("{version}", version())
    (package / f"{NAME}.podspec").write_text(podspec)
    to, available = package / f"{NAME}.xcframework", []
    for name, targets in SLICES.items():
        built = {target: facts for target, facts in targets.items() if target in libraries}
        if built:
            available.append(fill(to / name, built, libraries))
    info = {"AvailableLibraries": available, "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}
    (to / "Info.plist").write_bytes(plistlib.dumps(info))


def main():
    """Builds for the targets given, by default all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = [target for targets in SLICES.values() for target in targets]
    parser.add_argument("--only", action="append", choices=every)
    parser.add_argument("--empty", type=pathlib.Path, help="writes a package without libraries there")
    given = parser.parse_args()
    targets, package = given.only or every, given.empty or BUILD / NAME
    if given.empty:
        given.empty.mkdir(parents=True, exist_ok=True)
        nothing = given.empty.with_name("nothing.a")
        nothing.write_bytes(b"!<arch>\n")
        pack(dict.fromkeys(targets, nothing), package)
        return
    pack({target: build(target) for target in targets}, package)
    print(f"{package.relative_to(ROOT)}: {', '.join(targets)}")


if __name__ == "__main__":
    main()
