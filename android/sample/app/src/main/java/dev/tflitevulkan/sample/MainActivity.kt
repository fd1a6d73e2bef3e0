package dev.tflitevulkan.sample

import android.app.Activity
import android.content.res.AssetManager
import android.os.Bundle
import android.widget.TextView
import dev.tflitevulkan.VulkanDelegate
import dev.tflitevulkan.VulkanDelegateFactory
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.concurrent.thread
import org.tensorflow.lite.Interpreter

/** Runs `assets/model.tflite` on the CPU and through Vulkan, and shows how long an inference takes. */
class MainActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val view = TextView(this)
        setContentView(view)
        thread {
            val text = try {
                report()
            } catch (e: Exception) {
                e.toString()
            }
            runOnUiThread { view.text = text }
        }
    }

    private fun report(): String {
        val model = assets.map("model.tflite")
        val cpu = Interpreter(model, Interpreter.Options()).use(::milliseconds)
        val options = VulkanDelegateFactory.Options()
            .setPrecisionLossAllowed(true)
            .setSerializationParams(codeCacheDir.path, "model")
        val reason = VulkanDelegate.whyUnavailable(options)
        if (reason != null) {
            return "CPU: %.2f ms\nno Vulkan: %s".format(cpu, reason)
        }
        val vulkan = VulkanDelegate(options).use { delegate ->
            Interpreter(model, Interpreter.Options().addDelegate(delegate)).use(::milliseconds)
        }
        return "CPU: %.2f ms\nVulkan: %.2f ms".format(cpu, vulkan)
    }

    /** The median of 20 inferences on zeros, after three that warm up. */
    private fun milliseconds(interpreter: Interpreter): Double {
        val inputs = Array<Any>(interpreter.inputTensorCount) { buffer(interpreter.getInputTensor(it).numBytes()) }
        val outputs = (0 until interpreter.outputTensorCount).associateWith<Int, Any> {
            buffer(interpreter.getOutputTensor(it).numBytes())
        }
        val times = (0 until 23).map {
            val start = System.nanoTime()
            sequenceOf(inputs.asIterable(), outputs.values).flatten().forEach { (it as ByteBuffer).rewind() }
            interpreter.runForMultipleInputsOutputs(inputs, outputs)
            (System.nanoTime() - start) / 1e6
        }
        return times.drop(3).sorted()[10]
    }

    private fun buffer(bytes: Int) = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

    private fun AssetManager.map(name: String): ByteBuffer = openFd(name).use { file ->
        FileInputStream(file.fileDescriptor).channel.map(
            FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength
        )
    }
}
