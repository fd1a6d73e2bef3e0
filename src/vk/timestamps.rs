//! Times that the device takes while it executes a command buffer.

use std::sync::Arc;
use std::time::Duration;

use ash::vk;

use super::logical_device::LogicalDevice;
use crate::error::Result;

/// A `VkQueryPool` of timestamps.
pub(super) struct Timestamps {
    device: Arc<LogicalDevice>,
    raw: vk::QueryPool,
    capacity: u32,
    written: u32,
}

impl Timestamps {
    /// Room for `capacity` timestamps; `None` if the queue has no clock or nothing is to be timed.
    pub fn new(device: &Arc<LogicalDevice>, capacity: u32) -> Result<Option<Self>> {
        if capacity == 0 || device.limits().timestamp_bits == 0 {
            return Ok(None);
        }
        let info =
            vk::QueryPoolCreateInfo::default().query_type(vk::QueryType::TIMESTAMP).query_count(capacity);
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_query_pool(&info, None) };
        let raw = device.check("vkCreateQueryPool", raw)?;
        Ok(Some(Self { device: device.clone(), raw, capacity, written: 0 }))
    }

    /// Records that all timestamps are forgotten.
    ///
    /// # Safety
    /// `commands` must be recording, and its owner must keep `self` until it is done.
    pub unsafe fn record_reset(&self, commands: vk::CommandBuffer) {
        // SAFETY: the caller vouches.
        unsafe { self.device.raw().cmd_reset_query_pool(commands, self.raw, 0, self.capacity) };
    }

    /// Records that the time is taken when everything before is done.
    ///
    /// # Safety
    /// As [`record_reset`](Self::record_reset).
    pub unsafe fn record(&mut self, commands: vk::CommandBuffer) {
        assert!(self.written < self.capacity, "room for {} timestamps", self.capacity);
        let stage = vk::PipelineStageFlags::BOTTOM_OF_PIPE;
        // SAFETY: the caller vouches.
        unsafe { self.device.raw().cmd_write_timestamp(commands, stage, self.raw, self.written) };
        self.written += 1;
    }

    /// Makes room for as many again; nothing that is pending writes any.
    pub fn clear(&mut self) {
        self.written = 0;
    }

    /// The time between each timestamp and the next; the submission is done.
    pub fn read(&self) -> Result<Vec<Duration>> {
        let mut ticks = vec![0u64; self.written as usize];
        if ticks.is_empty() {
            return Ok(Vec::new());
        }
        // SAFETY: as many 64-bit results are asked for as there is room.
        let read = unsafe {
            self.device.raw().get_query_pool_results(self.raw, 0, &mut ticks, vk::QueryResultFlags::TYPE_64)
        };
        self.device.check("vkGetQueryPoolResults", read)?;
        let limits = self.device.limits();
        let mask = u64::MAX >> (64 - limits.timestamp_bits.min(64));
        let spans = ticks.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]) & mask);
        Ok(spans
            .map(|t| Duration::from_nanos((t as f64 * f64::from(limits.timestamp_period)) as u64))
            .collect())
    }
}

impl Drop for Timestamps {
    fn drop(&mut self) {
        // SAFETY: the owner waited for the commands that write to it.
        self.device.free(|device| unsafe { device.destroy_query_pool(self.raw, None) });
    }
}
