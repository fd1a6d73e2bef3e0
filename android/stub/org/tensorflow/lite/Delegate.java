package org.tensorflow.lite;

import java.io.Closeable;

/** The shape of TensorFlow Lite's interface, to compile against; the application brings the real one. */
public interface Delegate extends Closeable {
    /** The {@code TfLiteDelegate}. */
    long getNativeHandle();

    @Override
    default void close() {}
}
