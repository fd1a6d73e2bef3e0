//! What a device reaches at best, and so the least time that work can take.

use std::fmt;

use crate::caps::Features;
use crate::program::Cost;

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
    /// The least time for this work in seconds: the larger of the time for its bytes at the speed of a
    /// copy and that for its operations at the peak of the arithmetic that the kernel uses. `None` for
    /// kernels whose peak was not measured.
    pub(super) fn floor(&self, cost: Cost, needs: Features) -> Option<f64> {
        let ops_per_s = if needs.contains(Features::COOPERATIVE_MATRIX) {
            return None;
        } else if needs.contains(Features::FLOAT_16) {
            self.fp16?
        } else {
            self.fp32
        };
        Some((cost.bytes as f64 / self.bytes_per_s).max(cost.ops as f64 / ops_per_s))
    }
}
