//! How much work a submission may hold.

use super::kind::DeviceKind;
use super::vendor::{ARM, IMAGINATION};

/// The most work that one submission should hold: drivers stop what seems to hang, and a display may
/// wait for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Submission {
    /// Estimated seconds.
    pub seconds: f64,
    /// Dispatches.
    pub dispatches: usize,
}

impl Submission {
    /// For devices of this kind and vendor (PCI id).
    pub fn of(kind: DeviceKind, vendor: u32) -> Self {
        let dispatches = match vendor {
            // Drivers of old Malis and of PowerVR give up on more than about so many.
            ARM => 24,
            IMAGINATION => 16,
            _ => usize::MAX,
        };
        let seconds = match kind {
            // Nothing watches a CPU.
            DeviceKind::Software => f64::INFINITY,
            DeviceKind::Discrete => 0.2,
            _ => 0.1,
        };
        Self { seconds, dispatches }
    }
}
