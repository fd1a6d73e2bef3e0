package org.tensorflow.lite;

/** The shape of TensorFlow Lite's enumeration, to compile against; the application brings the real one. */
public enum RuntimeFlavor {
    /** The runtime in the application. */
    APPLICATION,
    /** The runtime of Google Play services. */
    SYSTEM,
}
