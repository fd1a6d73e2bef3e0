"""A Vulkan program with a known mistake: it fills one buffer twice with no barrier between.

Run under the validation layer it must print SYNC-HAZARD-WRITE-AFTER-WRITE, which shows that the
layer is loaded and looks at synchronisation: silence elsewhere then means something.
Prints the device's name and UUID.  Plain ctypes, because nothing else here may need Vulkan's headers.
"""

import ctypes as c
import uuid

vk = c.CDLL("libvulkan.so.1")


def fields(*types):
    """A struct of these types, called a, b, c, ... in order; zero unless given."""
    return type("S", (c.Structure,), {"_fields_": [(chr(97 + i), t) for i, t in enumerate(types)]})


def call(name, *args):
    """Call a function of the loader; raises on an error code."""
    result = getattr(vk, name)(*args)
    if result:
        raise RuntimeError(f"{name}: {result}")


P, U32, U64, F32 = c.c_void_p, c.c_uint32, c.c_uint64, c.c_float


def address(x):
    """The address of a struct, as another struct's field."""
    return c.cast(c.byref(x), P)


app = fields(U32, P, P, U32, P, U32, U32)(a=0, g=(1 << 22) | (1 << 12))
instance, gpu, device = P(), P(), P()
call(
    "vkCreateInstance",
    c.byref(fields(U32, P, U32, P, U32, P, U32, P)(a=1, d=address(app))),
    None,
    c.byref(instance),
)
call("vkEnumeratePhysicalDevices", instance, c.byref(U32(1)), c.byref(gpu))
ids = fields(U32, P, c.c_uint8 * 16, c.c_uint8 * 16, U64, U32, U32)(a=1000071004)
properties = fields(U32, P, c.c_uint8 * 824)(a=1000059001, b=address(ids))
vk.vkGetPhysicalDeviceProperties2(gpu, c.byref(properties))
print("device", bytes(properties.c[20:276]).split(b"\0")[0].decode())
print("uuid", uuid.UUID(bytes=bytes(ids.c)))
priority = F32(1)
queue_info = fields(U32, P, U32, U32, U32, P)(a=2, e=1, f=address(priority))
device_info = fields(U32, P, U32, U32, P, U32, P, U32, P, P)(a=3, d=1, e=address(queue_info))
call("vkCreateDevice", gpu, c.byref(device_info), None, c.byref(device))

buffer, memory, pool, commands = U64(), U64(), U64(), P()
call(
    "vkCreateBuffer",
    device,
    c.byref(fields(U32, P, U32, U64, U32, U32, U32, P)(a=12, d=256, e=2)),
    None,
    c.byref(buffer),
)
call("vkAllocateMemory", device, c.byref(fields(U32, P, U64, U32)(a=5, c=4096)), None, c.byref(memory))
call("vkBindBufferMemory", device, buffer, memory, U64(0))
call("vkCreateCommandPool", device, c.byref(fields(U32, P, U32, U32)(a=39)), None, c.byref(pool))
allocation = fields(U32, P, U64, U32, U32)(a=40, c=pool.value, e=1)
call("vkAllocateCommandBuffers", device, c.byref(allocation), c.byref(commands))
call("vkBeginCommandBuffer", commands, c.byref(fields(U32, P, U32, P)(a=42)))
for word in (1, 2):
    vk.vkCmdFillBuffer(commands, buffer, U64(0), U64(256), U32(word))
call("vkEndCommandBuffer", commands)
vk.vkDestroyCommandPool(device, pool, None)
vk.vkDestroyBuffer(device, buffer, None)
vk.vkFreeMemory(device, memory, None)
vk.vkDestroyDevice(device, None)
vk.vkDestroyInstance(instance, None)
print("done")
