//! The delegate's cache on disk: compiled pipelines and measured facts of earlier processes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{Cache, Facts, FileKind, Identity, hash};
use crate::kernel::table;
use crate::logging::timed;
use crate::options::Options;
use crate::vk::{Device, DeviceInfo};

/// The file of this kind that the options ask for; `None` if they give no directory.
fn file(options: &Options, device: &Device, kind: FileKind) -> Option<Cache> {
    let directory = Path::new(options.cache_dir.as_ref()?);
    Some(Cache::new(directory, options.model_token.as_deref(), identity(device.info()), kind))
}

/// What is known about partitions from earlier processes, if the options give a directory.
pub(super) fn facts(options: &Options, device: &Device, kind: FileKind) -> Facts {
    Facts::new(file(options, device, kind))
}

/// The file of compiled pipelines and the device that it is for.
pub(super) struct Disk {
    device: Arc<Device>,
    cache: Cache,
    /// What of it the device was given.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The file's content when it was last read or written.
    content: Vec<u8>,
    /// How many pipelines the device had created then.
    pipelines: u64,
}

impl Disk {
    /// Tells the device what the file holds; `None` if no directory was given.
    pub fn open(options: &Options, device: &Arc<Device>) -> Option<Self> {
        let cache = file(options, device, FileKind::Pipelines)?;
        let disk = Self { device: device.clone(), cache, known: Mutex::default() };
        let mut known = disk.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.pipelines = device.pipelines_created();
        disk.learn(&mut known);
        drop(known);
        Some(disk)
    }

    /// Writes the file if pipelines were created that it does not hold. What other processes have
    /// added meanwhile stays in it.
    pub fn save(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let pipelines = self.device.pipelines_created();
        if pipelines == known.pipelines || self.device.is_lost() {
            return;
        }
        known.pipelines = pipelines;
        self.learn(&mut known);
        let content = match timed("compiled pipelines taken from the driver", || self.device.compiled()) {
            Ok(content) => content,
            Err(e) => return log::warn!("compiled pipelines are not kept: {e}"),
        };
        // The driver only ever adds to it.
        if content.len() <= known.content.len() {
            return;
        }
        let path = self.cache.path().display();
        match self.cache.store(&content) {
            Ok(()) => log::debug!("{} bytes of compiled pipelines kept in {path}", content.len()),
            Err(e) => log::warn!("compiled pipelines cannot be kept in {path}: {e}"),
        }
        known.content = content;
    }

    /// Gives the device what the file holds, if that is new.
    fn learn(&self, known: &mut Known) {
        let Some(content) = self.cache.load().filter(|content| *content != known.content) else { return };
        match timed("compiled pipelines given to the driver", || self.device.add_compiled(&content)) {
            Ok(()) => {
                log::debug!(
                    "{} bytes of compiled pipelines from {}",
                    content.len(),
                    self.cache.path().display()
                );
                known.content = content;
            }
            Err(e) => log::warn!("the cache {} is not used: {e}", self.cache.path().display()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.save();
    }
}

/// The identity in the header of the device's cache files.
fn identity(info: &DeviceInfo) -> Identity {
    let mut library = hash(env!("CARGO_PKG_VERSION").as_bytes()).to_le_bytes().to_vec();
    library.extend(table::ALL.iter().flat_map(|kernel| kernel.hash.to_le_bytes()));
    Identity {
        device: info.uuid,
        ids: [info.vendor, info.device],
        driver: info.driver_version,
        compiler: info.pipeline_cache_uuid,
        library: hash(&library),
    }
}
