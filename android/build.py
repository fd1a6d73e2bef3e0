"""Builds build/android/tflite-vulkan.aar, tflite-vulkan-litert.aar and a Maven repository of both.

    build.py [--abi ABI]...

`make android` calls it, after `fetch.sh` has brought the compiler.
"""

import argparse
import shutil

import aar
import native


def compile_java(folder):
    """Compiles our classes against the shape of TensorFlow Lite's, for Java 8."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources = [*sorted(aar.MAIN.rglob("*.java")), *sorted((native.HERE / "stub").rglob("*.java"))]
    options = ["--release", "8", "-Xlint:all,-options", "-Werror", "-g:source,lines"]
    native.run(["javac", *options, "-d", folder, *sources])


def main():
    """Builds for the ABIs given, by default all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--abi", action="append", choices=native.ABIS)
    abis = parser.parse_args().abi or list(native.ABIS)
    java = native.BUILD / "classes"
    compile_java(java)
    libraries = {abi: native.build(abi) for abi in abis}
    shims = {abi: native.shim(abi, library) for abi, library in libraries.items()}
    aar.pack(java, libraries, shims, native.BUILD)
    for name in ("tflite-vulkan", "tflite-vulkan-litert"):
        path = native.BUILD / f"{name}.aar"
        print(f"{path.relative_to(native.ROOT)}: {path.stat().st_size / 1e6:.1f} MB, {', '.join(abis)}")


if __name__ == "__main__":
    main()
