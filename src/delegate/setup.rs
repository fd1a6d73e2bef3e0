//! What a delegate and its kernels share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::bound::Bindings;
use super::disk::{self, Disk};
use super::precision::Verdicts;
use super::retry::Retry;
use crate::cache::FileKind;
use crate::caps::Caps;
use crate::error::{Error, Result};
use crate::graph::Mix;
use crate::logging::timed;
use crate::options::{Options, Precision};
use crate::program::Store;
use crate::tune::Winners;
use crate::vk::{self, Device, DeviceInfo};

/// The options, the device, and what was found out on it.
pub struct Setup {
    /// What the user asked for.
    pub options: Options,
    /// Verdicts on fp16, by partition.
    pub verdicts: Verdicts,
    /// What lies in buffers of the caller.
    pub bindings: Bindings,
    /// The tuner's fastest candidates, by tactic key.
    pub winners: Winners,
    /// Whose verdicts and winners these are.
    info: DeviceInfo,
    in_use: Mutex<InUse>,
    host_runs: AtomicU64,
}

/// The device, until it is lost and opened again.
struct InUse {
    device: Arc<Device>,
    /// Where compiled pipelines are kept.
    disk: Option<Disk>,
    retry: Retry,
}

impl Setup {
    /// Opens the device, and what is known of it from earlier processes.
    ///
    /// # Errors
    /// Why no device can be used.
    pub fn open(options: Options) -> Result<Self> {
        let device = Device::open(&options)?;
        Ok(Self::on(options, device))
    }

    /// The same for a device that is open.
    pub fn on(options: Options, device: Arc<Device>) -> Self {
        let precision = describe(options.precision, device.caps());
        log::info!("device {} ({}), {precision}", device.info().name, device.info().driver);
        let facts = |kind| disk::facts(&options, &device, kind);
        let verdicts = Verdicts::new(facts(FileKind::Precision));
        let winners = Winners::new(facts(FileKind::Tuning));
        let disk = Disk::open(&options, &device);
        let info = device.info().clone();
        let in_use = Mutex::new(InUse { device, disk, retry: Retry::default() });
        let (bindings, host_runs) = (Bindings::default(), AtomicU64::new(0));
        Self { options, verdicts, bindings, winners, info, in_use, host_runs }
    }

    /// The device for new sessions; those on an older device keep it. A device that was lost is opened
    /// again, at first at once, then after growing pauses.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if it is lost for now; [`Error::Forked`] in a forked child.
    pub fn device(&self) -> Result<Arc<Device>> {
        vk::not_forked()?;
        let mut in_use = self.in_use();
        if !in_use.device.is_lost() {
            return Ok(in_use.device.clone());
        }
        if in_use.device.is_lent() || !in_use.retry.is_due(Instant::now()) {
            return Err(Error::DeviceLost);
        }
        let device = Device::open(&self.options).map_err(|e| {
            log::warn!("the device cannot be opened again: {e}");
            Error::DeviceLost
        })?;
        // What is known of one device does not hold for another.
        if *device.info() != self.info {
            log::warn!("{} cannot be opened again, only {}", self.info, device.info());
            return Err(Error::DeviceLost);
        }
        log::info!("device {} is open again", device.info().name);
        in_use.disk = Disk::open(&self.options, &device);
        in_use.device = device.clone();
        Ok(device)
    }

    /// Keeps on disk what the driver has compiled meanwhile, if a directory was given.
    pub fn save(&self) {
        if let Some(disk) = &self.in_use().disk {
            disk.save();
        }
    }

    /// Does `run`, which computes a partition on the host in the device's place, and counts it in the log.
    pub fn on_host<R>(&self, run: impl FnOnce() -> R) -> R {
        let number = self.host_runs.fetch_add(1, Ordering::Relaxed) + 1;
        timed(&format!("run {number} on the host, slowly"), run)
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The precision in which partitions run as a rule, for people.
fn describe(asked: Precision, caps: &Caps) -> String {
    match asked {
        Precision::Fp16 | Precision::Fp16Fast if Mix::of(asked).store(caps) == Store::F32 => {
            "fp32, as it cannot store fp16".into()
        }
        Precision::Fp16Fast if !caps.sums_16() => "fp16, as sums of 16 bits are not faster".into(),
        precision => precision.to_string(),
    }
}
