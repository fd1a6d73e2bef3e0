//! Refusals and failures: [`Unsupported`] keeps a node on the CPU, [`Error`] fails a call.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a node stays on the CPU. Not an error: the reason goes into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns `Err(Unsupported(format!(…)))`.
#[macro_export]
macro_rules! unsupported {
    ($($arg:tt)*) => { return Err($crate::error::Unsupported(format!($($arg)*)).into()) };
}

/// The text of a panic that was caught.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

/// Answers `f`, or the text of its panic.
///
/// # Errors
/// As `internal error: …`.
pub fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Unsupported> {
    let panic = |panic: Box<dyn Any + Send>| Unsupported(format!("internal error: {}", panic_text(&*panic)));
    catch_unwind(AssertUnwindSafe(f)).map_err(panic)
}

/// A failure that the caller could not foresee. Becomes a `TfLiteStatus` at the edge only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An allocation of `bytes` failed, on the device or on the host.
    OutOfMemory {
        /// What was to be allocated.
        what: String,
        /// Its size.
        bytes: u64,
    },
    /// The device is lost (`VK_ERROR_DEVICE_LOST`).
    DeviceLost,
    /// This process was forked from one that uses Vulkan, and cannot use it.
    Forked,
    /// A driver call failed.
    Driver {
        /// The Vulkan command.
        call: &'static str,
        /// Its `VkResult`, as text.
        result: String,
    },
    /// No device fits what was asked for.
    NoDevice(String),
    /// The model asks for something impossible.
    Model {
        /// The node, as `#3 CONV_2D`.
        node: String,
        /// What is wrong.
        what: String,
    },
    /// An option is unknown or has a bad value.
    Option(String),
    /// A file could not be read or written.
    Io(String),
    /// TFLite gave or did something that it should not.
    Host(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { what, bytes } => write!(f, "out of memory: {bytes} bytes for {what}"),
            Self::DeviceLost => f.write_str("the Vulkan device is lost"),
            Self::Forked => f.write_str(
                "this process was forked from one that uses Vulkan, and cannot use it: start it anew (as \
                 Python's multiprocessing does with \"spawn\"), or fork before the first delegate is created",
            ),
            Self::Driver { call, result } => write!(f, "{call} failed: {result}"),
            Self::NoDevice(why) => f.write_str(why),
            Self::Model { node, what } => write!(f, "{node}: {what}"),
            Self::Option(what) => f.write_str(what),
            Self::Io(what) | Self::Host(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<Unsupported> for Error {
    fn from(Unsupported(what): Unsupported) -> Self {
        Self::Model { node: "partition".into(), what }
    }
}

/// `Result` with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
