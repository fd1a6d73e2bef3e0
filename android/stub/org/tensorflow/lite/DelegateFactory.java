package org.tensorflow.lite;

/** The shape of TensorFlow Lite's interface, to compile against; the application brings the real one. */
public interface DelegateFactory {
    /** Creates a delegate for one interpreter. */
    Delegate create(RuntimeFlavor runtimeFlavor);
}
