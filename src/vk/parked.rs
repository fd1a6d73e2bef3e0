//! What nobody needs any more while the device may still be at work on it. It cannot be freed before that is done,
//! and nobody waits for it.

use std::sync::{Mutex, PoisonError};

/// Something that a device works on.
pub(super) trait Work: Send {
    /// Whether the device is done with it; does not wait.
    fn is_idle(&self) -> bool;
}

static PARKED: Mutex<Vec<Box<dyn Work>>> = Mutex::new(Vec::new());

/// Keeps it until it is idle.
pub(super) fn park(work: Box<dyn Work>) {
    log::warn!("what the device may still be at work on is kept until it is done");
    PARKED.lock().unwrap_or_else(PoisonError::into_inner).push(work);
}

/// Frees what is idle by now.
pub(super) fn free_idle() {
    let mut parked = PARKED.lock().unwrap_or_else(PoisonError::into_inner);
    let idle: Vec<_> = parked.extract_if(.., |work| work.is_idle()).collect();
    drop(parked);
    drop(idle);
}
