import dev.tflitevulkan.VulkanCompatibilityList;
import dev.tflitevulkan.VulkanDelegate;
import dev.tflitevulkan.VulkanDelegateFactory;
import dev.tflitevulkan.VulkanDelegateFactory.Options;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.RuntimeFlavor;

/** Runs the static methods that are named, each a test; prints "ok NAME", or "FAILED NAME" and why. */
final class Tests {
    private static final String MODELS = System.getProperty("models");

    private Tests() {}

    public static void main(String[] names) throws Exception {
        for (String name : names) {
            try {
                Method test = Tests.class.getDeclaredMethod(name);
                test.invoke(null);
                System.out.println("ok " + name);
            } catch (InvocationTargetException failure) {
                System.out.println("FAILED " + name + ": " + failure.getCause());
                failure.getCause().printStackTrace();
            }
        }
    }

    private interface Action {
        void run() throws Exception;
    }

    private static void check(boolean fine, Object facts) {
        if (!fine) {
            throw new AssertionError(facts);
        }
    }

    /** The message of the exception that an action must throw. */
    private static String refused(Class<? extends Exception> kind, Action action) {
        try {
            action.run();
        } catch (Exception e) {
            check(e.getClass() == kind, e);
            return e.getMessage();
        }
        throw new AssertionError("no " + kind.getName());
    }

    /** Any device, software too, but there must be one. */
    private static Options anyDevice() {
        return new Options().setAllowSoftware(true).setRequireDevice(true).setLogLevel(Options.LogLevel.ERROR);
    }

    private static void close(float[] got, float[] want, float limit) {
        check(got.length == want.length, got.length + " numbers for " + want.length);
        float range = 1;
        for (float value : want) {
            range = Math.max(range, Math.abs(value));
        }
        for (int i = 0; i < want.length; i++) {
            check(Math.abs(got[i] - want[i]) <= limit * range, i + ": " + got[i] + " for " + want[i]);
        }
    }

    static void resultsAreTheCpus() {
        for (String model : System.getProperty("compared").split(":")) {
            int inputs = model.endsWith("static.tflite") ? 2 : 1;
            try (VulkanDelegate delegate = new VulkanDelegate(anyDevice());
                    Host ours = new Host(model, delegate.getNativeHandle());
                    Host theirs = new Host(model, 0)) {
                for (int seed = 0; seed < 3; seed++) {
                    close(ours.run(inputs, seed), theirs.run(inputs, seed), 1e-4f);
                }
            }
        }
    }

    /** TensorFlow Lite's runtime closes delegates that a factory made before it deletes the interpreter. */
    static void delegatesMayBeClosedBeforeTheInterpreter() {
        String model = MODELS + "/static.tflite";
        Delegate delegate = new VulkanDelegateFactory(anyDevice()).create(RuntimeFlavor.APPLICATION);
        try (Host ours = new Host(model, delegate.getNativeHandle()); Host theirs = new Host(model, 0)) {
            delegate.close();
            close(ours.run(2, 1), theirs.run(2, 1), 1e-6f);
        }
    }

    static void closingTwiceIsFine() {
        VulkanDelegate delegate = new VulkanDelegate(anyDevice());
        check(delegate.getNativeHandle() != 0, "no handle");
        delegate.close();
        delegate.close();
        String why = refused(IllegalStateException.class, delegate::getNativeHandle);
        check(why.equals("the VulkanDelegate is closed"), why);
    }

    static void factoriesServeTheApplicationsRuntimeOnly() {
        VulkanDelegateFactory factory = new VulkanDelegateFactory(anyDevice());
        Delegate first = factory.create(RuntimeFlavor.APPLICATION);
        Delegate second = factory.create(RuntimeFlavor.APPLICATION);
        check(first.getNativeHandle() != second.getNativeHandle(), "one delegate for two interpreters");
        first.close();
        second.close();
        String why = refused(IllegalArgumentException.class, () -> factory.create(RuntimeFlavor.SYSTEM));
        check(why.contains("FROM_APPLICATION_ONLY"), why);
    }

    static void errorsSayWhatIsWrong() {
        Options unknown = new Options().setOption("presicion", "fp16");
        String why = refused(IllegalArgumentException.class, () -> new VulkanDelegate(unknown));
        check(why.startsWith("unknown option 'presicion'; known are:") && why.contains("  precision=fp32|fp16"), why);
        Options bad = new Options().setOption("tune", "\ud83d\ude00 \u00e4");
        why = refused(IllegalArgumentException.class, () -> new VulkanDelegate(bad));
        check(why.equals("option tune='\ud83d\ude00 \u00e4': must be off|fast|full"), why);
        Options contrary = new Options().setPrecisionLossAllowed(false).setPrecision(Options.Precision.FP16);
        why = refused(IllegalArgumentException.class, () -> new VulkanDelegate(contrary));
        check(why.equals("precision=fp16 contradicts is_precision_loss_allowed=0"), why);
        Options nowhere = anyDevice().setDevice("no device has this name");
        why = refused(IllegalStateException.class, () -> new VulkanDelegate(nowhere));
        check(why.startsWith("no Vulkan device matches device=no device has this name; there are: #0 "), why);
    }

    static void availabilityIsThatOfTheOptions() {
        check(VulkanDelegate.isAvailable(anyDevice()), VulkanDelegate.whyUnavailable(anyDevice()));
        check(!VulkanDelegate.isAvailable(), "a software device is taken");
        String why = VulkanDelegate.whyUnavailable(new Options());
        check(why.contains("only software devices"), why);
        try (VulkanCompatibilityList list = new VulkanCompatibilityList()) {
            check(!list.isDelegateSupportedOnThisDevice(), "a software device is supported");
            new VulkanDelegate(list.getBestOptionsForThisDevice()).close();
        }
    }

    static void versionIsTheProjects() {
        check(VulkanDelegate.getVersion().equals(System.getProperty("version")), VulkanDelegate.getVersion());
    }

    private static Set<String> names(Class<?> type) {
        Set<String> names = new HashSet<>();
        for (Method method : type.getMethods()) {
            names.add(method.getName());
        }
        return names;
    }

    /** The public methods in TensorFlow 2.16's GpuDelegateFactory.java and CompatibilityList.java. */
    static void methodsAreThoseOfGpuDelegate() {
        List<String> options = Arrays.asList("setPrecisionLossAllowed", "setQuantizedModelsAllowed",
                "setInferencePreference", "setSerializationParams", "isPrecisionLossAllowed",
                "areQuantizedModelsAllowed", "getInferencePreference", "getSerializationDir", "getModelToken");
        check(names(Options.class).containsAll(options), names(Options.class));
        check(Options.INFERENCE_PREFERENCE_FAST_SINGLE_ANSWER == 0, "the number is another");
        check(Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED == 1, "the number is another");
        List<String> list = Arrays.asList("isDelegateSupportedOnThisDevice", "getBestOptionsForThisDevice", "close");
        check(names(VulkanCompatibilityList.class).containsAll(list), names(VulkanCompatibilityList.class));
        check(new VulkanDelegate.Options() instanceof Options, "GpuDelegate.Options has no counterpart");
    }

    /** One of each; the log tells what arrives natively. */
    private static Options everything() {
        return new Options()
                .setPrecision(Options.Precision.FP16_FAST)
                .setPrecisionLossAllowed(true)
                .setQuantizedModelsAllowed(false)
                .setInferencePreference(Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
                .setSerializationParams(System.getProperty("java.io.tmpdir") + "/tflite-vulkan-java", "a token")
                .setCacheDir(System.getProperty("java.io.tmpdir") + "/tflite-vulkan-java")
                .setDevice("no device")
                .setAllowSoftware(true)
                .setRequireDevice(false)
                .setMaxDelegatedPartitions(3)
                .setLogLevel(Options.LogLevel.DEBUG)
                .setTune(Options.Tune.FULL)
                .setIntegers(Options.Integers.REFERENCE_2_14)
                .setProfile("1");
    }

    /** What others of our setters have the last word on. */
    private static Options everythingOfGpuDelegate() {
        return new Options()
                .setPrecisionLossAllowed(true)
                .setInferencePreference(Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
                .setMaxDelegatedPartitions(5)
                .setLogLevel(Options.LogLevel.DEBUG);
    }

    static void settersArrive() {
        check(everything().isPrecisionLossAllowed() && !new Options().isPrecisionLossAllowed(), "precision loss");
        check(!everything().areQuantizedModelsAllowed() && new Options().areQuantizedModelsAllowed(), "quantized");
        check(everything().getInferencePreference() == 1 && new Options().getInferencePreference() == 0, "preference");
        check("a token".equals(everything().getModelToken()) && new Options().getModelToken() == null, "token");
        check(everything().getSerializationDir().endsWith("-java"), everything().getSerializationDir());
        new VulkanDelegate(everything()).close();
        new VulkanDelegate(everythingOfGpuDelegate()).close();
        Options required = new Options().setDevice("no device").setRequireDevice(true);
        refused(IllegalStateException.class, () -> new VulkanDelegate(required));
    }

    /** Each key that the native library lists has a setter, but for those of TensorFlow Lite's delegates. */
    static void everyKeyHasASetter() throws Exception {
        Options unknown = new Options().setOption("?", "");
        String known = refused(IllegalArgumentException.class, () -> new VulkanDelegate(unknown));
        Set<String> keys = new TreeSet<>();
        for (Matcher m = Pattern.compile("(?m)^  (\\w+)=(?!.*TFLite's)").matcher(known); m.find();) {
            keys.add(m.group(1));
        }
        check(keys.size() > 8, keys);
        Method method = Options.class.getDeclaredMethod("keys");
        method.setAccessible(true);
        Set<String> set = new HashSet<>(Arrays.asList((String[]) method.invoke(everything())));
        check(set.containsAll(keys), keys + " are known, setters are there for " + set);
    }

    static void optionsAreSerializable() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new ObjectOutputStream(bytes).writeObject(anyDevice().setDevice("no device"));
        ObjectInputStream back = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()));
        Options options = (Options) back.readObject();
        String why = refused(IllegalStateException.class, () -> new VulkanDelegate(options));
        check(why.contains("device=no device"), why);
    }

    private static long residentPages() throws Exception {
        return Long.parseLong(new String(Files.readAllBytes(Paths.get("/proc/self/statm"))).split(" ")[1]);
    }

    static void aThousandDelegatesLeaveNothing() throws Exception {
        VulkanDelegate other = new VulkanDelegate(anyDevice());
        long before = 0;
        for (int i = 0; i < 1100; i++) {
            if (i == 100) {
                System.gc();
                before = residentPages();
            }
            new VulkanDelegate(anyDevice()).close();
        }
        System.gc();
        long grown = (residentPages() - before) * 4096;
        other.close();
        check(grown < 8 << 20, grown + " bytes");
    }
}
