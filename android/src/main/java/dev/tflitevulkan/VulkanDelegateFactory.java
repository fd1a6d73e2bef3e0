package dev.tflitevulkan;

import java.io.Serializable;
import java.util.Locale;
import java.util.TreeMap;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.DelegateFactory;
import org.tensorflow.lite.RuntimeFlavor;

/**
 * Makes a {@link VulkanDelegate} for each interpreter, which the interpreter closes:
 * {@code new InterpreterApi.Options().addDelegateFactory(new VulkanDelegateFactory())}.
 */
public class VulkanDelegateFactory implements DelegateFactory {
    private final Options options;

    /** A factory of delegates with the default options. */
    public VulkanDelegateFactory() {
        this(new Options());
    }

    /** A factory of delegates with these options. */
    public VulkanDelegateFactory(Options options) {
        this.options = options;
    }

    /**
     * Creates a delegate.
     *
     * @param runtimeFlavor must be {@code APPLICATION}: TensorFlow Lite in Google Play services takes no delegates of
     *     others
     * @throws IllegalArgumentException for another flavor, or as {@link VulkanDelegate#VulkanDelegate(Options)}
     * @throws IllegalStateException as {@link VulkanDelegate#VulkanDelegate(Options)}
     */
    @Override
    public Delegate create(RuntimeFlavor runtimeFlavor) {
        if (runtimeFlavor != RuntimeFlavor.APPLICATION) {
            throw new IllegalArgumentException("a VulkanDelegate needs TensorFlow Lite in the application, not the"
                    + " runtime of Google Play services: InterpreterApi.Options.setRuntime(TfLiteRuntime"
                    + ".FROM_APPLICATION_ONLY)");
        }
        return new VulkanDelegate(options);
    }

    /**
     * What to ask of a delegate. The first setters are those of GpuDelegateFactory.Options. What is not set keeps the
     * native library's default.
     */
    public static class Options implements Serializable {
        private static final long serialVersionUID = 1;

        /** The delegate is used once: starting should be quick. */
        public static final int INFERENCE_PREFERENCE_FAST_SINGLE_ANSWER = 0;

        /** The delegate is used again and again: starting may take longer. */
        public static final int INFERENCE_PREFERENCE_SUSTAINED_SPEED = 1;

        /** How numbers are stored. */
        public enum Precision {
            /** As the model says. */
            FP32("fp32"),
            /** 16-bit floats between nodes, 32-bit sums. */
            FP16("fp16"),
            /** Also short sums in 16 bits, where the GPU has arithmetic for it. */
            FP16_FAST("fp16-fast");

            private final String value;

            Precision(String value) {
                this.value = value;
            }
        }

        /** What goes to logcat, each level including those before it. */
        public enum LogLevel {
            /** Nothing. */
            OFF,
            /** What failed. */
            ERROR,
            /** What will be slower or less precise than asked for. */
            WARN,
            /** The device, what is delegated, and why the rest is not. */
            INFO,
            /** The fate of every node. */
            DEBUG,
            /** The compiled programs. */
            TRACE
        }

        /** How much is timed to find the fastest way of computing each node. */
        public enum Tune {
            /** Nothing. */
            OFF,
            /** A few candidates for the nodes that take nine tenths of the time. */
            FAST,
            /** Every candidate for every node. */
            FULL
        }

        /** Which of TensorFlow Lite's kernels the results of quantized models equal bit by bit. */
        public enum Integers {
            /** The reference kernels of TensorFlow Lite 2.20 and later. */
            REFERENCE("reference"),
            /** Those of 2.14 to 2.19. */
            REFERENCE_2_14("reference-2.14"),
            /** XNNPACK for operators that it takes, else the reference kernels. */
            XNNPACK("xnnpack");

            private final String value;

            Integers(String value) {
                this.value = value;
            }
        }

        private final TreeMap<String, String> given = new TreeMap<>();

        /**
         * Whether floats may be stored in 16 bits. Default: false, unlike GpuDelegateFactory's.
         * {@link #setPrecision} says more.
         */
        public Options setPrecisionLossAllowed(boolean precisionLossAllowed) {
            return set("is_precision_loss_allowed", precisionLossAllowed);
        }

        /** Has no effect: quantized models give the same results as on the CPU. */
        public Options setQuantizedModelsAllowed(boolean quantizedModelsAllowed) {
            return set("enable_quantized_inference", quantizedModelsAllowed);
        }

        /** {@link #INFERENCE_PREFERENCE_SUSTAINED_SPEED} means {@link Tune#FAST}, unless {@link #setTune} is called. */
        public Options setInferencePreference(int preference) {
            return setOption("inference_preference", Integer.toString(preference));
        }

        /**
         * Keeps what was compiled and found out for the next start.
         *
         * @param serializationDir a private directory, such as {@code Context.getCodeCacheDir()}, or null
         * @param modelToken gives the model files of its own there, or null
         */
        public Options setSerializationParams(String serializationDir, String modelToken) {
            return setOption("serialization_dir", serializationDir).setOption("model_token", modelToken);
        }

        /** What {@link #setPrecisionLossAllowed} was given. */
        public boolean isPrecisionLossAllowed() {
            return "1".equals(given.get("is_precision_loss_allowed"));
        }

        /** What {@link #setQuantizedModelsAllowed} was given; true by default. */
        public boolean areQuantizedModelsAllowed() {
            return !"0".equals(given.get("enable_quantized_inference"));
        }

        /** What {@link #setInferencePreference} was given. */
        public int getInferencePreference() {
            String value = given.get("inference_preference");
            return value == null ? INFERENCE_PREFERENCE_FAST_SINGLE_ANSWER : Integer.parseInt(value);
        }

        /** What {@link #setSerializationParams} was given; null by default. */
        public String getSerializationDir() {
            return given.get("serialization_dir");
        }

        /** What {@link #setSerializationParams} was given; null by default. */
        public String getModelToken() {
            return given.get("model_token");
        }

        /** How numbers are stored. Default: {@link Precision#FP32}. */
        public Options setPrecision(Precision precision) {
            return setOption("precision", precision.value);
        }

        /** Which device to use: its index, a part of its name, or its UUID. Default: the best one. */
        public Options setDevice(String device) {
            return setOption("device", device);
        }

        /** Whether a software implementation on the CPU will do. Default: false. */
        public Options setAllowSoftware(boolean allowSoftware) {
            return set("allow_software", allowSoftware);
        }

        /** Whether creating the delegate fails if no device can be used. Default: false. */
        public Options setRequireDevice(boolean requireDevice) {
            return set("require_device", requireDevice);
        }

        /** Takes at most this many parts of the graph, the largest. Default: 0, no limit. */
        public Options setMaxDelegatedPartitions(int maxDelegatedPartitions) {
            return setOption("max_delegated_partitions", Integer.toString(maxDelegatedPartitions));
        }

        /** What goes to logcat. Default: {@link LogLevel#INFO}. */
        public Options setLogLevel(LogLevel logLevel) {
            return set("log_level", logLevel);
        }

        /** How much is timed when a model is loaded. Default: {@link Tune#OFF}. */
        public Options setTune(Tune tune) {
            return set("tune", tune);
        }

        /** Which kernels the results of quantized models equal. Default: {@link Integers#REFERENCE}. */
        public Options setIntegers(Integers integers) {
            return setOption("integers", integers.value);
        }

        /**
         * Times every node on the device: {@code "1"} logs a table, the beginning of a path writes files too. Default:
         * null, off.
         */
        public Options setProfile(String profile) {
            return setOption("profile", profile);
        }

        /** The same as the first parameter of {@link #setSerializationParams}. */
        public Options setCacheDir(String cacheDir) {
            return setOption("cache_dir", cacheDir);
        }

        /** Sets an option by its key, as {@code include/tflite_vulkan.h} lists them; null takes it back. */
        public Options setOption(String key, String value) {
            if (value == null) {
                given.remove(key);
            } else {
                given.put(key, value);
            }
            return this;
        }

        private Options set(String key, boolean value) {
            return setOption(key, value ? "1" : "0");
        }

        private Options set(String key, Enum<?> value) {
            return setOption(key, value.name().toLowerCase(Locale.ROOT));
        }

        final String[] keys() {
            return given.keySet().toArray(new String[0]);
        }

        final String[] values() {
            return given.values().toArray(new String[0]);
        }
    }
}
