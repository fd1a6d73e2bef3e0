import TensorFlowLiteC

/// The shape of the pod TensorFlowLiteSwift's protocol.
public protocol Delegate: AnyObject {
  typealias CDelegate = UnsafeMutablePointer<TfLiteDelegate>
  var cDelegate: CDelegate { get }
}
