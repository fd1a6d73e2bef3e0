//! Errors and panics become an answer in C, a text for the caller and a line in the log.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Result, panic_text};

/// Answers `f`, or `failed` if it fails or panics; then `tell` gets the reason.
pub(super) fn guard<R>(failed: R, tell: impl FnOnce(&str), f: impl FnOnce() -> Result<R>) -> R {
    let why = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(answer)) => return answer,
        Ok(Err(e)) => e.to_string(),
        Err(panic) => format!("internal error: {}", panic_text(panic.as_ref())),
    };
    log::error!("{why}");
    set_last_error(&why);
    // What `tell` calls may be the host's C++, but it panics no more than it returns.
    let _ = catch_unwind(AssertUnwindSafe(|| tell(&why)));
    failed
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

fn set_last_error(text: &str) {
    let text = c_text(text);
    LAST_ERROR.with(|last| last.replace(text));
}

/// Valid until the next error on this thread.
pub(super) fn last_error() -> *const c_char {
    LAST_ERROR.with(|last| last.borrow().as_ptr())
}

/// The text up to the first NUL byte, which C cannot hold.
pub(super) fn c_text(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::error::Error;

    fn last() -> String {
        // SAFETY: the text lives until the next error of this thread.
        unsafe { CStr::from_ptr(last_error()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn errors_and_panics_become_answers() {
        assert_eq!(guard(7, |_| unreachable!("nothing failed"), || Ok(1)), 1);
        let mut told = String::new();
        assert_eq!(guard(7, |why| told = why.into(), || Err(Error::Io("no file".into()))), 7);
        assert_eq!((told.as_str(), last().as_str()), ("no file", "no file"));
        assert_eq!(guard(8, |why| told = why.into(), || panic!("number {}", 5)), 8);
        assert_eq!(
            (told.as_str(), last().as_str()),
            ("internal error: number 5", "internal error: number 5")
        );
        assert_eq!(guard(9, |_| panic!("the reporter itself"), || Err(Error::Io("a\0b".into()))), 9);
        assert_eq!(last(), "a");
    }
}
