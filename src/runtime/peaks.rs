//! What devices of this process reach at best, as far as it was measured.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::program::Peaks;
use crate::vk::Device;

/// What was measured, by `deviceUUID`; `None` for devices without a clock.
type Measured = Vec<([u8; 16], Option<Peaks>)>;

/// By the devices of this process.
static MEASURED: Mutex<Measured> = Mutex::new(Vec::new());

/// The device's peaks if they were measured and it has a clock.
pub(super) fn known(device: &Device) -> Option<Peaks> {
    measured(device)?
}

/// What the measurement of the device gave, if there was one.
pub(super) fn measured(device: &Device) -> Option<Option<Peaks>> {
    all().iter().find(|(of, _)| *of == device.info().uuid).map(|(_, peaks)| *peaks)
}

/// Keeps what the measurement of the device gave.
pub(super) fn remember(device: &Device, peaks: Option<Peaks>) {
    all().push((device.info().uuid, peaks));
}

fn all() -> MutexGuard<'static, Measured> {
    MEASURED.lock().unwrap_or_else(PoisonError::into_inner)
}
