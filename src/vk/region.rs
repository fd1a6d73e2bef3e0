//! Parts of the buffers that commands name.

/// A buffer that the commands own or share, or a stretch of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) usize);

/// How much a command buffer will hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capacity {
    /// Dispatches.
    pub dispatches: usize,
    /// Buffers bound by all dispatches together.
    pub bindings: usize,
    /// Dispatches whose buffers may be exchanged once they are recorded.
    pub late_dispatches: usize,
    /// Buffers bound by these together.
    pub late_bindings: usize,
    /// Timestamps.
    pub timestamps: usize,
    /// The time in seconds that a run is expected to take; 0 if nobody knows.
    pub seconds: f64,
}

/// A part of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The buffer.
    pub slot: Slot,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub bytes: u64,
}
