"""The machine's Vulkan devices, by the library's C functions; no interpreter is needed."""

from __future__ import annotations

import ctypes
import functools
from typing import NamedTuple

from ._files import path

KINDS = ("other", "integrated", "discrete", "virtual", "software")
MOST = 64  # devices


class Device(NamedTuple):
    """What a Vulkan device says of itself."""

    index: int
    name: str
    kind: str
    """One of other, integrated, discrete, virtual, software."""
    driver: str
    vulkan: str
    """The version of Vulkan that it offers, as "1.3"."""
    fp16: bool
    """Whether it can store 16-bit floats."""
    uuid: str
    unusable: str
    """Why no delegate can use it; empty if one can."""


class _Device(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("index", ctypes.c_int),
        ("type", ctypes.c_int),
        ("api_version", ctypes.c_uint),
        ("stores_16", ctypes.c_int),
        ("uuid", ctypes.c_char * 37),
        ("name", ctypes.c_char * 256),
        ("driver", ctypes.c_char * 512),
        ("unusable", ctypes.c_char * 256),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(path()))
    library.TfLiteVulkanDelegateLastError.restype = ctypes.c_char_p
    library.TfLiteVulkanListDevices.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.TfLiteVulkanFindDevice.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return library


def _last_error() -> str:
    text: bytes = _library().TfLiteVulkanDelegateLastError()
    return text.decode(errors="replace")


def _device(raw: _Device) -> Device:
    return Device(
        index=raw.index,
        name=raw.name.decode(errors="replace"),
        kind=KINDS[raw.type],
        driver=raw.driver.decode(errors="replace"),
        vulkan=f"{raw.api_version >> 22 & 0x7F}.{raw.api_version >> 12 & 0x3FF}",
        fp16=bool(raw.stores_16),
        uuid=raw.uuid.decode(),
        unusable=raw.unusable.decode(errors="replace"),
    )


def devices() -> list[Device]:
    """Every Vulkan device, usable or not.

    Raises RuntimeError with the reason if there is no Vulkan library or no driver.
    """
    array = (_Device * MOST)()
    number = _library().TfLiteVulkanListDevices(array, ctypes.sizeof(_Device), MOST)
    if number < 0:
        raise RuntimeError(_last_error())
    return [_device(raw) for raw in array[: min(number, MOST)]]


def default_device() -> tuple[Device | None, str]:
    """The device that a delegate takes without options, or why there is none."""
    raw = _Device()
    if _library().TfLiteVulkanFindDevice(None, ctypes.byref(raw), ctypes.sizeof(raw)):
        return _device(raw), ""
    return None, _last_error()
