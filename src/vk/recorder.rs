//! Records a command buffer.

use std::sync::Arc;

use ash::vk;

use super::buffer::Buffer;
use super::commands::{Commands, Place};
use super::descriptor::Descriptors;
use super::device::Device;
use super::parked;
use super::pipeline::Pipeline;
use super::region::{Capacity, Region, Slot};
use super::timestamps::Timestamps;
use crate::error::Result;

/// What a barrier stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Dispatches.
    Compute,
    /// Copies.
    Transfer,
    /// The host, once the submission is done.
    Host,
    /// Whoever else uses the same buffers: other submissions, and the host.
    Others,
}

impl Stage {
    fn mask(self) -> vk::PipelineStageFlags {
        match self {
            Self::Compute => vk::PipelineStageFlags::COMPUTE_SHADER,
            Self::Transfer => vk::PipelineStageFlags::TRANSFER,
            Self::Host => vk::PipelineStageFlags::HOST,
            Self::Others => vk::PipelineStageFlags::ALL_COMMANDS | vk::PipelineStageFlags::HOST,
        }
    }

    fn writes(self) -> vk::AccessFlags {
        match self {
            Self::Compute => vk::AccessFlags::SHADER_WRITE,
            Self::Transfer => vk::AccessFlags::TRANSFER_WRITE,
            Self::Host => vk::AccessFlags::HOST_WRITE,
            Self::Others => vk::AccessFlags::MEMORY_WRITE,
        }
    }

    fn touches(self) -> vk::AccessFlags {
        match self {
            Self::Compute => vk::AccessFlags::SHADER_READ | vk::AccessFlags::SHADER_WRITE,
            Self::Transfer => vk::AccessFlags::TRANSFER_READ | vk::AccessFlags::TRANSFER_WRITE,
            Self::Host => vk::AccessFlags::HOST_READ,
            Self::Others => vk::AccessFlags::MEMORY_READ | vk::AccessFlags::MEMORY_WRITE,
        }
    }
}

/// A command buffer that is being recorded; [`finish`](Self::finish) makes it submittable, any
/// number of times.
pub struct Recorder {
    commands: Commands,
    bound: vk::Pipeline,
    /// The barrier before whatever comes next.
    barrier: Option<Dependency>,
}

/// What waits for what, and sees what.
#[derive(Clone, Copy)]
struct Dependency {
    stages: [vk::PipelineStageFlags; 2],
    access: [vk::AccessFlags; 2],
}

impl Recorder {
    /// Starts an empty command buffer.
    pub fn new(device: &Device, capacity: Capacity) -> Result<Self> {
        let device = device.logical();
        device.alive()?;
        parked::free_idle();
        let descriptors = Descriptors::new(device, capacity);
        let timestamps = Timestamps::new(device, capacity.timestamps as u32)?;
        Self::begin(Commands::new(device, descriptors, timestamps, capacity.seconds)?)
    }

    /// Records commands anew, within the capacity of the first time. They keep their buffers.
    ///
    /// # Errors
    /// If the device is lost, or memory does not suffice.
    pub fn again(mut commands: Commands) -> Result<Self> {
        commands.clear()?;
        Self::begin(commands)
    }

    fn begin(mut commands: Commands) -> Result<Self> {
        commands.begin()?;
        if let Some(timestamps) = commands.timestamps() {
            // SAFETY: the command buffer is recording and holds the timestamps.
            unsafe { timestamps.record_reset(commands.raw()) };
        }
        Ok(Self { commands, bound: vk::Pipeline::null(), barrier: None })
    }

    /// Takes a buffer over; the commands give access to what is mapped of it.
    pub fn own(&mut self, buffer: Buffer) -> Slot {
        self.commands.own(buffer)
    }

    /// Shares a buffer, which stays alive with the commands.
    pub fn share(&mut self, buffer: &Arc<Buffer>) -> Slot {
        self.commands.slot(Place::Buffer(buffer.clone(), 0))
    }

    /// A slot that [`place`](Self::place) may put elsewhere.
    pub fn slot(&mut self, place: Place) -> Slot {
        self.commands.slot(place)
    }

    /// Puts a slot that was made by [`slot`](Self::slot) elsewhere, for what is recorded from now on.
    pub fn place(&mut self, slot: Slot, place: Place) {
        self.commands.place(slot, place);
    }

    /// Runs `grid` workgroups of `pipeline` over one region per binding.
    pub fn dispatch(
        &mut self,
        pipeline: &Arc<Pipeline>,
        regions: &[Region],
        push: &[u8],
        grid: [u32; 3],
    ) -> Result<()> {
        let kernel = pipeline.kernel();
        assert_eq!(regions.len(), kernel.bindings.len(), "{} wants one buffer per binding", kernel.name);
        assert_eq!(push.len(), kernel.push_bytes as usize, "{} wants its push constants", kernel.name);
        let buffers = self.commands.bindings(regions);
        self.place_barrier();
        let layout = pipeline.layout();
        let set = self.commands.descriptors_mut().set(layout, regions, &buffers)?;
        let device = self.commands.device().clone();
        let (raw, commands) = (device.raw(), self.commands.raw());
        // SAFETY: the command buffer is recording; pipeline, set and buffers live as long as it,
        // because the commands hold them; set and push constants fit the layout.
        unsafe {
            if self.bound != pipeline.raw() {
                raw.cmd_bind_pipeline(commands, vk::PipelineBindPoint::COMPUTE, pipeline.raw());
                self.bound = pipeline.raw();
                self.commands.hold(pipeline);
            }
            raw.cmd_bind_descriptor_sets(
                commands,
                vk::PipelineBindPoint::COMPUTE,
                layout.pipeline(),
                0,
                &[set],
                &[],
            );
            if !push.is_empty() {
                raw.cmd_push_constants(commands, layout.pipeline(), vk::ShaderStageFlags::COMPUTE, 0, push);
            }
            raw.cmd_dispatch(commands, grid[0], grid[1], grid[2]);
        }
        Ok(())
    }

    /// Copies a region to one of the same size that does not overlap it.
    pub fn copy(&mut self, from: Region, to: Region) {
        assert_eq!(from.bytes, to.bytes, "a copy keeps its size");
        self.place_barrier();
        self.commands.descriptors_mut().fix(&[from, to]);
        let ((source, start), (destination, to)) = (self.commands.raw_of(&from), self.commands.raw_of(&to));
        let part = vk::BufferCopy::default().src_offset(start).dst_offset(to).size(from.bytes);
        // SAFETY: the command buffer is recording and holds both buffers; the regions lie in them.
        unsafe {
            self.commands.device().raw().cmd_copy_buffer(self.commands.raw(), source, destination, &[part]);
        }
    }

    /// Lets everything of `to` that follows wait for everything of `from` before, and see what it wrote.
    /// Barriers without work between them become one.
    pub fn barrier(&mut self, from: Stage, to: Stage) {
        let before = self.barrier.unwrap_or(Dependency {
            stages: [vk::PipelineStageFlags::empty(); 2],
            access: [vk::AccessFlags::empty(); 2],
        });
        let [source, destination] = before.stages;
        let [writes, touches] = before.access;
        self.barrier = Some(Dependency {
            stages: [source | from.mask(), destination | to.mask()],
            access: [writes | from.writes(), touches | to.touches()],
        });
    }

    /// Records the barrier that is due.
    fn place_barrier(&mut self) {
        let Some(Dependency { stages: [source, destination], access: [writes, touches] }) =
            self.barrier.take()
        else {
            return;
        };
        let memory = [vk::MemoryBarrier::default().src_access_mask(writes).dst_access_mask(touches)];
        let flags = vk::DependencyFlags::empty();
        // SAFETY: the command buffer is recording.
        unsafe {
            let (device, commands) = (self.commands.device().raw(), self.commands.raw());
            device.cmd_pipeline_barrier(commands, source, destination, flags, &memory, &[], &[]);
        }
    }

    /// Lets what follows be a submission of its own. Barriers order it as before.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn split(&mut self) -> Result<()> {
        self.commands.end()?;
        self.bound = vk::Pipeline::null();
        self.commands.begin()
    }

    /// Takes the time when everything before is done, if the device has a clock.
    pub fn timestamp(&mut self) {
        self.place_barrier();
        let commands = self.commands.raw();
        if let Some(timestamps) = self.commands.timestamps_mut() {
            // SAFETY: the command buffer is recording and holds the timestamps.
            unsafe { timestamps.record(commands) };
        }
    }

    /// Ends the recording.
    pub fn finish(mut self) -> Result<Commands> {
        self.place_barrier();
        self.commands.end()?;
        Ok(self.commands)
    }
}

impl Commands {
    /// The buffer of a region that must lie in it, and where the region starts there.
    fn raw_of(&self, region: &Region) -> (vk::Buffer, u64) {
        let (buffer, start) = self.buffer(region.slot);
        let offset = start.saturating_add(region.offset);
        let end = offset.checked_add(region.bytes);
        assert!(
            region.bytes > 0 && end.is_some_and(|end| end <= buffer.bytes()),
            "{region:?} lies outside of a buffer of {} bytes",
            buffer.bytes()
        );
        (buffer.raw(), offset)
    }

    /// What a descriptor set says of these regions.
    fn bindings(&self, regions: &[Region]) -> Vec<vk::DescriptorBufferInfo> {
        let binding = |region: &Region| {
            let (buffer, offset) = self.raw_of(region);
            vk::DescriptorBufferInfo::default().buffer(buffer).offset(offset).range(region.bytes)
        };
        regions.iter().map(binding).collect()
    }

    /// Puts slots that were made by [`Recorder::slot`] elsewhere, for what is recorded, once nothing is pending. Only
    /// dispatches of pipelines with [`update_after_bind`](super::PipelineKey::update_after_bind) may have named them.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::error::Error::DeviceLost).
    pub fn exchange(&mut self, places: impl IntoIterator<Item = (Slot, Place)>) -> Result<()> {
        self.wait()?;
        self.device().alive()?;
        for (slot, place) in places {
            assert!(!self.descriptors().is_fixed(slot), "{slot:?} is named for good");
            self.place(slot, place);
        }
        let descriptors = self.descriptors();
        for (set, regions) in descriptors.written_late() {
            descriptors.write(*set, &self.bindings(regions));
        }
        Ok(())
    }
}
