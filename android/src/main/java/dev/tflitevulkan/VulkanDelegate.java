package dev.tflitevulkan;

import org.tensorflow.lite.Delegate;

/**
 * A TensorFlow Lite delegate that runs models on the GPU through Vulkan.
 *
 * <pre>{@code
 * VulkanDelegate delegate = new VulkanDelegate();
 * Interpreter interpreter = new Interpreter(model, new Interpreter.Options().addDelegate(delegate));
 * ...
 * interpreter.close();
 * delegate.close();
 * }</pre>
 *
 * <p>Nodes that it cannot take stay on the CPU. Where no Vulkan device can be used, it leaves the whole model to the
 * CPU, unless {@link VulkanDelegateFactory.Options#setRequireDevice} says otherwise. Every method may be called from
 * any thread, and one delegate may serve several interpreters.
 */
public final class VulkanDelegate implements Delegate, AutoCloseable {
    private static final UnsatisfiedLinkError NOT_LOADED = load();

    private long handle;

    /** Options under the name that they have beside older versions of GpuDelegate. */
    public static final class Options extends VulkanDelegateFactory.Options {
        private static final long serialVersionUID = 1;
    }

    /** Creates a delegate with the default options. */
    public VulkanDelegate() {
        this(new VulkanDelegateFactory.Options());
    }

    /**
     * Creates a delegate.
     *
     * @param options what to ask of it; not kept
     * @throws IllegalArgumentException if an option is unknown or has a bad value; the message lists what is known
     * @throws IllegalStateException if a device is required and none can be used; the message says why
     * @throws UnsupportedOperationException if there is no native library for this processor
     */
    public VulkanDelegate(VulkanDelegateFactory.Options options) {
        if (NOT_LOADED != null) {
            throw new UnsupportedOperationException("tflite-vulkan cannot be loaded", NOT_LOADED);
        }
        handle = create(options.keys(), options.values());
    }

    /**
     * The {@code TfLiteDelegate} for an interpreter.
     *
     * @throws IllegalStateException after {@link #close}
     */
    @Override
    public synchronized long getNativeHandle() {
        if (handle == 0) {
            throw new IllegalStateException("the VulkanDelegate is closed");
        }
        return handle;
    }

    /**
     * Deletes the delegate; more than once is fine. Interpreters that use it may still be invoked, resized and closed.
     */
    @Override
    public synchronized void close() {
        long closing = handle;
        handle = 0;
        if (closing != 0) {
            delete(closing);
        }
    }

    /** Whether a delegate with the default options would compute on a device. */
    public static boolean isAvailable() {
        return isAvailable(new VulkanDelegateFactory.Options());
    }

    /** Whether a delegate with these options would compute on a device. Opening it may take some 100 ms. */
    public static boolean isAvailable(VulkanDelegateFactory.Options options) {
        return whyUnavailable(options) == null;
    }

    /** Why a delegate with these options would leave the whole model to the CPU; null if it would not. */
    public static String whyUnavailable(VulkanDelegateFactory.Options options) {
        return NOT_LOADED != null ? NOT_LOADED.getMessage() : unavailable(options.keys(), options.values());
    }

    /**
     * The version of the native library, as {@code 0.1.0}.
     *
     * @throws UnsupportedOperationException if there is none for this processor
     */
    public static String getVersion() {
        if (NOT_LOADED != null) {
            throw new UnsupportedOperationException("tflite-vulkan cannot be loaded", NOT_LOADED);
        }
        return version();
    }

    private static UnsatisfiedLinkError load() {
        try {
            System.loadLibrary("tflite_vulkan");
            return null;
        } catch (UnsatisfiedLinkError error) {
            return error;
        }
    }

    private static native long create(String[] keys, String[] values);

    private static native void delete(long handle);

    private static native String unavailable(String[] keys, String[] values);

    private static native String version();
}
