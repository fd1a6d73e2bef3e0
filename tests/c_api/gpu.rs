//! The application's side of Vulkan: buffers and semaphores on a device.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

use ash::vk::{self, Handle};
use tflite_vulkan::ffi::{
    TfLiteVulkanBinding as Binding, TfLiteVulkanHandles as Handles, TfLiteVulkanImport as Import,
};
use tflite_vulkan::tflite::sys::{TfLiteDelegate, TfLiteTensor};
use zerocopy::IntoBytes;

use crate::delegate::{Delegate, Options, last_error};

type UseQueue = unsafe extern "C" fn(*mut c_void, *mut c_void);

unsafe extern "C" {
    fn TfLiteVulkanDelegateCreateOn(options: *const Options, handles: *const Handles) -> *mut TfLiteDelegate;
    fn TfLiteVulkanGetHandles(delegate: *mut TfLiteDelegate, handles: *mut Handles, size: usize) -> c_int;
    fn TfLiteVulkanUseQueue(delegate: *mut TfLiteDelegate, f: Option<UseQueue>, data: *mut c_void) -> c_int;
    fn TfLiteVulkanBufferImport(delegate: *mut TfLiteDelegate, import: *const Import) -> *mut c_void;
    fn TfLiteVulkanBufferDelete(buffer: *mut c_void);
    fn TfLiteVulkanBind(
        delegate: *mut TfLiteDelegate,
        tensor: *const TfLiteTensor,
        index: c_int,
        binding: *const Binding,
    ) -> c_int;
    fn TfLiteVulkanWaitBefore(
        delegate: *mut TfLiteDelegate,
        tensor: *const TfLiteTensor,
        index: c_int,
        semaphore: u64,
        value: u64,
    ) -> c_int;
    fn TfLiteVulkanWaitBeforeFd(
        delegate: *mut TfLiteDelegate,
        tensor: *const TfLiteTensor,
        index: c_int,
        fd: c_int,
    ) -> c_int;
    fn TfLiteVulkanSignalAfter(
        delegate: *mut TfLiteDelegate,
        tensor: *const TfLiteTensor,
        index: c_int,
        semaphore: u64,
        value: u64,
    ) -> c_int;
}

/// What a call that answers 0 or 1 has to say.
fn answer(status: c_int) -> Result<(), String> {
    if status == 1 { Ok(()) } else { Err(last_error()) }
}

/// A tensor by its address, or by its index alone.
#[derive(Clone, Copy)]
pub enum Name {
    Tensor(*const TfLiteTensor),
    Index(c_int),
}

impl Name {
    fn pair(self) -> (*const TfLiteTensor, c_int) {
        match self {
            Self::Tensor(tensor) => (tensor, 0),
            Self::Index(index) => (null(), index),
        }
    }
}

pub fn binding(buffer: u64, offset: u64, bytes: u64) -> Binding {
    Binding { size: size_of::<Binding>(), buffer, offset, bytes, ..Default::default() }
}

/// Binds; `None` unbinds.
pub fn bind(delegate: &Delegate, name: Name, binding: Option<&Binding>) -> Result<(), String> {
    let (tensor, index) = name.pair();
    // SAFETY: as the header says.
    answer(unsafe { TfLiteVulkanBind(delegate.raw(), tensor, index, binding.map_or(null(), |b| b)) })
}

pub fn wait_before(delegate: &Delegate, name: Name, semaphore: u64, value: u64) -> Result<(), String> {
    let (tensor, index) = name.pair();
    // SAFETY: as the header says.
    answer(unsafe { TfLiteVulkanWaitBefore(delegate.raw(), tensor, index, semaphore, value) })
}

pub fn wait_before_fd(delegate: &Delegate, name: Name, fd: c_int) -> Result<(), String> {
    let (tensor, index) = name.pair();
    // SAFETY: as the header says.
    answer(unsafe { TfLiteVulkanWaitBeforeFd(delegate.raw(), tensor, index, fd) })
}

pub fn signal_after(delegate: &Delegate, name: Name, semaphore: u64, value: u64) -> Result<(), String> {
    let (tensor, index) = name.pair();
    // SAFETY: as the header says.
    answer(unsafe { TfLiteVulkanSignalAfter(delegate.raw(), tensor, index, semaphore, value) })
}

/// A delegate on a device of ours.
pub fn create_on(options: &Options, handles: &Handles) -> Result<Delegate, String> {
    // SAFETY: as the header says.
    let raw = unsafe { TfLiteVulkanDelegateCreateOn(options, handles) };
    if raw.is_null() { Err(last_error()) } else { Ok(Delegate::of(raw)) }
}

/// A buffer of the library over other memory.
#[derive(Debug)]
pub struct Imported(pub *mut c_void);

impl Imported {
    pub fn new(delegate: &Delegate, import: &Import) -> Result<Self, String> {
        // SAFETY: as the header says.
        let raw = unsafe { TfLiteVulkanBufferImport(delegate.raw(), import) };
        if raw.is_null() { Err(last_error()) } else { Ok(Self(raw)) }
    }

    pub fn binding(&self, offset: u64, bytes: u64) -> Binding {
        Binding { imported: self.0.cast(), ..binding(0, offset, bytes) }
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        // SAFETY: as the header says.
        unsafe { TfLiteVulkanBufferDelete(self.0) };
    }
}

/// A device with its functions.
pub struct Gpu {
    pub handles: Handles,
    pub instance: ash::Instance,
    pub device: ash::Device,
    physical: vk::PhysicalDevice,
}

/// Memory that the host maps, with a storage buffer over it.
pub struct Memory<'a> {
    gpu: &'a Gpu,
    pub raw: vk::Buffer,
    pub memory: vk::DeviceMemory,
    pub memory_type: u32,
    pub bytes: u64,
    start: *mut f32,
}

pub fn handles_of(delegate: &Delegate) -> Result<Handles, String> {
    let mut handles = Handles::default();
    // SAFETY: as the header says.
    answer(unsafe { TfLiteVulkanGetHandles(delegate.raw(), &mut handles, size_of::<Handles>()) })?;
    Ok(handles)
}

impl Gpu {
    /// The device of a delegate.
    pub fn of(delegate: &Delegate) -> Self {
        let handles = handles_of(delegate).unwrap();
        // SAFETY: the function is Vulkan's; the handles live as long as the delegate.
        unsafe {
            let entry_point = handles.get_instance_proc_addr.unwrap();
            let get_instance_proc_addr =
                std::mem::transmute::<unsafe extern "C" fn(), vk::PFN_vkGetInstanceProcAddr>(entry_point);
            let functions = ash::StaticFn { get_instance_proc_addr };
            let instance = ash::Instance::load(&functions, vk::Instance::from_raw(handles.instance as u64));
            let device = ash::Device::load(instance.fp_v1_0(), vk::Device::from_raw(handles.device as u64));
            let physical = vk::PhysicalDevice::from_raw(handles.physical_device as u64);
            Self { handles, instance, device, physical }
        }
    }

    /// Another device of the same driver.
    pub fn another(&self, extensions: &[&CStr]) -> Self {
        let names: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
        let queues = [vk::DeviceQueueCreateInfo::default()
            .queue_family_index(self.handles.queue_family)
            .queue_priorities(&[1.0])];
        let info =
            vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_extension_names(&names);
        // SAFETY: the structures are complete.
        unsafe {
            let device = self.instance.create_device(self.physical, &info, None).unwrap();
            let queue = device.get_device_queue(self.handles.queue_family, 0);
            let handles = Handles {
                device: device.handle().as_raw() as *mut c_void,
                queue: queue.as_raw() as *mut c_void,
                ..self.handles
            };
            Self { handles, instance: self.instance.clone(), device, physical: self.physical }
        }
    }

    /// As `another`, alive when this returns; its creation is described by `info`.
    pub fn offers(&self, extension: &CStr) -> bool {
        // SAFETY: the device is alive.
        let all = unsafe { self.instance.enumerate_device_extension_properties(self.physical) }.unwrap();
        all.iter().any(|offered| offered.extension_name_as_c_str() == Ok(extension))
    }

    pub fn buffer(&self, floats: usize) -> Memory<'_> {
        self.memory(4 * floats as u64, false)
    }

    pub fn filled(&self, values: &[f32]) -> Memory<'_> {
        let mut memory = self.buffer(values.len());
        memory.floats().copy_from_slice(values);
        memory
    }

    pub fn memory(&self, bytes: u64, exported: bool) -> Memory<'_> {
        let fd = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(fd);
        let mut export = vk::ExportMemoryAllocateInfo::default().handle_types(fd);
        let usage = vk::BufferUsageFlags::STORAGE_BUFFER
            | vk::BufferUsageFlags::TRANSFER_SRC
            | vk::BufferUsageFlags::TRANSFER_DST;
        let mut info = vk::BufferCreateInfo::default().size(bytes).usage(usage);
        if exported {
            info = info.push_next(&mut external);
        }
        let mapped = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        // SAFETY: the structures are complete; what is made is freed by `Memory`.
        unsafe {
            let raw = self.device.create_buffer(&info, None).unwrap();
            let needs = self.device.get_buffer_memory_requirements(raw);
            let properties = self.instance.get_physical_device_memory_properties(self.physical);
            let types = properties.memory_types_as_slice().iter().enumerate();
            let memory_type = types
                .filter(|(i, _)| needs.memory_type_bits & (1 << i) != 0)
                .find(|(_, t)| t.property_flags.contains(mapped))
                .map(|(i, _)| i as u32)
                .unwrap();
            let mut info =
                vk::MemoryAllocateInfo::default().allocation_size(needs.size).memory_type_index(memory_type);
            if exported {
                info = info.push_next(&mut export);
            }
            let memory = self.device.allocate_memory(&info, None).unwrap();
            self.device.bind_buffer_memory(raw, memory, 0).unwrap();
            let flags = vk::MemoryMapFlags::empty();
            let start = self.device.map_memory(memory, 0, vk::WHOLE_SIZE, flags).unwrap();
            let memory =
                Memory { gpu: self, raw, memory, memory_type, bytes: needs.size, start: start.cast() };
            start.cast::<u8>().write_bytes(0, bytes as usize);
            memory
        }
    }

    pub fn semaphore(&self, timeline: bool) -> vk::Semaphore {
        let kind = if timeline { vk::SemaphoreType::TIMELINE } else { vk::SemaphoreType::BINARY };
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(kind);
        let mut info = vk::SemaphoreCreateInfo::default();
        if timeline {
            info = info.push_next(&mut kind);
        }
        // SAFETY: the structures are complete.
        unsafe { self.device.create_semaphore(&info, None) }.unwrap()
    }

    pub fn destroy(&self, semaphore: vk::Semaphore) {
        // SAFETY: nothing is pending.
        unsafe { self.device.destroy_semaphore(semaphore, None) };
    }

    /// Submits nothing that signals or waits for a binary semaphore, and waits until that is done.
    pub fn submit(&self, delegate: &Delegate, waits: &[vk::Semaphore], signals: &[vk::Semaphore]) {
        struct Call<'a>(&'a Gpu, vk::SubmitInfo<'a>);
        unsafe extern "C" fn submit(queue: *mut c_void, data: *mut c_void) {
            // SAFETY: the data is that of the call below.
            unsafe {
                let Call(gpu, work) = &*data.cast::<Call<'_>>();
                let queue = vk::Queue::from_raw(queue as u64);
                gpu.device.queue_submit(queue, &[*work], vk::Fence::null()).unwrap();
                gpu.device.queue_wait_idle(queue).unwrap();
            }
        }
        let stages = vec![vk::PipelineStageFlags::ALL_COMMANDS; waits.len()];
        let work = vk::SubmitInfo::default()
            .wait_semaphores(waits)
            .wait_dst_stage_mask(&stages)
            .signal_semaphores(signals);
        let mut call = Call(self, work);
        // SAFETY: as the header says.
        answer(unsafe { TfLiteVulkanUseQueue(delegate.raw(), Some(submit), (&raw mut call).cast()) })
            .unwrap();
        // SAFETY: NULL is refused.
        assert!(answer(unsafe { TfLiteVulkanUseQueue(delegate.raw(), None, null_mut()) }).is_err());
    }
}

impl Memory<'_> {
    pub fn bytes(&mut self) -> &mut [u8] {
        self.floats().as_mut_bytes()
    }

    pub fn floats(&mut self) -> &mut [f32] {
        // SAFETY: the memory is mapped, and no work is pending while a test looks at it.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes as usize / 4) }
    }

    /// A binding of all of it.
    pub fn whole(&self) -> Binding {
        binding(self.raw.as_raw(), 0, self.bytes)
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing is pending.
        unsafe {
            self.gpu.device.destroy_buffer(self.raw, None);
            self.gpu.device.free_memory(self.memory, None);
        }
    }
}
