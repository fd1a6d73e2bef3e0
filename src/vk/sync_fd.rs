//! Descriptors that become readable when somebody is done, as Linux's sync files.

use crate::error::{Error, Result};

/// A descriptor that is waited for on the host.
#[derive(Debug)]
pub struct SyncFd(#[cfg(unix)] std::os::fd::OwnedFd);

impl SyncFd {
    /// Takes a descriptor over, which is closed in the end.
    ///
    /// # Errors
    /// [`Error::Host`] if it is negative, or on systems without such descriptors.
    ///
    /// # Safety
    /// Nobody else closes it.
    #[cfg(unix)]
    pub unsafe fn new(fd: i32) -> Result<Self> {
        use std::os::fd::FromRawFd;
        if fd < 0 {
            return Err(Error::Host(format!("{fd} is no file descriptor")));
        }
        // SAFETY: as the caller promises.
        Ok(Self(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }))
    }

    /// # Errors
    /// [`Error::Host`]: this system has no such descriptors.
    ///
    /// # Safety
    /// Nothing is done.
    #[cfg(not(unix))]
    pub unsafe fn new(_fd: i32) -> Result<Self> {
        Err(Error::Host("this system has no sync files".into()))
    }

    /// Returns when the descriptor is readable.
    ///
    /// # Errors
    /// [`Error::Host`] if that cannot be found out, or will never be.
    #[cfg(unix)]
    pub fn wait(self) -> Result<()> {
        use std::os::fd::AsRawFd;
        loop {
            let mut asked = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one structure is given.
            let answer = unsafe { libc::poll(&raw mut asked, 1, -1) };
            let error = std::io::Error::last_os_error();
            match answer {
                1 if asked.revents & libc::POLLIN != 0 => return Ok(()),
                -1 if error.kind() == std::io::ErrorKind::Interrupted => {}
                -1 => return Err(Error::Host(format!("a sync file cannot be waited for: {error}"))),
                _ => return Err(Error::Host("a sync file reports an error".into())),
            }
        }
    }

    /// # Errors
    /// None: there is no such descriptor.
    #[cfg(not(unix))]
    pub fn wait(self) -> Result<()> {
        Ok(())
    }
}
