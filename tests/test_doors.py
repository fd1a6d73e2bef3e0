"""What `make android` and `make ios` pack. The libraries are a few bytes, so little is compiled.

`make test-doors` tests what they have built.
"""

import importlib.util
import io
import json
import plistlib
import re
import struct
import subprocess
import sys
import zipfile
from xml.etree import ElementTree

import drivers
import pytest

ROOT = drivers.ROOT


def load(path):
    """A script of the project as a module."""
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Both AARs and their repository, packed twice; the folders."""
    folder = tmp_path_factory.mktemp("android")
    aar, build = load(ROOT / "android" / "aar.py"), load(ROOT / "android" / "build.py")
    ours, shims = {}, {}
    for abi in build.native.ABIS:
        (folder / abi).mkdir()
        ours[abi], shims[abi] = (
            folder / abi / "libtflite_vulkan.so",
            folder / abi / "libLiteRtGpuAccelerator.so",
        )
        ours[abi].write_text(abi)
        shims[abi].write_text(f"shim {abi}")
    made = []
    for name in ("once", "twice"):
        build.compile_java(folder / name / "classes")
        (folder / name / "out").mkdir()
        aar.pack(folder / name / "classes", ours, shims, folder / name / "out")
        made.append(folder / name / "out")
    return made


def files(folder):
    """The contents of every file below a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_packing_is_reproducible(packed):
    """The same libraries give the same bytes."""
    once, twice = (files(folder) for folder in packed)
    assert once == twice and len(once) == 10, sorted(once)


def test_aar_is_whole(packed):
    """Classes, libraries, rules, and the header for CMake projects are where Gradle looks for them."""
    with zipfile.ZipFile(packed[0] / "tflite-vulkan.aar") as aar:
        names = set(aar.namelist())
        for abi in ("arm64-v8a", "x86_64"):
            assert aar.read(f"jni/{abi}/libtflite_vulkan.so") == abi.encode()
            where = f"prefab/modules/tflite_vulkan/libs/android.{abi}"
            assert aar.read(f"{where}/libtflite_vulkan.so") == abi.encode()
            assert json.loads(aar.read(f"{where}/abi.json"))["abi"] == abi
        header = aar.read("prefab/modules/tflite_vulkan/include/tflite_vulkan.h")
        assert header == (ROOT / "include" / "tflite_vulkan.h").read_bytes()
        assert json.loads(aar.read("prefab/prefab.json"))["schema_version"] == 2
        manifest = ElementTree.fromstring(aar.read("AndroidManifest.xml"))
        assert manifest.get("package") == "dev.tflitevulkan"
        assert 'minSdkVersion="24"' in aar.read("AndroidManifest.xml").decode()
        jar = zipfile.ZipFile(io.BytesIO(aar.read("classes.jar"))).namelist()
        rules = aar.read("proguard.txt").decode()
    assert {"R.txt", "META-INF/com/android/build/gradle/aar-metadata.properties"} <= names
    assert all(name.startswith("dev/tflitevulkan/Vulkan") for name in jar) and len(jar) >= 7, jar
    assert "dev/tflitevulkan/VulkanDelegate.class" in jar
    assert "native <methods>" in rules


def test_litert_aar_has_the_accelerator(packed):
    """LiteRT finds the library under its own name, and ours beside it; no class of ours comes along."""
    with zipfile.ZipFile(packed[0] / "tflite-vulkan-litert.aar") as aar:
        assert aar.read("jni/x86_64/libLiteRtGpuAccelerator.so") == b"shim x86_64"
        assert aar.read("jni/x86_64/libtflite_vulkan.so") == b"x86_64"
        assert zipfile.ZipFile(io.BytesIO(aar.read("classes.jar"))).namelist() == []
        assert (
            ElementTree.fromstring(aar.read("AndroidManifest.xml")).get("package")
            == "dev.tflitevulkan.litert"
        )


def test_poms_name_what_lies_beside_them(packed):
    """A Maven repository has group, artifact and version in its paths as in its POMs."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    poms = sorted(packed[0].glob("maven/**/*.pom"))
    assert len(poms) == 2
    for path in poms:
        pom = ElementTree.fromstring(path.read_bytes())
        facts = [
            pom.find(f"m:{name}", space).text for name in ("groupId", "artifactId", "version", "packaging")
        ]
        group, artifact, version, packaging = facts
        assert path.name == f"{artifact}-{version}.pom" and packaging == "aar"
        assert path.parent == packed[0] / "maven" / group.replace(".", "/") / artifact / version
        assert path.with_suffix(".aar").read_bytes() == (packed[0] / f"{artifact}.aar").read_bytes()


def read(*command):
    """What a command prints; it must succeed."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def test_xcframework_is_whole(tmp_path):
    """Each slice has a library, the header and a module map; Info.plist names them."""
    ios = load(ROOT / "ios" / "build.py")
    libraries = {}
    for number, target in enumerate(t for targets in ios.SLICES.values() for t in targets):
        libraries[target] = tmp_path / f"{target}.a"
        libraries[target].write_bytes(b"!<arch>\n" + bytes([number]) * (5 + number))
    package = tmp_path / "package"
    ios.pack(libraries, package)
    framework = package / "TFLiteVulkan.xcframework"
    info = plistlib.loads((framework / "Info.plist").read_bytes())
    assert [entry["SupportedArchitectures"] for entry in info["AvailableLibraries"]] == [
        ["arm64"],
        ["arm64", "x86_64"],
    ]
    for entry in info["AvailableLibraries"]:
        folder = framework / entry["LibraryIdentifier"]
        assert (folder / entry["LibraryPath"]).is_file()
        headers = folder / entry["HeadersPath"] / "CTFLiteVulkan"
        assert {path.name for path in headers.iterdir()} == {"module.modulemap", "tflite_vulkan.h"}
    device, simulator = (
        framework / entry["LibraryIdentifier"] / entry["LibraryPath"] for entry in info["AvailableLibraries"]
    )
    assert device.read_bytes() == libraries["aarch64-apple-ios"].read_bytes()
    joined = simulator.read_bytes()
    magic, count = struct.unpack_from(">II", joined)
    assert (magic, count) == (0xCAFEBABE, 2)
    for i, target in enumerate(("aarch64-apple-ios-sim", "x86_64-apple-ios")):
        _, _, offset, size, align = struct.unpack_from(">iiIII", joined, 8 + 20 * i)
        assert offset % (1 << align) == 0
        assert joined[offset : offset + size] == libraries[target].read_bytes()
    podspec = (package / "TFLiteVulkan.podspec").read_text()
    assert f"s.version = '{ios.version()}'" in podspec
    assert (package / "Sources" / "TFLiteVulkan" / "VulkanDelegate.swift").is_file()
    assert 'path: "TFLiteVulkan.xcframework"' in (package / "Package.swift").read_text()


def test_module_map_compiles(tmp_path):
    """The header is a module, as Swift imports it, and alone in it."""
    for path in (ROOT / "include" / "tflite_vulkan.h", ROOT / "ios" / "module.modulemap"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    source = tmp_path / "use.m"
    source.write_text("@import CTFLiteVulkan;\nTfLiteVulkanDelegateOptions options;\n")
    modules = ["-fmodules", f"-fmodules-cache-path={tmp_path}", "-I", tmp_path]
    target = ["-target", "arm64-apple-ios15.0", "-ffreestanding", "-Wno-auto-import"]
    read("clang", "-x", "objective-c", *modules, *target, "-Wall", "-Werror", "-fsyntax-only", source)


def test_swift_sets_every_option():
    """VulkanDelegate.swift writes each field of the options that the header declares, but the size."""
    header = (ROOT / "include" / "tflite_vulkan.h").read_text()
    struct_text = re.search(r"typedef struct TfLiteVulkanDelegateOptions \{(.*?)\n\}", header, re.S)[1]
    struct_text = re.sub(r"/\*.*?\*/", "", struct_text, flags=re.S)
    fields = set(re.findall(r"(\w+);", struct_text)) - {"size"}
    swift = (ROOT / "ios" / "Sources" / "TFLiteVulkan" / "VulkanDelegate.swift").read_text()
    assert len(fields) > 8 and fields == set(re.findall(r"\braw\.(\w+) =", swift))


def test_names_beyond_the_list_are_found(tmp_path):
    """What no object of a library defines, and iOS's list lacks."""
    symbols = load(ROOT / "ios" / "symbols.py")
    archive = b"!<arch>\n"
    for name, text in (
        ("a", "void ours(void); void beyond(void); void f(void) { ours(); beyond(); }"),
        ("b", "void abort(void); void ours(void) { abort(); } int common;"),
    ):
        source, made = tmp_path / f"{name}.c", tmp_path / f"{name}.o"
        source.write_text(text)
        read(
            "clang", "-target", "arm64-apple-ios15.0", "-ffreestanding", "-fcommon", "-c", "-o", made, source
        )
        data = made.read_bytes()
        data += b"\0" * (len(data) % 2)
        long = f"{name}.o".encode().ljust(8, b"\0")
        archive += b"#1/8".ljust(48) + str(8 + len(data)).encode().ljust(10) + b"`\n" + long + data
    library = tmp_path / "library.a"
    library.write_bytes(archive)
    assert symbols.undefined(library) == {"_beyond", "_abort"}
    assert symbols.unlisted(library) == ["_beyond"]
