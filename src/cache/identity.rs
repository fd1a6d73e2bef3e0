//! What a file of the cache is for.

/// The device, driver and library that cached data is for. Another driver cannot use the data, and may not
/// notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `deviceUUID`.
    pub device: [u8; 16],
    /// `vendorID` and `deviceID`.
    pub ids: [u32; 2],
    /// `driverVersion`.
    pub driver: u32,
    /// `pipelineCacheUUID`.
    pub compiler: [u8; 16],
    /// A hash of this library's version and of all its kernels.
    pub library: u64,
}

impl Identity {
    /// Size of [`bytes`](Self::bytes).
    pub(super) const BYTES: usize = 16 + 8 + 4 + 16 + 8;

    /// As it stands in files.
    pub(super) fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.device);
        bytes[16..20].copy_from_slice(&self.ids[0].to_le_bytes());
        bytes[20..24].copy_from_slice(&self.ids[1].to_le_bytes());
        bytes[24..28].copy_from_slice(&self.driver.to_le_bytes());
        bytes[28..44].copy_from_slice(&self.compiler);
        bytes[44..].copy_from_slice(&self.library.to_le_bytes());
        bytes
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The driver's pipeline cache.
    Pipelines,
    /// Verdicts on fp16, by partition.
    Precision,
    /// The fastest candidates, by tactic key.
    Tuning,
}

impl FileKind {
    /// The end of the file's name.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines",
            Self::Precision => "precision",
            Self::Tuning => "tuning",
        }
    }
}
