// The Swift class runs a model on Vulkan that no loader has found, as on iOS: main DRIVER MODEL
import CTFLiteVulkan
import Foundation
import TFLiteVulkan
import TensorFlowLite
import TensorFlowLiteC

func check(_ fine: Bool, _ what: String) {
  guard fine else {
    print("FAILED", what, VulkanDelegate.lastError)
    exit(1)
  }
}

let driver = dlopen(CommandLine.arguments[1], RTLD_NOW)
let entryPoint = unsafeBitCast(dlsym(driver, "vkGetInstanceProcAddr"), to: (@convention(c) () -> Void).self)
check(TfLiteVulkanUseEntryPoint(entryPoint) != 0, "the entry point")

var options = VulkanDelegate.Options()
options.logLevel = .error
options.requireDevice = true
options.device = "no device"
check(VulkanDelegate(options: options) == nil, "a device that is not there")
check(VulkanDelegate.lastError.hasPrefix("no Vulkan device matches device=no device"), "the reason")
options.maxDelegatedPartitions = -1
check(VulkanDelegate(options: options) == nil, "an option out of its range")
check(VulkanDelegate.lastError == "options.max_delegated_partitions is -1: out of range", "the reason")

options = VulkanDelegate.Options()
options.allowSoftware = true
options.requireDevice = true
guard let delegate: any Delegate = VulkanDelegate(options: options) else {
  check(false, "the delegate")
  exit(1)
}
let model = TfLiteModelCreateFromFile(CommandLine.arguments[2])
let interpreterOptions = TfLiteInterpreterOptionsCreate()
TfLiteInterpreterOptionsAddDelegate(interpreterOptions, delegate.cDelegate)
let interpreter = TfLiteInterpreterCreate(model, interpreterOptions)
check(TfLiteInterpreterAllocateTensors(interpreter) == kTfLiteOk, "the allocation")
var numbers = (0..<24).map { Float($0) }
for input in 0..<2 {
  let tensor = TfLiteInterpreterGetInputTensor(interpreter, Int32(input))
  check(TfLiteTensorCopyFromBuffer(tensor, &numbers, 96) == kTfLiteOk, "an input")
}
check(TfLiteInterpreterInvoke(interpreter) == kTfLiteOk, "the invoke")
check(
  TfLiteTensorCopyToBuffer(TfLiteInterpreterGetOutputTensor(interpreter, 0), &numbers, 96) == kTfLiteOk,
  "the output")
for (i, number) in numbers.enumerated() {
  check(abs(number - Float(2 * i) * (0.5 + 0.5 * Float(i % 4))) < 1e-4, "number \(i): \(number)")
}
TfLiteInterpreterDelete(interpreter)
print("ok", VulkanDelegate.version)
