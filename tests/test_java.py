"""The Java classes in a JVM: over JNI to the library, with TensorFlow Lite's C library as the host.

TFLITE_API_JAR names the classes of TensorFlow Lite to test with, by default the shapes in android/stub.
"""

import os
import pathlib
import re
import subprocess
import tomllib

import drivers
import pytest

ROOT = drivers.ROOT
SOURCES = ROOT / "android" / "src" / "main" / "java"
STUB = ROOT / "android" / "stub"
JVM = ROOT / "tests" / "jvm"
HOST = ROOT / "build" / "litert-lm" / "liblitert-lm.so"
MODELS = ROOT / "tests" / "c_api" / "models"
COMPARED = (
    MODELS / "static.tflite",
    ROOT / "build" / "models" / "mediapipe" / "face_landmark.tflite",
)
TESTS = re.findall(r"^    static void (\w+)\(\)", (JVM / "Tests.java").read_text(), re.M)
JAVA_8 = 52  # the version of its class files


def run(*command):
    """Runs a command; fails the test with what it printed."""
    child = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if child.returncode:
        pytest.fail(f"{command[0]}:\n{child.stdout}{child.stderr}", pytrace=False)
    return child.stdout


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    """The class path of our classes and of the tests."""
    folder = tmp_path_factory.mktemp("java")
    ours, tests = folder / "ours", folder / "tests"
    jar = os.environ.get("TFLITE_API_JAR")
    path = [jar] if jar else []
    sources = [*SOURCES.rglob("*.java"), *([] if jar else STUB.rglob("*.java"))]
    run("javac", "--release", "8", "-Xlint:-options", "-cp", ":".join(path), "-d", ours, *sources)
    path.append(str(ours))
    run("javac", "-cp", ":".join(path), "-d", tests, *JVM.glob("*.java"))
    return ":".join([*path, str(tests)])


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """The natives of Host.java."""
    made = tmp_path_factory.mktemp("host") / "libhost.so"
    java = pathlib.Path(run("readlink", "-f", run("sh", "-c", "command -v javac").strip()).strip())
    include = java.parents[1] / "include"
    flags = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-I",
        include,
        "-I",
        include / "linux",
    ]
    run("gcc", *flags, "-o", made, JVM / "host.c", "-ldl")
    return made


@pytest.fixture(scope="session", params=["lavapipe", "swiftshader"])
def printed(request, classes, host, library):
    """What all tests print in one JVM."""
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    facts = {
        "java.library.path": library.parent,
        "host": host,
        "tflite": os.environ.get("TFLITE_C_LIBRARY", HOST),
        "models": MODELS,
        "compared": ":".join(str(path) for path in COMPARED),
        "version": version,
    }
    settings = [f"-D{name}={value}" for name, value in facts.items()]
    command = ["java", "-Xcheck:jni", "-Xmx256m", *settings, "-cp", classes, "Tests", *TESTS]
    env = drivers.environment(request.param)
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)


@pytest.mark.parametrize("test", TESTS)
def test_java(printed, test):
    """A test of Tests.java."""
    lines = printed.stdout.splitlines()
    if f"ok {test}" not in lines:
        pytest.fail(f"status {printed.returncode}\n{printed.stdout}\n{printed.stderr}", pytrace=False)


def test_no_jni_warning(printed):
    """The JVM, which checks each JNI call, has no complaint."""
    assert printed.returncode == 0, printed.stderr
    text = printed.stdout + printed.stderr
    assert "WARNING in native method" not in text and "FATAL ERROR in native method" not in text, text


def test_setters_arrive(printed):
    """What each setter of `everything…` in Tests.java sets, as the native library logs it."""
    line = next(line for line in printed.stderr.splitlines() if "max_delegated_partitions: 3" in line)
    for fact in (
        "precision: Fp16Fast",
        'device: Some("no device")',
        "allow_software: true",
        "require_device: false",
        "log_level: Debug",
        'profile: Some("")',
        '/tflite-vulkan-java")',
        'model_token: Some("a token")',
        "tune: Full",
        "integers: Reference214",
    ):
        assert fact in line, (fact, line)
    assert "without effect: enable_quantized_inference=0\n" in printed.stderr, printed.stderr
    line = next(line for line in printed.stderr.splitlines() if "max_delegated_partitions: 5" in line)
    assert "precision: Fp16," in line and "tune: Fast" in line, line


def test_classes_are_of_java_8(classes):
    """Android's desugaring and old Gradle plugins take Java 8."""
    found = [
        path
        for folder in classes.split(":")
        for path in pathlib.Path(folder).glob("dev/tflitevulkan/*.class")
    ]
    assert len(found) >= 7, found
    for path in found:
        assert int.from_bytes(path.read_bytes()[6:8], "big") == JAVA_8, path


def test_natives_are_exported(classes, library):
    """The library exports a function for each native method, and none without one."""
    exported = re.findall(r" T (Java_\w+)", run("nm", "-D", "--defined-only", library))
    shown = run("javap", "-p", "-cp", classes, "dev.tflitevulkan.VulkanDelegate")
    natives = re.findall(r"native \S+ (\w+)\(", shown)
    assert sorted(exported) == sorted(f"Java_dev_tflitevulkan_VulkanDelegate_{name}" for name in natives)
