// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "TFLiteVulkan",
    platforms: [.iOS(.v15)],
    products: [.library(name: "TFLiteVulkan", targets: ["TFLiteVulkan"])],
    targets: [
        .binaryTarget(name: "CTFLiteVulkan", path: "TFLiteVulkan.xcframework"),
        .target(name: "TFLiteVulkan", dependencies: ["CTFLiteVulkan"]),
    ]
)
