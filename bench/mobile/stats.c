// Creates compute pipelines with one Vulkan driver and prints what its compiler says about them, one JSON object
// per line. Nothing is run, so the driver may stand on a shim instead of a GPU.
//
//     stats DRIVER.so LIST
//
// A line of LIST names a SPIR-V file with entry point main, its number of storage buffers (bindings from 0 of
// set 0) and the size of its push constants. The compiler's disassembly goes to FILE.N.txt beside it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define CALL(object, get, name) PFN_##name name = (PFN_##name)get(object, #name)
#define CHECK(call) do { VkResult r = (call); if (r) { fprintf(stderr, "%s: %d\n", #call, r); exit(1); } } while (0)

// panthor's description of a GPU lacks the variant that tells Mali G720 and G725 from smaller ones of their
// generation: bits of `core_features`, the word at byte 96. The shim is preloaded; this program's own
// symbol comes before it and amends its answer. The query is DRM_IOCTL_PANTHOR_DEV_QUERY, 0x40.
int ioctl(int fd, unsigned long request, ...) {
    static int (*shim)(int, unsigned long, ...);
    if (!shim) shim = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list more;
    va_start(more, request);
    struct { uint32_t type, size; uint64_t answer; } *query = va_arg(more, void *);
    va_end(more);
    int result = shim(fd, request, query);
    const char *variant = getenv("MALI_VARIANT");
    if (variant && (request & 0xffff) == 0x6440 && query->type == 0 && query->answer && query->size >= 100) {
        uint32_t word = (uint32_t)strtoul(variant, NULL, 0);
        memcpy((char *)(uintptr_t)query->answer + 96, &word, 4);
    }
    return result;
}

static void print_string(const char *s) {
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') putchar('\\');
        if ((unsigned char)*s >= ' ') putchar(*s);
    }
    putchar('"');
}

static uint32_t *read_words(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint32_t *words = malloc(*bytes);
    if (fread(words, 1, *bytes, file) != *bytes) { perror(path); exit(1); }
    fclose(file);
    return words;
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: stats DRIVER.so LIST\n"); return 2; }
    void *driver = dlopen(argv[1], RTLD_NOW);
    if (!driver) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    PFN_vkGetInstanceProcAddr instance_call = (PFN_vkGetInstanceProcAddr)dlsym(driver, "vk_icdGetInstanceProcAddr");
    VkResult (*negotiate)(uint32_t *) = (VkResult (*)(uint32_t *))dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
    uint32_t interface = 5;
    if (negotiate) negotiate(&interface);

    CALL(NULL, instance_call, vkCreateInstance);
    VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo instance_info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    CHECK(vkCreateInstance(&instance_info, NULL, &instance));
    CALL(instance, instance_call, vkEnumeratePhysicalDevices);
    CALL(instance, instance_call, vkGetPhysicalDeviceProperties);
    CALL(instance, instance_call, vkGetPhysicalDeviceFeatures2);
    CALL(instance, instance_call, vkEnumerateDeviceExtensionProperties);
    CALL(instance, instance_call, vkCreateDevice);
    CALL(instance, instance_call, vkGetDeviceProcAddr);
    VkPhysicalDevice gpu;
    uint32_t count = 1;
    VkResult found = vkEnumeratePhysicalDevices(instance, &count, &gpu);
    if (found < 0 || count == 0) { fprintf(stderr, "no device: %d\n", found); return 1; }
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(gpu, &properties);

    // Everything that kernels may need and the device has; a driver passes over structures that it does not know.
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR};
    VkPhysicalDevice16BitStorageFeatures storage16 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, &executable};
    VkPhysicalDevice8BitStorageFeatures storage8 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, &storage16};
    VkPhysicalDeviceShaderFloat16Int8Features float16 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, &storage8};
    VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &float16};
    vkGetPhysicalDeviceFeatures2(gpu, &features);
    if (!executable.pipelineExecutableInfo) { fprintf(stderr, "the driver tells nothing of its pipelines\n"); return 1; }
    features.features.robustBufferAccess = VK_FALSE;
    static const char *wanted[] = {"VK_KHR_pipeline_executable_properties", "VK_KHR_16bit_storage", "VK_KHR_8bit_storage",
                                   "VK_KHR_shader_float16_int8", "VK_KHR_storage_buffer_storage_class"};
    static VkExtensionProperties known[512];
    const char *enabled[5];
    uint32_t enabled_count = 0, known_count = 512;
    vkEnumerateDeviceExtensionProperties(gpu, NULL, &known_count, known);
    for (size_t w = 0; w < 5; w++)
        for (uint32_t k = 0; k < known_count; k++)
            if (!strcmp(known[k].extensionName, wanted[w])) enabled[enabled_count++] = wanted[w];
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkDeviceCreateInfo device_info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
                                      .enabledExtensionCount = enabled_count, .ppEnabledExtensionNames = enabled};
    VkDevice device;
    CHECK(vkCreateDevice(gpu, &device_info, NULL, &device));
    CALL(device, vkGetDeviceProcAddr, vkCreateShaderModule);
    CALL(device, vkGetDeviceProcAddr, vkCreateDescriptorSetLayout);
    CALL(device, vkGetDeviceProcAddr, vkCreatePipelineLayout);
    CALL(device, vkGetDeviceProcAddr, vkCreateComputePipelines);
    CALL(device, vkGetDeviceProcAddr, vkGetPipelineExecutablePropertiesKHR);
    CALL(device, vkGetDeviceProcAddr, vkGetPipelineExecutableStatisticsKHR);
    CALL(device, vkGetDeviceProcAddr, vkGetPipelineExecutableInternalRepresentationsKHR);

    FILE *list = fopen(argv[2], "r");
    if (!list) { perror(argv[2]); return 1; }
    char path[3072];
    uint32_t buffers, push;
    while (fscanf(list, "%3071s %u %u%*[^\n]", path, &buffers, &push) == 3) {
        VkDescriptorSetLayoutBinding bindings[16] = {0};
        if (buffers > 16) { fprintf(stderr, "%s: %u buffers\n", path, buffers); return 1; }
        for (uint32_t b = 0; b < buffers; b++)
            bindings[b] = (VkDescriptorSetLayoutBinding){b, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
        VkDescriptorSetLayoutCreateInfo set_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = buffers, .pBindings = bindings};
        VkDescriptorSetLayout set;
        CHECK(vkCreateDescriptorSetLayout(device, &set_info, NULL, &set));
        VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, push};
        VkPipelineLayoutCreateInfo layout_info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set,
                                                  .pushConstantRangeCount = push > 0, .pPushConstantRanges = &range};
        VkPipelineLayout layout;
        CHECK(vkCreatePipelineLayout(device, &layout_info, NULL, &layout));
        VkShaderModuleCreateInfo module_info = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
        module_info.pCode = read_words(path, &module_info.codeSize);
        VkShaderModule module;
        CHECK(vkCreateShaderModule(device, &module_info, NULL, &module));
        VkComputePipelineCreateInfo info = {
            VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = layout,
            .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
            .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main"}};
        VkPipeline pipeline;
        VkResult created = vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
        printf("{\"file\":");
        print_string(path);
        printf(",\"device\":");
        print_string(properties.deviceName);
        if (created) { printf(",\"error\":%d}\n", created); continue; }

        VkPipelineInfoKHR which = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
        VkPipelineExecutableInfoKHR part = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
        VkPipelineExecutablePropertiesKHR parts[4];
        for (int p = 0; p < 4; p++) parts[p] = (VkPipelineExecutablePropertiesKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
        uint32_t part_count = 4;
        vkGetPipelineExecutablePropertiesKHR(device, &which, &part_count, parts);
        printf(",\"subgroup\":%u,\"statistics\":{", part_count ? parts[0].subgroupSize : 0);
        VkPipelineExecutableStatisticKHR statistics[64];
        for (int s = 0; s < 64; s++) statistics[s] = (VkPipelineExecutableStatisticKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        uint32_t statistic_count = 64;
        vkGetPipelineExecutableStatisticsKHR(device, &part, &statistic_count, statistics);
        for (uint32_t s = 0; s < statistic_count; s++) {
            if (s) putchar(',');
            print_string(statistics[s].name);
            switch (statistics[s].format) {
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: printf(":%u", statistics[s].value.b32); break;
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: printf(":%" PRId64, statistics[s].value.i64); break;
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: printf(":%" PRIu64, statistics[s].value.u64); break;
            default: printf(":%g", statistics[s].value.f64);
            }
        }
        printf("}}\n");
        VkPipelineExecutableInternalRepresentationKHR texts[16];
        for (int t = 0; t < 16; t++) texts[t] = (VkPipelineExecutableInternalRepresentationKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
        uint32_t text_count = 16;
        vkGetPipelineExecutableInternalRepresentationsKHR(device, &part, &text_count, texts);
        for (uint32_t t = 0; t < text_count; t++) texts[t].pData = malloc(texts[t].dataSize + 1);
        vkGetPipelineExecutableInternalRepresentationsKHR(device, &part, &text_count, texts);
        for (uint32_t t = 0; t < text_count; t++) {
            char name[3200];
            snprintf(name, sizeof name, "%s.%u.txt", path, t);
            FILE *file = fopen(name, "wb");
            if (!file) { perror(name); return 1; }
            fprintf(file, "# %s\n", texts[t].name);
            if (texts[t].isText && texts[t].dataSize) fwrite(texts[t].pData, 1, texts[t].dataSize - 1, file);
            fclose(file);
        }
        fflush(stdout);
    }
    // The shim's threads do not survive an orderly end.
    fflush(stdout);
    _exit(0);
}
