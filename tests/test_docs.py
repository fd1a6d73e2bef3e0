"""What the documents say holds: links, the list of options, the C program."""

import ctypes
import os
import re
import subprocess

import drivers
import pytest
from conformance.cases.conv_2d import convolution
from model import Graph

DOCUMENTS = [
    *sorted(drivers.ROOT.glob("*.md")),
    *sorted((drivers.ROOT / "docs").glob("*.md")),
    *sorted(drivers.ROOT.glob("*/README.md")),
]
C_LIBRARY = drivers.ROOT / "build" / "litert-lm" / "liblitert-lm.so"
# Those parts of TensorFlow Lite's C header that the example uses.
C_API = """
typedef enum TfLiteStatus { kTfLiteOk = 0 } TfLiteStatus;
typedef struct TfLiteDelegate TfLiteDelegate;
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;
TfLiteModel* TfLiteModelCreateFromFile(const char* path);
void TfLiteModelDelete(TfLiteModel* model);
TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions* options);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions* options, TfLiteDelegate* delegate);
TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model, const TfLiteInterpreterOptions* options);
void TfLiteInterpreterDelete(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter, int index);
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter, int index);
void* TfLiteTensorData(const TfLiteTensor* tensor);
size_t TfLiteTensorByteSize(const TfLiteTensor* tensor);
"""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(drivers.ROOT)))
def test_links(document):
    """Every file that a document links to is there, and every heading."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = document.parent / path if path else document
        headings = (
            re.findall(r"^#+ (.+)$", to.read_text(), re.M) if to.suffix == ".md" and to.exists() else []
        )
        anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        if not to.exists() or (anchor and anchor not in anchors):
            broken.append(target)
    assert not broken


def test_options_are_complete(library):
    """docs/options.md and the header name exactly the keys that the library lists."""
    loaded, told = ctypes.CDLL(str(library)), []
    report = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda text: told.append(text.decode()))
    one = (ctypes.c_char_p * 1)(b"no such key")
    loaded.tflite_plugin_create_delegate.restype = ctypes.c_void_p
    assert not loaded.tflite_plugin_create_delegate(one, one, ctypes.c_size_t(1), report)
    known = set(re.findall(r"^  (\w+)=", told[0], re.M))
    rows = re.findall(r"^\| (`.+?`) \|", (drivers.ROOT / "docs" / "options.md").read_text(), re.M)
    rows = [re.sub(r"`(\w+)1` … `3`", r"`\g<1>1` `\g<1>2` `\g<1>3`", row) for row in rows]
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == known
    header = (
        (drivers.ROOT / "include" / "tflite_vulkan.h")
        .read_text()
        .replace("inference_priority1..3", "inference_priority1 inference_priority2 inference_priority3")
    )
    assert not {key for key in known if not re.search(rf"\b{key}\b", header)}


def test_c_example(library, tmp_path):
    """The program of docs/getting-started.md compiles without a warning and runs a model on Vulkan."""
    g = Graph("example")
    g.output(convolution(g, g.input(1, 8, 8, 4), 4, 3, 3, 4))
    (tmp_path / "model.tflite").write_bytes(g.build())
    header = tmp_path / "tensorflow" / "lite" / "c" / "c_api.h"
    header.parent.mkdir(parents=True)
    header.write_text(f"#include <stddef.h>\n{C_API}")
    (tmp_path / "libtensorflowlite_c.so").symlink_to(C_LIBRARY)
    source = drivers.ROOT / "docs" / "examples" / "minimal.c"
    folders = ["-I", tmp_path, "-I", drivers.ROOT / "include", "-L", library.parent, "-L", tmp_path]
    libraries = ["-ltflite_vulkan", "-ltensorflowlite_c"]
    program = tmp_path / "minimal"
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    # The C library may need another that only it brings.
    link = ["-Wl,--allow-shlib-undefined", "-o", program]
    subprocess.run(["cc", *strict, source, *folders, *libraries, *link], check=True)
    folders = os.pathsep.join(map(str, (library.parent, tmp_path, C_LIBRARY.parent)))
    env = drivers.environment("lavapipe") | {"LD_LIBRARY_PATH": folders}
    child = subprocess.run(
        [program, tmp_path / "model.tflite", "software"], env=env, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    assert "device llvmpipe" in child.stdout and "output of 1024 bytes" in child.stdout, child.stdout
    assert "1 of 1 nodes delegated" in child.stderr, child.stderr
