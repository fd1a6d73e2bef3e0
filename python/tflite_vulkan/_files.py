"""Where the library is."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import pathlib
import shutil
import tempfile

LIBRARY = "libtflite_vulkan.so"


def path() -> pathlib.Path:
    """The delegate library, for load_delegate() of any host, or for C and C++ programs."""
    library = pathlib.Path(__file__).resolve().parent / LIBRARY
    if not library.is_file():
        raise FileNotFoundError(f"{library} is missing: this is not an installed wheel")
    return library


@functools.cache
def litert_runtime_path() -> pathlib.Path:
    """A folder for `Environment.create(runtime_path=...)` of LiteRT's CompiledModel.

    In it LiteRT finds its own library, and this one as its GPU accelerator.  It is removed when the
    process ends.  Raises ImportError without ai-edge-litert, and where that has no CompiledModel.
    """
    found = importlib.util.find_spec("ai_edge_litert")
    folders = list(found.submodule_search_locations or []) if found else []
    runtimes = [pathlib.Path(folder) / "libLiteRt.so" for folder in folders]
    runtime = next((file for file in runtimes if file.is_file()), None)
    if runtime is None:
        raise ImportError("CompiledModel needs LiteRT 2: pip install 'ai-edge-litert>=2.2'")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tflite_vulkan-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / runtime.name).symlink_to(runtime)
    (folder / "libLiteRtGpuAccelerator.so").symlink_to(path())
    return folder
