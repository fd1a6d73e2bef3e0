/** A TensorFlow Lite for tests, over the C library; the natives are in host.c. */
final class Host implements AutoCloseable {
    private final long model;
    private final long interpreter;

    static {
        System.load(System.getProperty("host"));
        if (!open(System.getProperty("tflite"))) {
            throw new UnsatisfiedLinkError("no TensorFlow Lite C library at " + System.getProperty("tflite"));
        }
    }

    /** An interpreter of a model with a delegate, or without one (0). */
    Host(String path, long delegate) {
        model = model(path);
        interpreter = model == 0 ? 0 : interpreter(model, delegate);
        if (interpreter == 0) {
            delete(0, model);
            throw new IllegalStateException("no interpreter for " + path);
        }
    }

    /** Sets the first inputs to numbers without a pattern and invokes; the first output. */
    float[] run(int inputs, int seed) {
        for (int input = 0; input < inputs; input++) {
            float[] values = new float[inputSize(interpreter, input)];
            for (int i = 0; i < values.length; i++) {
                values[i] = (i * 37 + (seed + input) * 101) % 64 / 32f - 1;
            }
            set(interpreter, input, values);
        }
        float[] output = invoke(interpreter);
        if (output == null) {
            throw new IllegalStateException("the invoke failed");
        }
        return output;
    }

    @Override
    public void close() {
        delete(interpreter, model);
    }

    private static native boolean open(String path);

    private static native long model(String path);

    private static native long interpreter(long model, long delegate);

    private static native int inputSize(long interpreter, int input);

    private static native void set(long interpreter, int input, float[] values);

    private static native float[] invoke(long interpreter);

    private static native void delete(long interpreter, long model);
}
