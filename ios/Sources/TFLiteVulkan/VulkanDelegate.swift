import CTFLiteVulkan
import Foundation

#if canImport(TensorFlowLite)
import TensorFlowLite
import TensorFlowLiteC

extension VulkanDelegate: Delegate {}
#endif

/// A delegate that runs TensorFlow Lite models on the GPU through Vulkan, which is MoltenVK on Apple's systems. It has
/// the shape of `MetalDelegate`:
///
///     let interpreter = try Interpreter(modelPath: path, delegates: [VulkanDelegate()!])
///
/// Nodes that it cannot take stay on the CPU. Where no Vulkan device can be used, it leaves the whole model to the CPU,
/// unless `Options.requireDevice` says otherwise.
public final class VulkanDelegate {
  #if canImport(TensorFlowLite)
  /// The delegate for an interpreter.
  public typealias Pointer = UnsafeMutablePointer<TfLiteDelegate>
  #else
  /// The delegate for an interpreter of the C interface.
  public typealias Pointer = OpaquePointer
  #endif

  /// What was asked for.
  public let options: Options

  /// The delegate, which lives as long as this object.
  public let cDelegate: Pointer

  /// Creates a delegate; nil if an option is out of its range, or if a device is required and none can be used.
  /// `lastError` then says why.
  public init?(options: Options = Options()) {
    self.options = options
    var raw = TfLiteVulkanDelegateOptionsDefault()
    raw.precision = Int32(options.cPrecision)
    raw.allow_software = options.allowSoftware ? 1 : 0
    raw.require_device = options.requireDevice ? 1 : 0
    raw.max_delegated_partitions = Int32(clamping: options.maxDelegatedPartitions)
    raw.log_level = Int32(options.logLevel.rawValue)
    raw.tune = Int32(options.tune.rawValue)
    raw.integers = Int32(options.integers.rawValue)
    let texts = [options.device, options.profile, options.cacheDirectory, options.modelToken].map { text in
      text.flatMap { strdup($0) }
    }
    defer { texts.forEach { free($0) } }
    raw.device = texts[0].map { UnsafePointer($0) }
    raw.profile = texts[1].map { UnsafePointer($0) }
    raw.cache_dir = texts[2].map { UnsafePointer($0) }
    raw.model_token = texts[3].map { UnsafePointer($0) }
    guard let created = TfLiteVulkanDelegateCreate(&raw) else { return nil }
    #if canImport(TensorFlowLite)
    // Swift sees the type of the C function as complete only where TensorFlowLiteC is visible to its module.
    cDelegate = UnsafeMutableRawPointer(created).assumingMemoryBound(to: TfLiteDelegate.self)
    #else
    cDelegate = created
    #endif
  }

  deinit {
    #if canImport(TensorFlowLite)
    TfLiteVulkanDelegateDelete(.init(cDelegate))
    #else
    TfLiteVulkanDelegateDelete(cDelegate)
    #endif
  }

  /// Why the last call on this thread failed; empty if none did.
  public static var lastError: String { String(cString: TfLiteVulkanDelegateLastError()) }

  /// The version of the library, as `0.1.0`.
  public static var version: String { String(cString: TfLiteVulkanDelegateVersion()) }
}

extension VulkanDelegate {
  /// How numbers are stored.
  public enum Precision: Equatable, Hashable {
    /// As the model says.
    case fp32
    /// 16-bit floats between nodes, 32-bit sums.
    case fp16
    /// Also short sums in 16 bits, where the GPU has arithmetic for it.
    case fp16Fast
  }

  /// What goes to standard error, each level including those before it.
  public enum LogLevel: Int, Equatable, Hashable {
    case off, error, warn, info, debug, trace
  }

  /// How much is timed to find the fastest way of computing each node.
  public enum Tune: Int, Equatable, Hashable {
    case off, fast, full
  }

  /// Which of TensorFlow Lite's kernels the results of quantized models equal bit by bit.
  public enum Integers: Int, Equatable, Hashable {
    /// The reference kernels of TensorFlow Lite 2.20 and later.
    case reference
    /// Those of 2.14 to 2.19.
    case reference214
    /// XNNPACK for operators that it takes, else the reference kernels.
    case xnnpack
  }

  /// What to ask of a delegate. The first two are those of `MetalDelegate.Options`.
  public struct Options: Equatable, Hashable {
    /// Whether floats may be stored in 16 bits. The default is `false`; `precision` says more.
    public var isPrecisionLossAllowed = false

    /// Has no effect: quantized models give the same results as on the CPU.
    public var isQuantizationEnabled = true

    /// How numbers are stored. The default, `nil`, is what `isPrecisionLossAllowed` says.
    public var precision: Precision?

    /// Which device to use: its index, a part of its name, or its UUID. The default, `nil`, is the best one.
    public var device: String?

    /// Whether a software implementation on the CPU will do.
    public var allowSoftware = false

    /// Whether creating the delegate fails if no device can be used.
    public var requireDevice = false

    /// Takes at most this many parts of the graph, the largest; 0 is no limit.
    public var maxDelegatedPartitions = 0

    /// What is logged.
    public var logLevel = LogLevel.info

    /// How much is timed when a model is loaded.
    public var tune = Tune.off

    /// Which kernels the results of quantized models equal.
    public var integers = Integers.reference

    /// Times every node on the device: "1" logs a table, the beginning of a path writes files too.
    public var profile: String?

    /// A private directory where what was compiled and found out is kept for the next start.
    public var cacheDirectory: String?

    /// Gives the model files of its own in `cacheDirectory`.
    public var modelToken: String?

    /// Creates options with the default values.
    public init() {}

    var cPrecision: UInt32 {
      switch precision ?? (isPrecisionLossAllowed ? .fp16 : .fp32) {
      case .fp32: return kTfLiteVulkanPrecisionFp32.rawValue
      case .fp16: return kTfLiteVulkanPrecisionFp16.rawValue
      case .fp16Fast: return kTfLiteVulkanPrecisionFp16Fast.rawValue
      }
    }
  }
}
