//! The hardware of a device, as far as cost models need it.

use super::kind::DeviceKind;
use super::vendor::{ARM, BROADCOM, IMAGINATION};

/// How many registers an invocation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Registers {
    /// 64 at most; compilers serialise loads rather than spill. GPUs of Broadcom.
    Fewest,
    /// 64 at any occupancy; larger tiles would spill. GPUs of Arm and Imagination.
    Few,
    /// More.
    Many,
}

/// The hardware of a device.
///
/// Vulkan tells the number of cores, through extensions of some vendors, and shared memory. For the rest there
/// are defaults: GPUs count as an NVIDIA H100, for which the cost models were fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Cores, each of which runs workgroups by itself: streaming multiprocessors, compute units, shader
    /// cores, threads of a driver on the CPU.
    pub cores: u32,
    /// Bytes of shared memory for all workgroups that are resident on a core.
    pub core_shared_bytes: u32,
    /// Invocations that are resident on a core where each needs about a hundred registers.
    pub core_invocations: u32,
    /// Workgroups that fill the device: splitting the work further gains nothing.
    pub busy_workgroups: u32,
    /// Nanoseconds until all workgroups see what one has written: a barrier between dispatches, or a counter in
    /// memory on which workgroups wait.
    pub barrier_ns: u32,
    /// The fixed cost of a dispatch, in 32-bit multiply-adds that take as long.
    pub dispatch_multiply_adds: u64,
    /// Registers of an invocation.
    pub registers: Registers,
    /// Whether 16-bit arithmetic is no slower than 32-bit. V3D unpacks the halves of registers first; CPUs
    /// convert before and after each operation.
    pub fast_16: bool,
    /// Whether a dot product of four packed 8-bit integers is one instruction.
    pub fast_dot: bool,
    /// Whether convolutions of integers one behind the other are one dispatch where a kernel computes them so; `None`:
    /// where that costs less by estimate.
    pub fuses_integers: Option<bool>,
    /// The most rounds of all loops of one invocation. Mesa's llvmpipe ends them in silence after some 65,500.
    pub max_rounds: u32,
}

/// Rounds that a driver on the CPU runs, with room for those that nobody counts.
const FEW_ROUNDS: u32 = 1 << 15;

/// Cores of an NVIDIA H100 (SXM) and H200.
const LARGE: u32 = 132;

/// Workgroups that keep [`LARGE`] cores busy.
const LARGE_BUSY: u32 = 512;

impl Machine {
    /// A device of this kind and vendor (PCI id) with these cores, if it tells how many, and with so many
    /// bytes of shared memory for a workgroup.
    pub fn new(kind: DeviceKind, vendor: u32, cores: Option<u32>, workgroup_shared_bytes: u32) -> Self {
        let cores = cores.filter(|cores| *cores > 0).unwrap_or(match kind {
            // Not the threads of this host: the same model becomes the same program on every host.
            DeviceKind::Software => 4,
            _ => LARGE,
        });
        let busy_workgroups = match kind {
            DeviceKind::Discrete => (u64::from(cores) * u64::from(LARGE_BUSY)).div_ceil(LARGE.into()) as u32,
            _ => 32,
        };
        Self {
            cores,
            // A core may have no more than what one workgroup can get.
            core_shared_bytes: workgroup_shared_bytes,
            core_invocations: 640,
            busy_workgroups,
            barrier_ns: 2000,
            dispatch_multiply_adds: match kind {
                DeviceKind::Software => 150_000,
                DeviceKind::Discrete => 20_000_000,
                _ => 500_000,
            },
            registers: match vendor {
                BROADCOM => Registers::Fewest,
                ARM | IMAGINATION => Registers::Few,
                _ => Registers::Many,
            },
            fast_16: vendor != BROADCOM && kind != DeviceKind::Software,
            fast_dot: false,
            // A dispatch costs a driver on the CPU next to nothing.
            fuses_integers: (kind == DeviceKind::Software).then_some(false),
            max_rounds: if kind == DeviceKind::Software { FEW_ROUNDS } else { u32::MAX },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vulkan_tells_goes_before_defaults() {
        let of = |kind, cores| {
            let machine = Machine::new(kind, 0, cores, 49152);
            (machine.cores, machine.busy_workgroups, machine.core_shared_bytes)
        };
        assert_eq!(of(DeviceKind::Discrete, None), (132, 512, 49152));
        assert_eq!(of(DeviceKind::Discrete, Some(132)), (132, 512, 49152));
        assert_eq!(of(DeviceKind::Discrete, Some(0)), (132, 512, 49152));
        assert_eq!(of(DeviceKind::Discrete, Some(66)), (66, 256, 49152));
        assert_eq!(of(DeviceKind::Discrete, Some(u32::MAX)).0, u32::MAX);
        assert_eq!(of(DeviceKind::Integrated, Some(10)), (10, 32, 49152));
        assert_eq!(of(DeviceKind::Software, None), (4, 32, 49152));
    }

    #[test]
    fn registers_follow_the_vendor() {
        let of = |vendor| Machine::new(DeviceKind::Integrated, vendor, None, 0).registers;
        assert_eq!([ARM, IMAGINATION, BROADCOM, 0].map(of), {
            use Registers::{Few, Fewest, Many};
            [Few, Few, Fewest, Many]
        });
        assert!(Registers::Fewest < Registers::Few && Registers::Few < Registers::Many);
    }
}
