//! What work costs, and the least time that it can take (roofline).

use std::fmt;
use std::iter::Sum;

use crate::caps::{DeviceKind, Features};

/// What a dispatch costs at least, for profiles and for splitting long work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Arithmetic operations; a multiply-add counts 2.
    pub ops: u64,
    /// Bytes read and written, each once.
    pub bytes: u64,
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |all, cost| Self {
            ops: all.ops + cost.ops,
            bytes: all.bytes + cost.bytes,
        })
    }
}

/// What a device reaches at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Bytes read and written per second by a copy of a large buffer.
    pub bytes_per_s: f64,
    /// 32-bit operations per second; a multiply-add counts 2.
    pub fp32: f64,
    /// 16-bit operations per second, if the device computes in 16 bits.
    pub fp16: Option<f64>,
}

impl fmt::Display for Peaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copy {:.1} GB/s, fp32 {:.1} GFLOP/s", self.bytes_per_s / 1e9, self.fp32 / 1e9)?;
        self.fp16.map_or(Ok(()), |fp16| write!(f, ", fp16 {:.1} GFLOP/s", fp16 / 1e9))
    }
}

impl Peaks {
    /// What a device of this kind reaches at least, as far as one can tell without measuring.
    pub fn guess(kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Discrete => Self { bytes_per_s: 200e9, fp32: 4e12, fp16: None },
            _ => Self { bytes_per_s: 10e9, fp32: 100e9, fp16: None },
        }
    }

    /// The attainable time for this work in seconds: the larger of the time for its bytes at the speed of
    /// a copy and that for its operations at the peak of the arithmetic that the kernel uses. `None` for
    /// kernels whose peak was not measured.
    pub fn attainable(&self, cost: Cost, needs: Features) -> Option<f64> {
        let ops_per_s = if needs.contains(Features::COOPERATIVE_MATRIX) {
            return None;
        } else if needs.contains(Features::FLOAT_16) {
            self.fp16?
        } else {
            self.fp32
        };
        Some((cost.bytes as f64 / self.bytes_per_s).max(cost.ops as f64 / ops_per_s))
    }

    /// The attainable time in seconds of any work; arithmetic whose peak was not measured counts as 32-bit.
    pub fn estimate(&self, cost: Cost, needs: Features) -> f64 {
        self.attainable(cost, needs).or_else(|| self.attainable(cost, Features::NONE)).unwrap_or_default()
    }
}
