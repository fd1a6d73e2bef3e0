//! Errors and panics become an answer in C, a text for the caller and a line in the log.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Result, panic_text};
use crate::logging::Verbosity;

/// Answers `f`, or `failed` if it fails or panics; then `tell` gets the reason.
pub(super) fn guard<R>(failed: R, tell: impl FnOnce(&str), f: impl FnOnce() -> Result<R>) -> R {
    caught(f).unwrap_or_else(|why| {
        announce(&why, tell);
        failed
    })
}

/// As [`guard`], for what creates a delegate: the log tells errors though no delegate that wants to log
/// them is alive yet. `failed` gives the answer for a reason.
pub(super) fn guard_creation<R>(
    failed: impl FnOnce(&str) -> R,
    tell: impl FnOnce(&str),
    f: impl FnOnce() -> Result<R>,
) -> R {
    caught(f).unwrap_or_else(|why| {
        let _audible = Verbosity::at_least(log::LevelFilter::Error);
        announce(&why, tell);
        failed(&why)
    })
}

/// What `f` gives, or why it failed or panicked.
fn caught<R>(f: impl FnOnce() -> Result<R>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(panic) => Err(format!("internal error: {}", panic_text(panic.as_ref()))),
    }
}

/// Gives a reason to the log, to who asks for the last error, and to `tell`.
fn announce(why: &str, tell: impl FnOnce(&str)) {
    log::error!("{why}");
    set_last_error(why);
    // What `tell` calls may be the host's C++, but it panics no more than it returns.
    let _ = catch_unwind(AssertUnwindSafe(|| tell(why)));
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// Nothing in a thread that ends and has no such variable any more.
fn set_last_error(text: &str) {
    let text = c_text(text);
    let _ = LAST_ERROR.try_with(|last| last.replace(text));
}

/// Valid until the next error on this thread; empty in a thread that ends.
pub(super) fn last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
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

    /// Fails when its thread has destroyed all that came after it.
    struct Late;

    impl Drop for Late {
        fn drop(&mut self) {
            assert!(LAST_ERROR.try_with(|_| ()).is_err(), "not late enough");
            assert_eq!(guard(7, |_| {}, || Err(Error::Io("late".into()))), 7);
            assert_eq!(guard_creation(|_| 8, |_| {}, || panic!("later")), 8);
            assert_eq!(last(), "");
        }
    }

    /// A panic in a destructor of a thread would abort the process.
    #[test]
    fn destructors_of_threads_may_fail() {
        thread_local!(static LATE: Late = const { Late });
        let thread = std::thread::spawn(|| {
            // The first one is destroyed last.
            LATE.with(|_| {});
            guard((), |_| {}, || Err(Error::Io("early".into())));
            assert_eq!(last(), "early");
        });
        thread.join().unwrap();
    }
}
