//! What a delegate and its kernels share.

use std::sync::Arc;

use super::disk::{self, Disk};
use super::precision::Verdicts;
use crate::cache::FileKind;
use crate::caps::Caps;
use crate::error::Result;
use crate::graph::Mix;
use crate::options::{Options, Precision};
use crate::program::Store;
use crate::tune::Winners;
use crate::vk::Device;

/// The options, the device, and what was found out on it.
pub struct Setup {
    /// What the user asked for.
    pub options: Options,
    /// Verdicts on fp16, by partition.
    pub verdicts: Verdicts,
    /// The tuner's fastest candidates, by tactic key.
    pub winners: Winners,
    device: Arc<Device>,
    /// Where compiled pipelines are kept.
    disk: Option<Disk>,
}

impl Setup {
    /// Opens the device, and what is known of it from earlier processes.
    ///
    /// # Errors
    /// Why no device can be used.
    pub fn open(options: Options) -> Result<Self> {
        let device = Device::open(&options)?;
        let precision = describe(options.precision, device.caps());
        log::info!("device {} ({}), {precision}", device.info().name, device.info().driver);
        let facts = |kind| disk::facts(&options, &device, kind);
        let verdicts = Verdicts::new(facts(FileKind::Precision));
        let winners = Winners::new(facts(FileKind::Tuning));
        let disk = Disk::open(&options, &device);
        Ok(Self { options, verdicts, winners, device, disk })
    }

    /// The device for new sessions; those on an older device keep it.
    pub fn device(&self) -> Arc<Device> {
        self.device.clone()
    }

    /// Keeps on disk what the driver has compiled meanwhile, if a directory was given.
    pub fn save(&self) {
        if let Some(disk) = &self.disk {
            disk.save();
        }
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
