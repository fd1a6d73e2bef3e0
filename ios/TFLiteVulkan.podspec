# For `pod 'TFLiteVulkan', :path => '…/build/ios/TFLiteVulkan'`.
Pod::Spec.new do |s|
  s.name = 'TFLiteVulkan'
  s.version = '{version}'
  s.summary = 'A TensorFlow Lite delegate that runs models on any GPU with a Vulkan driver'
  s.license = 'Apache-2.0'
  s.author = 'The tflite-vulkan authors'
  s.source = { :path => '.' }
  s.ios.deployment_target = '15.0'
  s.swift_version = '5.7'
  s.static_framework = true
  s.source_files = 'Sources/TFLiteVulkan/*.swift'
  s.vendored_frameworks = 'TFLiteVulkan.xcframework'
  s.dependency 'TensorFlowLiteSwift'
end
