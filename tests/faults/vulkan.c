/* A Vulkan library in front of the real one, in which calls fail as a test wants. It also counts the objects that
 * are alive. Every function that it stands for takes at most eight integers or pointers. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t Arg;
typedef int32_t (*Call)(Arg, Arg, Arg, Arg, Arg, Arg, Arg, Arg);
typedef void (*Destroy)(Arg, Arg, Arg);
typedef void (*Properties)(void*, char*);
typedef void* (*Lookup)(void*, const char*);

enum { SUCCESS = 0, NOT_READY = 1, TIMEOUT = 2, DEVICE_LOST = -4 };

/* What answers with a VkResult. */
#define CALLS(X) \
    X(vkEnumerateInstanceVersion) X(vkEnumerateInstanceExtensionProperties) X(vkCreateInstance) \
    X(vkEnumeratePhysicalDevices) X(vkEnumerateDeviceExtensionProperties) X(vkCreateDevice) \
    X(vkCreatePipelineCache) X(vkMergePipelineCaches) X(vkGetPipelineCacheData) X(vkCreateShaderModule) \
    X(vkCreateDescriptorSetLayout) X(vkCreatePipelineLayout) X(vkCreateComputePipelines) X(vkCreateBuffer) \
    X(vkAllocateMemory) X(vkBindBufferMemory) X(vkMapMemory) X(vkFlushMappedMemoryRanges) \
    X(vkInvalidateMappedMemoryRanges) X(vkCreateDescriptorPool) X(vkAllocateDescriptorSets) X(vkCreateQueryPool) \
    X(vkGetQueryPoolResults) X(vkCreateFence) X(vkResetFences) X(vkGetFenceStatus) X(vkWaitForFences) \
    X(vkCreateCommandPool) X(vkAllocateCommandBuffers) X(vkBeginCommandBuffer) X(vkEndCommandBuffer) \
    X(vkQueueSubmit) X(vkQueueWaitIdle) X(vkDeviceWaitIdle)

/* What frees an object, and which argument that is. */
#define DESTROYERS(X) \
    X(vkDestroyDevice, 0) X(vkDestroyPipelineCache, 1) X(vkDestroyShaderModule, 1) \
    X(vkDestroyDescriptorSetLayout, 1) X(vkDestroyPipelineLayout, 1) X(vkDestroyPipeline, 1) X(vkDestroyBuffer, 1) \
    X(vkFreeMemory, 1) X(vkDestroyDescriptorPool, 1) X(vkDestroyQueryPool, 1) X(vkDestroyFence, 1) \
    X(vkDestroyCommandPool, 1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Lookup instance_lookup, device_lookup;
static Properties properties, properties2;
static Arg device;

/* The plan: the calls from number `first` on fail, `times` of them, or for good if that is negative. */
static char only[64], failed[64];
static long first, times, result, calls, live;
static int lost, hung, kind, range;

void fault_plan(const char* name, long number, long count, long code) {
    pthread_mutex_lock(&lock);
    snprintf(only, sizeof only, "%s", name);
    first = number, times = count, result = code, calls = 0, failed[0] = 0, lost = 0;
    pthread_mutex_unlock(&lock);
}
/* So many calls there were since the plan. */
long fault_calls(void) { return calls; }
/* The call that has failed first. */
const char* fault_failed(void) { return failed; }
/* Objects that are alive. */
long fault_live(void) { return live; }
/* From now on nothing that is submitted seems to end, or all of it is done. */
void fault_hang(int on) { hung = on; }
/* Devices seem to be of this VkPhysicalDeviceType. */
void fault_kind(int type) { kind = type; }
/* Devices seem to have this maxStorageBufferRange. */
void fault_range(int bytes) { range = bytes; }

static int is(const char* name, const char* other) { return !strcmp(name, other); }

static int runs(const char* name) {
    return is(name, "vkQueueSubmit") || is(name, "vkWaitForFences") || is(name, "vkGetFenceStatus") ||
           is(name, "vkQueueWaitIdle");
}

/* How a call fails; SUCCESS if it is to be made. */
static int32_t fault(const char* name, Arg nanoseconds) {
    int32_t answer = SUCCESS;
    pthread_mutex_lock(&lock);
    if (!only[0] || is(only, name)) calls++;
    if (first > 0 && (!only[0] || is(only, name)) && calls >= first && (times < 0 || calls < first + times)) {
        answer = (int32_t)result;
        if (!failed[0]) snprintf(failed, sizeof failed, "%s", name);
        if (answer == DEVICE_LOST && device) {
            /* A lost device is at work on nothing. */
            Call idle = (Call)device_lookup((void*)device, "vkDeviceWaitIdle");
            idle(device, 0, 0, 0, 0, 0, 0, 0);
            lost = 1;
        }
    } else if (lost && runs(name)) {
        answer = DEVICE_LOST;
    }
    int waits = is(name, "vkWaitForFences"), asks = is(name, "vkGetFenceStatus"), stuck = hung;
    pthread_mutex_unlock(&lock);
    if (answer == SUCCESS && stuck && waits) {
        usleep((useconds_t)(nanoseconds / 1000));
        return TIMEOUT;
    }
    return answer == SUCCESS && stuck && asks ? NOT_READY : answer;
}

static void count(long change) {
    pthread_mutex_lock(&lock);
    live += change;
    pthread_mutex_unlock(&lock);
}

static void made(const char* name, Arg* handle) {
    if (is(name, "vkCreateInstance")) return;
    if (is(name, "vkCreateDevice")) {
        pthread_mutex_lock(&lock);
        device = *handle, lost = 0;
        pthread_mutex_unlock(&lock);
    }
    if (!strncmp(name, "vkCreate", 8) || is(name, "vkAllocateMemory")) count(1);
}

#define DEFINE(f) \
    static Call real_##f; \
    static int32_t our_##f(Arg a, Arg b, Arg c, Arg d, Arg e, Arg g, Arg h, Arg i) { \
        int32_t answer = fault(#f, e); \
        if (answer != SUCCESS) return answer; \
        answer = real_##f(a, b, c, d, e, g, h, i); \
        if (answer == SUCCESS) made(#f, (Arg*)d); \
        return answer; \
    }
CALLS(DEFINE)

#define DEFINE_DESTROYER(f, which) \
    static Destroy real_##f; \
    static void our_##f(Arg a, Arg b, Arg c) { \
        if (which ? b : a) count(-1); \
        real_##f(a, b, c); \
        if (!which) device = 0; \
    }
DESTROYERS(DEFINE_DESTROYER)

/* In VkPhysicalDeviceProperties. */
enum { DEVICE_TYPE = 16, MAX_STORAGE_BUFFER_RANGE = 296 + 28 };

static void pretend(char* found) {
    if (kind) memcpy(found + DEVICE_TYPE, &kind, sizeof kind);
    if (range) memcpy(found + MAX_STORAGE_BUFFER_RANGE, &range, sizeof range);
}

static void our_properties(void* physical, char* found) {
    properties(physical, found);
    pretend(found);
}

static void our_properties2(void* physical, char* found) {
    properties2(physical, found);
    pretend(found + 2 * sizeof(void*));
}

static void* our_device_lookup(void* of, const char* name);

static void* ours(const char* name, void* real) {
    if (!real) return real;
#define STAND_FOR(f) \
    if (is(name, #f)) { \
        real_##f = (Call)real; \
        return (void*)our_##f; \
    }
    CALLS(STAND_FOR)
#define STAND_FOR_DESTROYER(f, which) \
    if (is(name, #f)) { \
        real_##f = (Destroy)real; \
        return (void*)our_##f; \
    }
    DESTROYERS(STAND_FOR_DESTROYER)
    if (is(name, "vkGetPhysicalDeviceProperties")) {
        properties = (Properties)real;
        return (void*)our_properties;
    }
    if (is(name, "vkGetPhysicalDeviceProperties2")) {
        properties2 = (Properties)real;
        return (void*)our_properties2;
    }
    if (is(name, "vkGetDeviceProcAddr")) {
        device_lookup = (Lookup)real;
        return (void*)our_device_lookup;
    }
    return real;
}

static void* our_device_lookup(void* of, const char* name) { return ours(name, device_lookup(of, name)); }

void* vkGetInstanceProcAddr(void* instance, const char* name) {
    if (!instance_lookup) {
        void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!library) return NULL;
        instance_lookup = (Lookup)dlsym(library, "vkGetInstanceProcAddr");
    }
    return ours(name, instance_lookup(instance, name));
}
