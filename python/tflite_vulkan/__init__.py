"""TensorFlow Lite models on any GPU with a Vulkan driver.

    import tflite_vulkan
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter("model.tflite", experimental_delegates=[tflite_vulkan.load_delegate()])

The interpreter is that of ai-edge-litert, tflite-runtime or tensorflow, whichever is installed.
`python -m tflite_vulkan` lists devices, runs and times models, and tells why nodes stay on the CPU.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from ._devices import Device, devices
from ._files import litert_runtime_path, path
from ._host import HostMissingError, find_host, texts

__all__ = ["Device", "HostMissingError", "devices", "litert_runtime_path", "load_delegate", "path"]
__version__: str = importlib.metadata.version("tflite-vulkan")


def load_delegate(**options: object) -> Any:
    """Load the delegate into whichever TensorFlow Lite host is installed.

    The options are those of the library, for example precision="fp16", device=0, cache_dir=folder, or
    integers="xnnpack" for a quantised model with the default interpreter's results.  True and False
    become "1" and "0", None leaves the default, anything else becomes its text.

    Raises ValueError if an option is wrong, or if require_device=True and no device can be used;
    HostMissingError, an ImportError, if there is no host.
    """
    return find_host().load_delegate(str(path()), texts(options))
