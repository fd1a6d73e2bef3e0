//! Commands that nobody needs any more while the device may still be at work on them. They cannot be freed before
//! it is done, and nobody waits for that.

use std::sync::{Mutex, PoisonError};

use super::commands::Recorded;

static PARKED: Mutex<Vec<Recorded>> = Mutex::new(Vec::new());

/// Keeps commands until they are idle.
pub(super) fn park(recorded: Recorded) {
    log::warn!("what the device may still be at work on is kept until it is done");
    PARKED.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
}

/// Frees those that are idle by now.
pub(super) fn free_idle() {
    let mut parked = PARKED.lock().unwrap_or_else(PoisonError::into_inner);
    let idle: Vec<Recorded> = parked.extract_if(.., |recorded| recorded.is_idle()).collect();
    drop(parked);
    drop(idle);
}
