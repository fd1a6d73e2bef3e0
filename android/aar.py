"""Packs libraries, classes and the C header into AARs and a folder that is a Maven repository.

Every file of an archive has the same time, so the same contents give the same bytes.
"""

import hashlib
import io
import json
import pathlib
import zipfile

from native import API, ROOT, version

GROUP = "dev.tflitevulkan"
TIME = (1980, 2, 1, 0, 0, 0)
MAIN = pathlib.Path(__file__).resolve().parent / "src" / "main"
HEADER = ROOT / "include" / "tflite_vulkan.h"
METADATA = """aarFormatVersion=1.0
aarMetadataVersion=1.0
minCompileSdk=1
minCompileSdkExtension=0
minAndroidGradlePluginVersion=1.0.0
"""
POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>aar</packaging>
  <name>{artifact}</name>
  <description>{description}</description>
  <licenses>
    <license>
      <name>The Apache License, Version 2.0</name>
      <url>https://www.apache.org/licenses/LICENSE-2.0.txt</url>
    </license>
  </licenses>
</project>
"""


def archive(files):
    """The bytes of a zip archive of files, given as name to contents; archives in it are only stored."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, contents in files.items():
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".jar") else zipfile.ZIP_DEFLATED
            packed.writestr(info, contents)
    return data.getvalue()


def classes(folder):
    """The jar of our classes; TensorFlow Lite's are the application's."""
    found = sorted((folder / GROUP.replace(".", "/")).rglob("*.class"))
    return archive({path.relative_to(folder).as_posix(): path.read_bytes() for path in found})


def prefab(libraries):
    """What lets a CMake project link to the library: the header and, per ABI, the library."""
    name, module = "tflite_vulkan", "prefab/modules/tflite_vulkan"
    package = {"schema_version": 2, "name": name, "version": version(), "dependencies": []}
    nothing = {"export_libraries": [], "library_name": None}
    files = {
        "prefab/prefab.json": json.dumps(package),
        f"{module}/module.json": json.dumps(nothing | {"android": dict.fromkeys(nothing)}),
        f"{module}/include/{HEADER.name}": HEADER.read_bytes(),
    }
    for abi, library in libraries.items():
        facts = {"abi": abi, "api": API, "ndk": 27, "stl": "none", "static": False}
        files[f"{module}/libs/android.{abi}/abi.json"] = json.dumps(facts)
        files[f"{module}/libs/android.{abi}/{library.name}"] = library.read_bytes()
    return files


def contents(package, jar, libraries):
    """The files of an AAR: `libraries` gives a list of paths for each ABI."""
    manifest = (MAIN / "AndroidManifest.xml").read_text()
    files = {
        "AndroidManifest.xml": manifest.replace("{package}", package).replace("{api}", str(API)),
        "R.txt": "",
        "classes.jar": jar,
        "META-INF/com/android/build/gradle/aar-metadata.properties": METADATA,
    }
    return files | {
        f"jni/{abi}/{path.name}": path.read_bytes() for abi, paths in libraries.items() for path in paths
    }


def publish(artifact, description, data, to):
    """Writes an AAR beside its place in a Maven repository, `to`/maven, with its POM and checksums."""
    (to / f"{artifact}.aar").write_bytes(data)
    folder = to / "maven" / GROUP.replace(".", "/") / artifact / version()
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"group": GROUP, "artifact": artifact, "version": version(), "description": description}
    for ending, contents in (("aar", data), ("pom", POM.format(**facts).encode())):
        path = folder / f"{artifact}-{version()}.{ending}"
        path.write_bytes(contents)
        path.with_name(f"{path.name}.sha1").write_text(hashlib.sha1(contents).hexdigest())


def pack(folder, libraries, shims, to):
    """Writes both AARs: `folder` has the classes, `libraries` and `shims` a path for each ABI."""
    ours = contents(GROUP, classes(folder), {abi: [path] for abi, path in libraries.items()})
    ours["proguard.txt"] = (MAIN / "proguard.txt").read_bytes()
    text = "A TensorFlow Lite delegate that runs models on any GPU with a Vulkan driver"
    publish("tflite-vulkan", text, archive(ours | prefab(libraries)), to)
    both = {abi: [libraries[abi], shims[abi]] for abi in libraries}
    text = "The GPU accelerator of LiteRT's CompiledModel, on Vulkan"
    publish("tflite-vulkan-litert", text, archive(contents(f"{GROUP}.litert", archive({}), both)), to)
