/*
 * tflite-vulkan: runs TensorFlow Lite (LiteRT) models on any GPU with a Vulkan 1.1 driver.
 *
 * A delegate takes the parts of a model that it supports; everything else stays on the CPU, and the
 * log says why. Nothing in a model has to change:
 *
 *     TfLiteVulkanDelegateOptions options = TfLiteVulkanDelegateOptionsDefault();
 *     TfLiteDelegate* delegate = TfLiteVulkanDelegateCreate(&options);
 *     if (!delegate) { puts(TfLiteVulkanDelegateLastError()); return 1; }
 *
 *     TfLiteInterpreterOptionsAddDelegate(interpreter_options, delegate);
 *     TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, interpreter_options);
 *     ...
 *     TfLiteInterpreterDelete(interpreter);
 *     TfLiteVulkanDelegateDelete(delegate);
 *
 * Ownership. The caller owns the delegate and deletes it once, best after the interpreters that use
 * it. Deleting it earlier is harmless for an interpreter that only invokes, resizes its inputs or is
 * deleted afterwards. The model has to outlive the interpreter, as TensorFlow Lite asks anyway.
 *
 * Threads. Every function may be called from any thread. One delegate may serve any number of
 * interpreters; different interpreters may run at the same time. One interpreter must not be used
 * by two threads at once, but may move between threads.
 *
 * Memory. Interpreters of one process share the device, not their tensors. Weights are copied to the
 * device once per interpreter; for each of the last four sets of input shapes an interpreter keeps
 * the memory of its intermediate tensors.
 *
 * Processes. A child that was forked after the first delegate was created cannot use Vulkan: delegates
 * that it creates leave the whole model to the CPU, and interpreters that it inherits fail with that reason.
 *
 * Failures. A device that is lost, for instance because the GPU hangs, is opened again. What it was to
 * compute meanwhile is computed on the CPU, slowly, as is what its memory does not suffice for.
 *
 * Vulkan. libvulkan is opened when the first delegate is created, not when this library is loaded.
 * Without it, without a driver or without a usable device a delegate is created all the same and
 * leaves the whole model to the CPU, unless require_device is set.
 *
 * The layout follows the rules of C on the platform; the library was built for 2.14 and later
 * versions of TensorFlow Lite, and does not link to any of it.
 */
#ifndef TFLITE_VULKAN_H
#define TFLITE_VULKAN_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define TFLITE_VULKAN_API __declspec(dllimport)
#else
#define TFLITE_VULKAN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* TensorFlow Lite's own type; its headers may be included before or after this one, or not at all. */
struct TfLiteDelegate;

/* How numbers are stored. Sums, normalisations and exponentials are computed in 32 bits in any case. */
enum TfLiteVulkanPrecision {
    kTfLiteVulkanPrecisionFp32 = 0, /* as the model says; results match the CPU's closely */
    kTfLiteVulkanPrecisionFp16 = 1, /* 16-bit floats for weights and between nodes: half the memory */
    kTfLiteVulkanPrecisionFp16Fast = 2, /* also short sums in 16 bits, where the GPU has arithmetic for it */
};

/* What goes to the log, each level including those before it. */
enum TfLiteVulkanLogLevel {
    kTfLiteVulkanLogOff = 0,
    kTfLiteVulkanLogError = 1, /* what failed */
    kTfLiteVulkanLogWarn = 2,  /* what will be slower or less precise than asked for */
    kTfLiteVulkanLogInfo = 3,  /* the device, what is delegated, and why the rest is not */
    kTfLiteVulkanLogDebug = 4, /* the fate of every node */
    kTfLiteVulkanLogTrace = 5, /* the compiled programs */
};

/* How much is timed to find the fastest kernel and tiling of each node. */
enum TfLiteVulkanTune {
    kTfLiteVulkanTuneOff = 0,  /* nothing: the best guess for the kind of device */
    kTfLiteVulkanTuneFast = 1, /* a few candidates for the nodes that take nine tenths of the time */
    kTfLiteVulkanTuneFull = 2, /* every candidate for every node */
};

/* Which of TensorFlow Lite's kernels the results of quantised models equal bit by bit. */
enum TfLiteVulkanIntegers {
    kTfLiteVulkanIntegersReference = 0,    /* the reference kernels of TensorFlow Lite 2.20 and later */
    kTfLiteVulkanIntegersReference214 = 1, /* those of 2.14 to 2.19 */
    kTfLiteVulkanIntegersXnnpack = 2,      /* XNNPACK for operators that it takes, else the reference kernels */
};

/*
 * What to ask of a delegate. Begin with TfLiteVulkanDelegateOptionsDefault() and change what matters.
 *
 * Later versions append fields. `size` tells the library which ones the caller knows: fields that an
 * older caller lacks keep their default, and a field that an older library lacks must be zero.
 */
typedef struct TfLiteVulkanDelegateOptions {
    /* Size of this struct in bytes; set by TfLiteVulkanDelegateOptionsDefault(). */
    size_t size;
    /* One of enum TfLiteVulkanPrecision. Default: kTfLiteVulkanPrecisionFp32. A device that cannot
     * store 16-bit floats computes in fp32 anyway, and the log says so. */
    int precision;
    /* Which device to use: its index, a part of its name, or its UUID. NULL, the default: the best
     * one. Only read while the delegate is created. */
    const char* device;
    /* Nonzero: also accept a device that is a software implementation on the CPU. Default: 0. */
    int allow_software;
    /* Nonzero: without a usable device creating the delegate fails. Default: 0, the delegate then
     * leaves the whole model to the CPU. */
    int require_device;
    /* Take at most this many parts of the graph, those with the most nodes. Default: 0, no limit. */
    int max_delegated_partitions;
    /* One of enum TfLiteVulkanLogLevel. Default: kTfLiteVulkanLogInfo. The process logs at the
     * highest level that any living delegate asks for; to standard error, on Android to logcat. */
    int log_level;
    /* Times every node on the device. NULL, "" or "0", the default: off, which costs nothing. "1": a
     * table in the log at level info. Anything else is the beginning of a path: the N-th profile of the
     * process with the number PID is also written to <path>.PID.N.json, for chrome://tracing or Perfetto to
     * <path>.PID.N.trace.json, and as a picture to <path>.PID.N.svg. A file of that name stays: the next
     * free N is taken. A profile ends when its interpreter is deleted, or when its shapes are no
     * longer among the last four. Dispatches run one after the other meanwhile, which is slower. */
    const char* profile;
    /* A directory, created if need be, where compiled pipelines, the verdicts on fp16 and what was tuned
     * are kept for the next start. Several processes of one user may share it; a file that is damaged, or
     * from another device, driver or version of this library, is replaced. Links, pipes, devices and files
     * of other users count as empty. NULL, the default: nothing is kept. */
    const char* cache_dir;
    /* Gives the model files of its own in cache_dir. NULL, the default: the same files for all models. */
    const char* model_token;
    /* One of enum TfLiteVulkanTune. Default: kTfLiteVulkanTuneOff. Tuning takes seconds when a model is
     * loaded; what was found serves other models too, and with cache_dir the next start. */
    int tune;
    /* One of enum TfLiteVulkanIntegers. Default: kTfLiteVulkanIntegersReference. Says nothing of floats. */
    int integers;
} TfLiteVulkanDelegateOptions;

/* Writes the defaults into a struct of `size` bytes, and `size` into its first field. */
TFLITE_VULKAN_API void TfLiteVulkanDelegateOptionsInit(TfLiteVulkanDelegateOptions* options, size_t size);

/* The defaults. Compiled into the caller, so that the library may know more fields. */
static inline TfLiteVulkanDelegateOptions TfLiteVulkanDelegateOptionsDefault(void) {
    TfLiteVulkanDelegateOptions options;
    TfLiteVulkanDelegateOptionsInit(&options, sizeof(options));
    return options;
}

/*
 * Creates a delegate. `options` may be NULL for the defaults, and is not kept.
 *
 * Returns NULL if an option is out of its range, or if require_device is set and no device can be
 * used; TfLiteVulkanDelegateLastError() and the log then say why. Opening a device may take some 100 ms.
 */
TFLITE_VULKAN_API struct TfLiteDelegate* TfLiteVulkanDelegateCreate(const TfLiteVulkanDelegateOptions* options);

/* Deletes a delegate; NULL is fine. Device memory is released when the last interpreter that uses it
 * is gone as well. */
TFLITE_VULKAN_API void TfLiteVulkanDelegateDelete(struct TfLiteDelegate* delegate);

/* Kinds of devices, numbered as VkPhysicalDeviceType. */
enum TfLiteVulkanDeviceType {
    kTfLiteVulkanDeviceOther = 0,
    kTfLiteVulkanDeviceIntegrated = 1, /* a GPU that shares the host's memory */
    kTfLiteVulkanDeviceDiscrete = 2,   /* a GPU with its own memory */
    kTfLiteVulkanDeviceVirtual = 3,    /* a GPU seen through virtualisation */
    kTfLiteVulkanDeviceSoftware = 4,   /* a software implementation on the CPU: needs allow_software */
};

/*
 * What a Vulkan device says of itself. Later versions append fields. Texts are UTF-8 and end with a NUL; what
 * does not fit is cut off.
 */
typedef struct TfLiteVulkanDevice {
    /* Size of this struct in bytes, as the caller knows it. */
    size_t size;
    /* Its place in the driver's list: what the option `device` takes. */
    int index;
    /* One of enum TfLiteVulkanDeviceType. */
    int type;
    /* The version of Vulkan that it offers, in Vulkan's encoding. */
    unsigned api_version;
    /* Nonzero: it can store 16-bit floats, so that fp16 means something. */
    int stores_16;
    /* As "6d657361-3232-2e33-2e36-000000000000": the same in every process, until driver or machine change. */
    char uuid[37];
    char name[256];
    /* Name and version of the driver. */
    char driver[512];
    /* Why no delegate can ever use it; empty if one can. */
    char unusable[256];
} TfLiteVulkanDevice;

/*
 * Lists the Vulkan devices of the machine, also those that cannot be used. Writes up to `capacity` elements of
 * `size` bytes, sizeof(TfLiteVulkanDevice), to `devices`, which may be NULL, and returns how many devices there are.
 *
 * Returns -1 if there is no Vulkan library or no driver, or in a forked child of a process that uses Vulkan;
 * TfLiteVulkanDelegateLastError() then says why. No device is opened. Loads the drivers, which may take some
 * 100 ms, and unloads them again if nothing else uses them, at most four times in a process: some drivers
 * cannot be loaded any number of times. Until they stay, a child that is forked later may use Vulkan.
 */
TFLITE_VULKAN_API int TfLiteVulkanListDevices(TfLiteVulkanDevice* devices, size_t size, int capacity);

/*
 * Returns 1 if there is a device for a delegate with these options, NULL meaning the defaults; then `device`, which
 * may be NULL, is the one that the delegate would try first, in `size` bytes. Otherwise returns 0, and
 * TfLiteVulkanDelegateLastError() says why. As TfLiteVulkanListDevices() it opens no device.
 */
TFLITE_VULKAN_API int TfLiteVulkanFindDevice(
    const TfLiteVulkanDelegateOptions* options, TfLiteVulkanDevice* device, size_t size);

/* The version of the library, as "0.1.0". Lives as long as the library. */
TFLITE_VULKAN_API const char* TfLiteVulkanDelegateVersion(void);

/*
 * Why the most recent failure on this thread happened, in UTF-8: a call of this library's functions, or
 * what an interpreter asked of the delegate on this thread. Empty if nothing has failed. Never NULL;
 * valid until the next failure on this thread or the end of the thread.
 */
TFLITE_VULKAN_API const char* TfLiteVulkanDelegateLastError(void);

/*
 * Gives the library the application's own Vulkan, for example a MoltenVK that is linked statically, which no
 * loader could find: TfLiteVulkanUseEntryPoint((void (*)(void))vkGetInstanceProcAddr). The function must stay
 * valid until the process ends. Call it before the first delegate is created.
 *
 * Returns 0, and changes nothing, if `vkGetInstanceProcAddr` is NULL or if another Vulkan is in use already.
 */
TFLITE_VULKAN_API int TfLiteVulkanUseEntryPoint(void (*vkGetInstanceProcAddr)(void));

/*
 * Zero copy: inputs and outputs of an interpreter that lie in Vulkan buffers of the application. The GPU uses them
 * where they lie, and nothing is copied. docs/zero-copy.md has an example for each way.
 *
 * Tensors. Each function takes a tensor of the interpreter, as TfLiteInterpreterGetInputTensor() or
 * Interpreter::tensor() give it; or NULL with the tensor's index, if the delegate serves only one interpreter. It must
 * be an input or output of a part of the graph that is delegated, and no node on the CPU may use it. Call them when
 * the interpreter has been created, while it does not run.
 *
 * Buffers. A buffer holds the tensor's elements densely in the tensor's own type, row by row, from the offset on. It
 * needs VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, and must be free for the queue's family. The offset is a multiple of
 * minStorageBufferOffsetAlignment and of 16. The size is that of the tensor, rounded up to a multiple of 4: up to three
 * bytes behind an output may be overwritten. Outputs overlap neither inputs nor each other. 8- and 16-bit integers on
 * GPUs without storage for them are copied to the host and back, as is everything in the first invoke of fp16, which is
 * compared with fp32: buffers need both transfer usages for that.
 *
 * Functions return 1, or 0 after a failure that TfLiteVulkanDelegateLastError() explains and that changes nothing.
 */

/* TensorFlow Lite's own type. */
struct TfLiteTensor;

/* Vulkan's handles. Later versions append fields. */
typedef struct TfLiteVulkanHandles {
    /* Size of this struct in bytes. */
    size_t size;
    void* instance;        /* VkInstance */
    void* physical_device; /* VkPhysicalDevice */
    void* device;          /* VkDevice */
    void* queue;           /* VkQueue */
    uint32_t queue_family;
    /* The apiVersion with which the instance was created, at least that of Vulkan 1.1. */
    uint32_t api_version;
    /* vkGetInstanceProcAddr; NULL for that of the Vulkan library that this library opens. */
    void (*get_instance_proc_addr)(void);
    /* The VkDeviceCreateInfo with which `device` was created: it tells the features and extensions that are
     * enabled. Only read by TfLiteVulkanDelegateCreateOn(), which needs it. */
    const void* device_create_info;
    /* Called with `user_data` around each use of the queue, on any thread; NULL if nobody else uses the queue while
     * an interpreter with the delegate is created, allocates, runs or is deleted. */
    void (*lock_queue)(void* user_data);
    void (*unlock_queue)(void* user_data);
    void* user_data;
} TfLiteVulkanHandles;

/*
 * As TfLiteVulkanDelegateCreate(), on a device of the application's. device, allow_software and require_device have no
 * meaning. Instance, device and queue must outlive the delegate, and every interpreter that uses it. A device that is
 * lost is not opened again: the host computes from then on.
 */
TFLITE_VULKAN_API struct TfLiteDelegate* TfLiteVulkanDelegateCreateOn(
    const TfLiteVulkanDelegateOptions* options, const TfLiteVulkanHandles* handles);

/*
 * Writes the handles of the delegate's device into a struct of `size` bytes; device_create_info and the fields behind
 * it are NULL. They are valid until the delegate and all its interpreters are deleted; delete what you made on the
 * device before that. A device that was lost is opened again, so that its handles are others. The queue must only be
 * used within TfLiteVulkanUseQueue().
 */
TFLITE_VULKAN_API int TfLiteVulkanGetHandles(
    struct TfLiteDelegate* delegate, TfLiteVulkanHandles* handles, size_t size);

/* Calls `use` with the VkQueue of the delegate's device while the library leaves it alone. `use` must not call the
 * library or an interpreter. */
TFLITE_VULKAN_API int TfLiteVulkanUseQueue(
    struct TfLiteDelegate* delegate, void (*use)(void* queue, void* user_data), void* user_data);

/* A buffer over memory that was imported. */
typedef struct TfLiteVulkanBuffer TfLiteVulkanBuffer;

/* Where imported memory comes from. */
enum TfLiteVulkanMemory {
    kTfLiteVulkanMemoryOpaqueFd = 1, /* vkGetMemoryFdKHR, by the same driver for the same device */
    kTfLiteVulkanMemoryDmaBuf = 2,   /* a dma-buf of Linux */
    kTfLiteVulkanMemoryHost = 3,     /* memory of this process */
    kTfLiteVulkanMemoryAndroid = 4,  /* an AHardwareBuffer of format BLOB */
};

/* Memory to import. Later versions append fields. */
typedef struct TfLiteVulkanImport {
    /* Size of this struct in bytes. */
    size_t size;
    /* One of enum TfLiteVulkanMemory. */
    int memory;
    /* A descriptor, which belongs to the driver after success; else ignored. */
    int fd;
    /* Memory of this process, at a multiple of minImportedHostPointerAlignment; or an AHardwareBuffer*; else ignored. */
    void* pointer;
    /* Size of the memory; for memory of this process a multiple of minImportedHostPointerAlignment. */
    uint64_t bytes;
    /* OpaqueFd: memoryTypeIndex of the allocation. */
    uint32_t memory_type;
    /* OpaqueFd: nonzero if it is a dedicated allocation. */
    int dedicated;
} TfLiteVulkanImport;

/* Makes a buffer of memory that others have allocated, without a copy; NULL after a failure. The memory must live
 * until the buffer is deleted, and every interpreter that it was bound to. */
TFLITE_VULKAN_API TfLiteVulkanBuffer* TfLiteVulkanBufferImport(
    struct TfLiteDelegate* delegate, const TfLiteVulkanImport* memory);

/* Deletes a buffer; NULL is fine. While it is bound it lives on. */
TFLITE_VULKAN_API void TfLiteVulkanBufferDelete(TfLiteVulkanBuffer* buffer);

/* What to bind. Later versions append fields. */
typedef struct TfLiteVulkanBinding {
    /* Size of this struct in bytes. */
    size_t size;
    /* A VkBuffer of the delegate's device, with memory bound to it. It must live until it is unbound, or until the
     * interpreter is deleted. 0 if `imported` is given. */
    uint64_t buffer;
    /* A buffer of TfLiteVulkanBufferImport(), or NULL. */
    TfLiteVulkanBuffer* imported;
    /* Where the tensor starts in the buffer, and how many bytes there are for it. */
    uint64_t offset;
    uint64_t bytes;
} TfLiteVulkanBinding;

/*
 * Lets a tensor lie in a buffer, as of the next invoke; NULL for the interpreter's memory again. Binding another
 * buffer costs some 100 us at that invoke. The invoke returns when the GPU is done, and what was written before it on
 * the same queue is visible to it. It fails if the buffer is too small for the tensor's size by then.
 *
 * If the device is lost, invokes with bound tensors fail: unbind them, or bind buffers of the new device.
 */
TFLITE_VULKAN_API int TfLiteVulkanBind(struct TfLiteDelegate* delegate, const struct TfLiteTensor* tensor,
    int tensor_index, const TfLiteVulkanBinding* binding);

/*
 * Lets the next invoke, and only that, wait for a VkSemaphore before the GPU touches the tensor, bound or not; `value`
 * is 0 for a binary semaphore, else what a timeline has to reach. It is waited for even if the invoke fails later, but
 * not if the device is lost.
 */
TFLITE_VULKAN_API int TfLiteVulkanWaitBefore(struct TfLiteDelegate* delegate, const struct TfLiteTensor* tensor,
    int tensor_index, uint64_t semaphore, uint64_t value);

/* The same for a descriptor that becomes readable, as sync files do (Android's fences, Linux's sync_file). The library
 * closes it, in any case. It is waited for on the CPU. */
TFLITE_VULKAN_API int TfLiteVulkanWaitBeforeFd(
    struct TfLiteDelegate* delegate, const struct TfLiteTensor* tensor, int tensor_index, int sync_fd);

/* Lets the next invoke that succeeds, and only the next one, signal a VkSemaphore when the GPU is done with the tensor;
 * `value` as above. The tensor must be used by one delegated part only. */
TFLITE_VULKAN_API int TfLiteVulkanSignalAfter(struct TfLiteDelegate* delegate, const struct TfLiteTensor* tensor,
    int tensor_index, uint64_t semaphore, uint64_t value);

/*
 * The interface by which TensorFlow Lite loads delegates from libraries: Python's
 * load_delegate("libtflite_vulkan.so", {"precision": "fp16"}), the external delegate of C++, the
 * command line option --external_delegate_path of TensorFlow Lite's tools.
 *
 * `options_keys` and `options_values` hold `num_options` strings each, and are not kept; both may be
 * NULL if there are none. An unknown key is an error that lists what is known, a
 * bad value one that lists the key's values:
 *
 *     precision                  fp32|fp16|fp16-fast
 *     integers                   reference|reference-2.14|xnnpack
 *     device                     <index>|<part of the name>|<uuid>
 *     allow_software             0|1
 *     require_device             0|1
 *     max_delegated_partitions   <number>
 *     log_level                  off|error|warn|info|debug|trace
 *     profile                    0|1|<path prefix>
 *     cache_dir                  <directory>
 *     serialization_dir          <directory>    the same as cache_dir
 *     model_token                <name>
 *     tune                       off|fast|full
 *     is_precision_loss_allowed  -1|0|1    1 means precision=fp16, unless precision says otherwise;
 *                                          -1, the default, leaves the answer to the priorities
 *     inference_priority1..3     0|1|2|3   automatic, precision, latency, memory: precision first means fp32,
 *                                          anything else fp16
 *     inference_preference       0|1|2     1, sustained speed, means tune=fast unless tune says otherwise
 *     first_delegate_node_index, last_delegate_node_index   <number>   other nodes stay on the CPU
 *     experimental_flags, enable_quantized_inference, enable_quantization, allow_precision_loss, wait_type
 *
 * The keys up to tune have the meaning and the defaults of the fields above. Those below are TensorFlow Lite's own
 * GPU delegates': what cannot be obeyed here is no error, and one line of the log names what was ignored. For 0 and 1
 * there may stand false and true, in any case of letters. precision=fp16 together with is_precision_loss_allowed=0
 * is an error.
 *
 * Returns NULL on failure, after calling `report_error` with the reason. It is not kept, and the text is
 * valid during its call only. Without it, as TensorFlow Lite's own tools call this, the answer is not NULL,
 * which they cannot take, but a delegate that fails with the reason when it is given to an interpreter.
 * In either case the log tells the reason, whatever log_level says.
 */
TFLITE_VULKAN_API struct TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* options_keys, const char* const* options_values, size_t num_options,
    void (*report_error)(const char*));

/* The same as TfLiteVulkanDelegateDelete(). */
TFLITE_VULKAN_API void tflite_plugin_destroy_delegate(struct TfLiteDelegate* delegate);

#ifdef __cplusplus
}
#endif

#endif
