pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
        // What `make android` has written.
        maven { url = uri("../../build/android/maven") }
    }
}

rootProject.name = "tflite-vulkan-sample"
include(":app")
