"""The C header and the library agree: the header compiles alone, and exactly its functions are exported."""

import re
import subprocess

import drivers
import pytest

HEADER = drivers.ROOT / "include" / "tflite_vulkan.h"
# Known by name to every TFLite host; the header describes them too.
PLUGIN = {"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"}
# By which LiteRT's CompiledModel finds an accelerator.
ACCELERATOR = {"LiteRtAcceleratorImpl"}
# The natives of the Java class; tests/test_java.py compares them with it.
JNI = "Java_dev_tflitevulkan_VulkanDelegate_"
COMPILERS = {
    "C99": ["gcc", "-x", "c", "-std=c99"],
    "C17": ["gcc", "-x", "c", "-std=c17"],
    "C99, clang": ["clang", "-x", "c", "-std=c99"],
    "C++11": ["g++", "-x", "c++", "-std=c++11"],
    "C++20": ["g++", "-x", "c++", "-std=c++20"],
}
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-I", str(HEADER.parent)]


def compile_text(text, *command):
    """Compiles a text; fails the test with the compiler's words."""
    child = subprocess.run([*command, "-"], input=text, capture_output=True, text=True)
    if child.returncode:
        pytest.fail(f"{' '.join(command)}:\n{child.stderr}", pytrace=False)
    return child.stdout


def declared():
    """The functions that the header declares."""
    text = compile_text(f'#include "{HEADER.name}"\n', "gcc", "-E", "-P", "-x", "c", *STRICT)
    return set(re.findall(r"\b(TfLiteVulkan\w+|tflite_\w+)\s*\([^;{}]*\)\s*;", text))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_header_stands_alone(compiler):
    """The header needs no other one before it, may be included twice, and gives no warning."""
    text = f'#include "{HEADER.name}"\n#include "{HEADER.name}"\nint unused(void);\n'
    compile_text(text, *COMPILERS[compiler], *STRICT, "-fsyntax-only")


@pytest.mark.parametrize("compiler", ["C99", "C++11"])
def test_declared_functions_link(library, tmp_path, compiler):
    """A program that uses every declared function links with the library, and runs."""
    names = sorted(declared())
    assert len(names) > 3, names
    text = f'#include "{HEADER.name}"\ntypedef void (*any)(void);\nany all[] = {{\n'
    text += "".join(f"  (any){name},\n" for name in names)
    text += f"}};\nint main(void) {{ return sizeof all / sizeof *all == {len(names)} && all[0] ? 0 : 1; }}\n"
    link = ["-L", str(library.parent), "-ltflite_vulkan", f"-Wl,-rpath,{library.parent}"]
    program = tmp_path / "program"
    flags = [*STRICT, "-Wno-cast-function-type", "-o", str(program)]
    source = tmp_path / "program.c"
    source.write_text(text)
    subprocess.run([*COMPILERS[compiler], *flags, str(source), *link], check=True)
    subprocess.run([str(program)], check=True)


def test_exported_symbols(library):
    """The library exports the header's functions, the plugin pair and Java's natives, and nothing else."""
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1].split("@")[0] for line in listed.stdout.splitlines()}
    exported = {name for name in exported if not name.startswith(JNI)}
    assert exported == declared() | PLUGIN | ACCELERATOR


def test_undefined_symbols(library):
    """The library needs the C library only: neither TFLite nor libvulkan at link time."""
    dynamic = subprocess.run(
        ["readelf", "-d", str(library)], capture_output=True, text=True, check=True
    ).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+?)\.so", dynamic))
    assert needed <= {
        "libc",
        "libm",
        "libgcc_s",
        "libpthread",
        "libdl",
        "ld-linux-x86-64",
        "ld-linux-aarch64",
    }
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=True
    )
    assert not re.findall(r"\bU (TfLite\w*|tflite\w*|vk[A-Z]\w*)", listed.stdout)
