//! The paths of data to the device and back: decided here for all.

use crate::program::{BufferId, Program};
use crate::vk::Mapping;

/// How data gets from the host to the shaders, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferPath {
    /// The data lies in device-local memory that the host maps.
    Mapped,
    /// It lies in mapped host memory, which the shaders reach across the bus.
    HostMemory,
    /// It lies in device-local memory, and the device copies it from or to a staging buffer.
    Staged,
}

/// Up to so many bytes, crossing the bus while shaders run is taken to cost less than a copy with its
/// barriers: on an NVIDIA H200 600 KB cross in 17 us, and a barrier takes 2.
const FEW: u64 = 1 << 20;
/// The same for results: shaders write them in an order that is slow across the bus. The 256 KB mask of
/// selfie_segmentation, written in steps of two floats, took 135 us on an NVIDIA H100.
const FEW_RESULTS: u64 = 16 << 10;

/// How paths are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferPolicy {
    /// The best for a device whose memory is mapped like this.
    Best(Mapping),
    /// Always the same path. For tests and measurements.
    Always(TransferPath),
}

impl TransferPolicy {
    /// For so many bytes of inputs. `once`: no two dispatches read the same one.
    pub fn inputs(self, bytes: u64, once: bool) -> TransferPath {
        match self {
            Self::Always(path) => path,
            Self::Best(mapping) if mapping.whole || mapping.window && bytes <= FEW => TransferPath::Mapped,
            Self::Best(_) if once && bytes <= FEW => TransferPath::HostMemory,
            Self::Best(_) => TransferPath::Staged,
        }
    }

    /// For so many bytes of outputs. `once`: no dispatch reads one.
    pub fn outputs(self, bytes: u64, once: bool) -> TransferPath {
        match self {
            Self::Always(path) => path,
            Self::Best(mapping) if mapping.reads => TransferPath::Mapped,
            Self::Best(_) if once && bytes <= FEW_RESULTS => TransferPath::HostMemory,
            Self::Best(_) => TransferPath::Staged,
        }
    }

    /// For weights, which are read again and again.
    pub fn weights(self) -> TransferPath {
        match self {
            Self::Best(mapping) if mapping.whole => TransferPath::Mapped,
            Self::Always(TransferPath::Mapped) => TransferPath::Mapped,
            _ => TransferPath::Staged,
        }
    }
}

/// Whether at most one dispatch reads each input.
pub(super) fn inputs_are_read_once(program: &Program) -> bool {
    let readers =
        |id: &BufferId| program.dispatches.iter().filter(|d| d.reads().any(|read| read == *id)).count();
    program.inputs.iter().flatten().all(|id| readers(id) <= 1)
}

/// Whether no dispatch reads an output.
pub(super) fn outputs_are_only_written(program: &Program) -> bool {
    !program.dispatches.iter().any(|d| d.reads().any(|read| program.outputs.contains(&program.whole(read).0)))
}

#[cfg(test)]
mod tests {
    use super::TransferPath::{HostMemory, Mapped, Staged};
    use super::*;

    #[test]
    fn the_best_path_depends_on_what_can_be_mapped() {
        let unified = Mapping { whole: true, window: true, reads: true };
        let large_bar = Mapping { whole: true, window: true, reads: false };
        let small_bar = Mapping { whole: false, window: true, reads: false };
        let none = Mapping { whole: false, window: false, reads: false };
        let cases = [
            (unified, [Mapped; 3], [Mapped; 3], Mapped),
            (large_bar, [Mapped; 3], [HostMemory, Staged, Staged], Mapped),
            (small_bar, [Mapped, Mapped, Staged], [HostMemory, Staged, Staged], Staged),
            (none, [HostMemory, Staged, Staged], [HostMemory, Staged, Staged], Staged),
        ];
        for (mapping, inputs, outputs, weights) in cases {
            let transfers = TransferPolicy::Best(mapping);
            let amounts = |few| [(few, true), (few, false), (few + 1, true)];
            assert_eq!(
                amounts(FEW).map(|(bytes, once)| transfers.inputs(bytes, once)),
                inputs,
                "{mapping:?}"
            );
            let got = amounts(FEW_RESULTS).map(|(bytes, once)| transfers.outputs(bytes, once));
            assert_eq!(got, outputs, "{mapping:?}");
            assert_eq!(transfers.weights(), weights, "{mapping:?}");
        }
    }
}
