/*
 * Runs a model once on Vulkan, with zeros as inputs:
 *
 *     cc minimal.c -I include -L lib -ltflite_vulkan -ltensorflowlite_c -o minimal
 *     ./minimal model.tflite
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/c/c_api.h"
#include "tflite_vulkan.h"

static int failed(const char* what) {
    fprintf(stderr, "%s: %s\n", what, TfLiteVulkanDelegateLastError());
    return EXIT_FAILURE;
}

int main(int argc, char** argv) {
    TfLiteVulkanDelegateOptions options = TfLiteVulkanDelegateOptionsDefault();
    TfLiteVulkanDevice device;
    if (argc < 2) return failed("name a model");
    options.allow_software = argc > 2; /* a second argument: also a Vulkan driver that runs on the CPU */
    if (TfLiteVulkanFindDevice(&options, &device, sizeof(device))) {
        printf("device %s, driver %s\n", device.name, device.driver);
    } else {
        printf("on the CPU: %s\n", TfLiteVulkanDelegateLastError());
    }

    TfLiteDelegate* vulkan = TfLiteVulkanDelegateCreate(&options);
    if (!vulkan) return failed("no delegate");
    TfLiteModel* model = TfLiteModelCreateFromFile(argv[1]);
    TfLiteInterpreterOptions* interpreter_options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsAddDelegate(interpreter_options, vulkan);
    TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, interpreter_options);
    if (!interpreter || TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk) return failed("no interpreter");

    TfLiteTensor* input = TfLiteInterpreterGetInputTensor(interpreter, 0);
    memset(TfLiteTensorData(input), 0, TfLiteTensorByteSize(input));
    if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) return failed("not invoked");
    const TfLiteTensor* output = TfLiteInterpreterGetOutputTensor(interpreter, 0);
    printf("output of %zu bytes, the first number is %g\n", TfLiteTensorByteSize(output),
           (double)*(const float*)TfLiteTensorData(output));

    TfLiteInterpreterDelete(interpreter);
    TfLiteInterpreterOptionsDelete(interpreter_options);
    TfLiteModelDelete(model);
    TfLiteVulkanDelegateDelete(vulkan);
    return EXIT_SUCCESS;
}
