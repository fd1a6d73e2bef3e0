//! Which process may use Vulkan: the one that opened it. A forked child has its memory, but neither its drivers'
//! threads nor what the kernel keeps for it, so every call may hang there, those that free something included.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// The process that opened Vulkan; 0 if none has.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Remembers that this process opens Vulkan.
pub(super) fn own() {
    let _ = OWNER.compare_exchange(0, process::id(), Ordering::Relaxed, Ordering::Relaxed);
}

/// Forgets it: nothing of Vulkan is left in this process.
pub(super) fn disown() {
    OWNER.store(0, Ordering::Relaxed);
}

/// Whether this process was forked from one that has opened Vulkan.
pub fn is_forked() -> bool {
    let owner = OWNER.load(Ordering::Relaxed);
    owner != 0 && owner != process::id()
}

/// # Errors
/// [`Error::Forked`] in a forked child.
pub fn not_forked() -> Result<()> {
    if is_forked() { Err(Error::Forked) } else { Ok(()) }
}
