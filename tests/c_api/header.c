/*
 * Sets every field of the options to something that the library refuses or obeys in its own way, and
 * checks what it says: so the library has found each field where this compiler puts it.
 */
#include "tflite_vulkan.h"

#include <stdio.h>
#include <string.h>

/* TensorFlow Lite's headers declare the type like this, before or after ours. */
typedef struct TfLiteDelegate TfLiteDelegate;

static int failures = 0;

static void check(int condition, const char* what) {
    if (!condition) {
        fprintf(stderr, "%s; the last error is: %s\n", what, TfLiteVulkanDelegateLastError());
        ++failures;
    }
}

static void refused(const TfLiteVulkanDelegateOptions* options, const char* why) {
    TfLiteDelegate* delegate = TfLiteVulkanDelegateCreate(options);
    check(delegate == NULL && strstr(TfLiteVulkanDelegateLastError(), why) != NULL, why);
    TfLiteVulkanDelegateDelete(delegate);
}

static void unsaid(int answer, const char* why) {
    check(answer == 0 && strstr(TfLiteVulkanDelegateLastError(), why) != NULL, why);
}

/* What is refused without a device, field by field. */
static void zero_copy(TfLiteDelegate* delegate) {
    TfLiteVulkanHandles handles;
    TfLiteVulkanBinding binding;
    TfLiteVulkanImport memory;
    memset(&handles, 0, sizeof(handles));
    memset(&binding, 0, sizeof(binding));
    memset(&memory, 0, sizeof(memory));
    unsaid(TfLiteVulkanGetHandles(delegate, &handles, sizeof(handles)), "no device");
    unsaid(TfLiteVulkanGetHandles(NULL, &handles, sizeof(handles)), "the delegate is NULL");
    unsaid(TfLiteVulkanUseQueue(delegate, NULL, NULL), "the function");
    binding.size = sizeof(binding);
    unsaid(TfLiteVulkanBind(delegate, NULL, 0, &binding), "no device");
    unsaid(TfLiteVulkanBind(NULL, NULL, 0, NULL), "the delegate is NULL");
    unsaid(TfLiteVulkanWaitBefore(delegate, NULL, 0, 1, 0), "no device");
    unsaid(TfLiteVulkanWaitBeforeFd(delegate, NULL, 0, -1), "no device");
    unsaid(TfLiteVulkanSignalAfter(delegate, NULL, 0, 1, 0), "no device");
    memory.size = sizeof(memory);
    memory.memory = kTfLiteVulkanMemoryHost;
    unsaid(TfLiteVulkanBufferImport(delegate, &memory) != NULL, "no device");
    TfLiteVulkanBufferDelete(NULL);
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, NULL) != NULL, "handles is NULL");
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles has a wrong size");
    handles.size = sizeof(handles);
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.instance");
    handles.instance = &handles;
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.physical_device");
    handles.physical_device = &handles;
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.device");
    handles.device = &handles;
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.queue");
    handles.queue = &handles;
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.device_create_info");
    handles.device_create_info = &handles;
    unsaid(TfLiteVulkanDelegateCreateOn(NULL, &handles) != NULL, "handles.api_version");
}

int main(void) {
    TfLiteVulkanDelegateOptions options = TfLiteVulkanDelegateOptionsDefault();
    TfLiteVulkanDevice device;
    TfLiteDelegate* delegate;
    int number;
    check(options.size == sizeof(options), "size");
    check(options.precision == kTfLiteVulkanPrecisionFp32, "the default of precision");
    check(options.device == NULL, "the default of device");
    check(options.allow_software == 0 && options.require_device == 0, "the defaults of switches");
    check(options.max_delegated_partitions == 0, "the default of max_delegated_partitions");
    check(options.log_level == kTfLiteVulkanLogInfo, "the default of log_level");
    check(options.tune == kTfLiteVulkanTuneOff, "the default of tune");
    check(options.integers == kTfLiteVulkanIntegersReference, "the default of integers");
    check(strlen(TfLiteVulkanDelegateVersion()) >= 5, "the version");
    check(strlen(TfLiteVulkanDelegateLastError()) == 0, "an error before anything failed");

    options.precision = 5;
    refused(&options, "options.precision is 5");
    options.precision = kTfLiteVulkanPrecisionFp16;
    options.max_delegated_partitions = -7;
    refused(&options, "options.max_delegated_partitions is -7");
    options.max_delegated_partitions = 1;
    options.log_level = 6;
    refused(&options, "options.log_level is 6");
    options.log_level = kTfLiteVulkanLogOff;
    options.tune = 3;
    refused(&options, "options.tune is 3");
    options.tune = kTfLiteVulkanTuneFull;
    options.integers = 3;
    refused(&options, "options.integers is 3");
    options.integers = kTfLiteVulkanIntegersXnnpack;
    options.allow_software = 1;
    options.device = "a name without a device";
    options.require_device = 1;
    refused(&options, "a name without a device");

    memset(&device, 0x77, sizeof(device));
    check(TfLiteVulkanFindDevice(&options, &device, sizeof(device)) == 0, "a device that is not there");
    check(TfLiteVulkanFindDevice(NULL, NULL, 0) >= 0, "any device");
    options.device = NULL;
    number = TfLiteVulkanListDevices(&device, sizeof(device), 1);
    if (number > 0) {
        check(device.size == sizeof(device) && device.index == 0, "the size and the index of a device");
        check(device.type >= kTfLiteVulkanDeviceOther && device.type <= kTfLiteVulkanDeviceSoftware, "its type");
        check(device.api_version >= (1u << 22) && device.stores_16 / 2 == 0, "its version of Vulkan");
        check(strlen(device.uuid) == 36 && strlen(device.name) > 0, "its UUID and name");
        check(strlen(device.driver) > 0 && strlen(device.unusable) < 200, "its driver");
    }

    options.device = "a name without a device";
    options.require_device = 0;
    delegate = TfLiteVulkanDelegateCreate(&options);
    check(delegate != NULL, "no device, none required");
    zero_copy(delegate);
    TfLiteVulkanDelegateDelete(delegate);
    return failures;
}
