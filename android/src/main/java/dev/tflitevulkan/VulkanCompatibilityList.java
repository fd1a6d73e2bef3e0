package dev.tflitevulkan;

import java.io.Closeable;

/**
 * Says whether this device has a GPU for {@link VulkanDelegate}, with the methods of TensorFlow Lite's
 * CompatibilityList. There is no list: the driver is asked.
 */
public final class VulkanCompatibilityList implements Closeable {
    private final boolean supported = VulkanDelegate.isAvailable();

    /** Whether a delegate with the default options would compute on a device. */
    public boolean isDelegateSupportedOnThisDevice() {
        return supported;
    }

    /** Options for this device: the defaults. */
    public VulkanDelegate.Options getBestOptionsForThisDevice() {
        return new VulkanDelegate.Options();
    }

    /** Nothing is kept open. */
    @Override
    public void close() {}
}
