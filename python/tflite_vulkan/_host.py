"""The TensorFlow Lite host that is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

# In this order: the package, the module with the interpreter, and what the message calls it.
HOSTS = (
    ("ai_edge_litert", "ai_edge_litert.interpreter"),
    ("tflite_runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow.lite.python.interpreter"),
)


class HostMissingError(ImportError):
    """No package with a TensorFlow Lite interpreter is installed."""


class Host(NamedTuple):
    """An interpreter and how it loads delegates."""

    name: str
    Interpreter: Callable[..., Any]
    load_delegate: Callable[[str, dict[str, str]], Any]


def find_host() -> Host:
    """The first host that is installed; raises HostMissingError if none is."""
    for package, module in HOSTS:
        if importlib.util.find_spec(package) is not None:
            found = importlib.import_module(module)
            return Host(package, found.Interpreter, found.load_delegate)
    raise HostMissingError(
        "no TensorFlow Lite interpreter is installed.  Install one of these:\n"
        "  pip install ai-edge-litert     LiteRT, Python 3.10 and newer\n"
        "  pip install tflite-runtime     TensorFlow Lite 2.14, up to Python 3.11\n"
        "  pip install tensorflow         all of TensorFlow"
    )


def texts(options: dict[str, object]) -> dict[str, str]:
    """Options as the library reads them."""

    def text(value: object) -> str:
        return str(int(value)) if isinstance(value, bool) else str(value)

    return {key: text(value) for key, value in options.items() if value is not None}
