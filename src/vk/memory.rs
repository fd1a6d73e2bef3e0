//! Which kind of memory serves which purpose.

use ash::vk;

use crate::caps::DeviceKind;

/// What a buffer's memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUsage {
    /// Fast for the device; the host never touches it.
    Device,
    /// Written by the host, then used by the device where it lies.
    HostToDevice,
    /// Written by the device where it lies, then read by the host.
    DeviceToHost,
    /// Host memory that is copied from or to: cached, so that the host may access it as it likes.
    Staging,
}

/// How the host reaches a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The main memory can be mapped: it is the host's own, or behind a large BAR.
    pub whole: bool,
    /// Some of it can be mapped, perhaps only a small window.
    pub window: bool,
    /// The host reads it at its usual speed. Reading across a bus is slow unless the host may cache.
    pub reads: bool,
}

/// The memory types of a device.
pub(super) struct Memory {
    types: Vec<MemoryType>,
    /// Memory is the host's own, or as near to the host as to the device.
    unified: bool,
}

struct MemoryType {
    index: u32,
    flags: vk::MemoryPropertyFlags,
    heap_bytes: u64,
}

const DEVICE: vk::MemoryPropertyFlags = vk::MemoryPropertyFlags::DEVICE_LOCAL;
const VISIBLE: vk::MemoryPropertyFlags = vk::MemoryPropertyFlags::HOST_VISIBLE;
const COHERENT: vk::MemoryPropertyFlags = vk::MemoryPropertyFlags::HOST_COHERENT;
const CACHED: vk::MemoryPropertyFlags = vk::MemoryPropertyFlags::HOST_CACHED;

impl Memory {
    pub fn new(properties: &vk::PhysicalDeviceMemoryProperties, kind: DeviceKind) -> Self {
        let heaps = properties.memory_heaps_as_slice();
        // Other flags mark memory that is protected, lazy, or needs a vendor's extension.
        let plain = DEVICE | VISIBLE | COHERENT | CACHED;
        let types = properties.memory_types_as_slice().iter().enumerate();
        let types = types.filter(|(_, t)| plain.contains(t.property_flags)).map(|(i, t)| MemoryType {
            index: i as u32,
            flags: t.property_flags,
            heap_bytes: heaps.get(t.heap_index as usize).map_or(0, |heap| heap.size),
        });
        let unified = matches!(kind, DeviceKind::Integrated | DeviceKind::Software)
            || heaps.iter().all(|heap| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL));
        Self { types: types.collect(), unified }
    }

    /// How the host reaches the device's memory.
    pub fn mapping(&self) -> Mapping {
        let whole = self.maps_main_heap(DEVICE | VISIBLE);
        Mapping {
            whole,
            window: self.types.iter().any(|t| t.flags.contains(DEVICE | VISIBLE)),
            reads: self.maps_main_heap(DEVICE | VISIBLE | CACHED) || (self.unified && whole),
        }
    }

    fn maps_main_heap(&self, flags: vk::MemoryPropertyFlags) -> bool {
        let main = self.types.iter().filter(|t| t.flags.contains(DEVICE)).map(|t| t.heap_bytes).max();
        self.types.iter().any(|t| t.flags.contains(flags) && Some(t.heap_bytes) == main)
    }

    /// The types among `allowed` (a bit each) that serve `usage`, best first. Where the best one is
    /// full, the next will do.
    pub fn types(&self, allowed: u32, usage: MemoryUsage) -> Vec<(u32, vk::MemoryPropertyFlags)> {
        let needs = if usage == MemoryUsage::Device { vk::MemoryPropertyFlags::empty() } else { VISIBLE };
        let mut found: Vec<&MemoryType> = self
            .types
            .iter()
            .filter(|t| t.index < 32 && allowed & (1 << t.index) != 0 && t.flags.contains(needs))
            .collect();
        found.sort_by_key(|t| (-score(t.flags, usage), std::cmp::Reverse(t.heap_bytes), t.index));
        found.iter().map(|t| (t.index, t.flags)).collect()
    }
}

fn score(flags: vk::MemoryPropertyFlags, usage: MemoryUsage) -> i32 {
    let weight = |flag, value| if flags.contains(flag) { value } else { 0 };
    match usage {
        // What is visible as well may lie in a small window that others need more.
        MemoryUsage::Device => weight(DEVICE, 4) - weight(VISIBLE, 1),
        MemoryUsage::HostToDevice => weight(DEVICE, 8) + weight(COHERENT, 2) + weight(CACHED, 1),
        MemoryUsage::DeviceToHost => weight(CACHED, 8) + weight(DEVICE, 4) + weight(COHERENT, 2),
        MemoryUsage::Staging => weight(CACHED, 8) + weight(COHERENT, 2) - weight(DEVICE, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heaps as `(bytes, device-local)`, types as `(heap, flags)`.
    fn memory(heaps: &[(u64, bool)], types: &[(u32, vk::MemoryPropertyFlags)], kind: DeviceKind) -> Memory {
        let mut p = vk::PhysicalDeviceMemoryProperties {
            memory_heap_count: heaps.len() as u32,
            memory_type_count: types.len() as u32,
            ..Default::default()
        };
        for (i, (size, local)) in heaps.iter().enumerate() {
            let flags = if *local { vk::MemoryHeapFlags::DEVICE_LOCAL } else { vk::MemoryHeapFlags::empty() };
            p.memory_heaps[i] = vk::MemoryHeap { size: *size, flags };
        }
        for (i, (heap_index, property_flags)) in types.iter().enumerate() {
            p.memory_types[i] = vk::MemoryType { property_flags: *property_flags, heap_index: *heap_index };
        }
        Memory::new(&p, kind)
    }

    fn best(memory: &Memory) -> [u32; 4] {
        [MemoryUsage::Device, MemoryUsage::HostToDevice, MemoryUsage::DeviceToHost, MemoryUsage::Staging]
            .map(|usage| memory.types(u32::MAX, usage)[0].0)
    }

    #[test]
    fn a_discrete_gpu_with_a_small_window_stages() {
        let m = memory(
            &[(8 << 30, true), (16 << 30, false), (256 << 20, true)],
            &[
                (0, DEVICE),
                (1, VISIBLE | COHERENT),
                (1, VISIBLE | COHERENT | CACHED),
                (2, DEVICE | VISIBLE | COHERENT),
            ],
            DeviceKind::Discrete,
        );
        assert_eq!(m.mapping(), Mapping { whole: false, window: true, reads: false });
        assert_eq!(best(&m), [0, 3, 2, 2]);
    }

    #[test]
    fn a_discrete_gpu_with_a_large_window_stages_results_only() {
        let m = memory(
            &[(8 << 30, true), (16 << 30, false)],
            &[(0, DEVICE), (1, VISIBLE | COHERENT | CACHED), (0, DEVICE | VISIBLE | COHERENT)],
            DeviceKind::Discrete,
        );
        assert_eq!(m.mapping(), Mapping { whole: true, window: true, reads: false });
        assert_eq!(best(&m), [0, 2, 1, 1]);
    }

    #[test]
    fn unified_memory_is_used_where_it_lies() {
        let m = memory(
            &[(4 << 30, true)],
            &[(0, DEVICE | VISIBLE | COHERENT), (0, DEVICE | VISIBLE | CACHED), (0, DEVICE)],
            DeviceKind::Integrated,
        );
        assert_eq!(m.mapping(), Mapping { whole: true, window: true, reads: true });
        assert_eq!(best(&m), [2, 0, 1, 1]);
    }

    #[test]
    fn what_needs_an_extension_is_left_alone() {
        let amd = vk::MemoryPropertyFlags::DEVICE_COHERENT_AMD;
        let m = memory(
            &[(1 << 30, true)],
            &[(0, DEVICE | VISIBLE | COHERENT | amd), (0, DEVICE)],
            DeviceKind::Discrete,
        );
        assert_eq!(m.types(u32::MAX, MemoryUsage::Staging), []);
        assert_eq!(m.types(u32::MAX, MemoryUsage::Device), [(1, DEVICE)]);
    }
}
