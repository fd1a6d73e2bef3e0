//! The fewest barriers that keep a program's dispatches in order where data flows.
//!
//! A barrier orders everything before it against everything after it, so walking the dispatches
//! once and placing a barrier only when the next dispatch conflicts with one since the last
//! barrier is optimal for the given order. Every barrier makes earlier writes visible, also one that
//! only a write after a read called for: the walk forgets what was before it.

use std::fmt;

use super::MemoryPlan;
use crate::program::{BufferId, BufferKind, Program};

/// How two dispatches conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HazardKind {
    /// The later one reads what the earlier one writes.
    ReadAfterWrite,
    /// Both write.
    WriteAfterWrite,
    /// The later one writes what the earlier one reads.
    WriteAfterRead,
}

/// Why a barrier stands where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// The kind of conflict.
    pub kind: HazardKind,
    /// The earlier dispatch.
    pub earlier: usize,
    /// The buffer as the later dispatch names it.
    pub buffer: BufferId,
}

/// A barrier before a dispatch; `hazards` is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// Every conflict that it resolves.
    pub hazards: Vec<Hazard>,
}

/// For each dispatch, the barrier before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Barriers(pub Vec<Option<Barrier>>);

impl Barriers {
    /// How many barriers there are.
    pub fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

impl fmt::Display for Barriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, barrier) in self.0.iter().enumerate() {
            let Some(barrier) = barrier else { continue };
            write!(f, "before #{i}:")?;
            for h in &barrier.hazards {
                write!(f, " {:?}(#{}, b{})", h.kind, h.earlier, h.buffer.0)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A stretch of device memory, for finding aliases.
#[derive(Clone, Copy)]
enum MemoryRange {
    Arena(u64, u64),
    Own(BufferId, u64, u64),
}

impl MemoryRange {
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Arena(a, a_end), Self::Arena(b, b_end)) => a < b_end && b < a_end,
            (Self::Own(a, start, end), Self::Own(b, b_start, b_end)) => {
                a == b && start < b_end && b_start < end
            }
            _ => false,
        }
    }
}

/// One access since the last barrier.
struct PendingAccess {
    dispatch: usize,
    range: MemoryRange,
    write: bool,
}

/// Places barriers between the dispatches of `program`, whose temporaries lie as `memory` says.
pub fn barriers(program: &Program, memory: &MemoryPlan) -> Barriers {
    let range = |id: BufferId| {
        let (whole, start) = program.whole(id);
        let end = start + program.buffer(id).bytes;
        match program.buffer(whole).kind {
            BufferKind::Temp => {
                let p = memory.placements[whole.0 as usize]
                    .unwrap_or_else(|| unreachable!("planner left {whole:?} unplaced"));
                MemoryRange::Arena(p.offset + start, p.offset + end)
            }
            _ => MemoryRange::Own(whole, start, end),
        }
    };
    let mut pending: Vec<PendingAccess> = Vec::new();
    let mut result = Vec::with_capacity(program.dispatches.len());
    for (i, dispatch) in program.dispatches.iter().enumerate() {
        let mut hazards: Vec<Hazard> = Vec::new();
        let mut clash = |id: BufferId, write: bool| {
            for earlier in pending.iter().filter(|a| (a.write || write) && a.range.overlaps(range(id))) {
                let kind = match (earlier.write, write) {
                    (true, false) => HazardKind::ReadAfterWrite,
                    (true, true) => HazardKind::WriteAfterWrite,
                    _ => HazardKind::WriteAfterRead,
                };
                let hazard = Hazard { kind, earlier: earlier.dispatch, buffer: id };
                // Bindings that a kernel has no use for repeat one that it has.
                if !hazards.contains(&hazard) {
                    hazards.push(hazard);
                }
            }
        };
        dispatch.reads().for_each(|id| clash(id, false));
        dispatch.writes().for_each(|id| clash(id, true));
        if !hazards.is_empty() {
            pending.clear();
        }
        result.push((!hazards.is_empty()).then_some(Barrier { hazards }));
        pending.extend(dispatch.reads().map(|id| PendingAccess {
            dispatch: i,
            range: range(id),
            write: false,
        }));
        pending.extend(dispatch.writes().map(|id| PendingAccess {
            dispatch: i,
            range: range(id),
            write: true,
        }));
    }
    Barriers(result)
}

#[cfg(test)]
mod tests {
    use super::super::Placement;
    use super::*;
    use crate::caps::Features;
    use crate::program::{Access as A, Binding, Buffer, Cost, Dispatch, Kernel, Launch};

    fn dispatch(kernel: &'static Kernel, bindings: Vec<BufferId>) -> Dispatch {
        Dispatch::new(Launch::new(kernel, vec![], vec![], bindings, [1; 3]), "", [], Cost::default())
    }

    static COPY: Kernel = Kernel {
        name: "copy",
        packed: &[],
        bindings: &[Binding { name: "x", access: A::Read }, Binding { name: "y", access: A::Write }],
        spec: &[],
        push_bytes: 0,
        needs: Features::NONE,
        hash: 0,
    };

    /// A program of copies `(from, to)` over temporaries at the given arena offsets, 4 bytes each.
    fn program(offsets: &[u64], copies: &[(u32, u32)]) -> (Program, MemoryPlan) {
        let buffer =
            |i| Buffer { bytes: 4, kind: BufferKind::Temp, host: None, name: format!("t{i}").into() };
        let copy = |&(x, y)| dispatch(&COPY, vec![BufferId(x), BufferId(y)]);
        let program = Program {
            buffers: (0..offsets.len()).map(buffer).collect(),
            dispatches: copies.iter().map(copy).collect(),
            ..Program::default()
        };
        let placements = offsets.iter().map(|o| Some(Placement { offset: *o, bytes: 4 })).collect();
        (program, MemoryPlan { placements, ..MemoryPlan::default() })
    }

    fn placed(offsets: &[u64], copies: &[(u32, u32)]) -> Vec<bool> {
        let (program, memory) = program(offsets, copies);
        barriers(&program, &memory).0.iter().map(Option::is_some).collect()
    }

    #[test]
    fn independent_branches_have_none() {
        assert_eq!(placed(&[0, 4, 8, 12], &[(0, 1), (0, 2), (0, 3)]), [false; 3]);
    }

    #[test]
    fn one_barrier_serves_two_flows() {
        assert_eq!(
            placed(&[0, 4, 8, 12, 16], &[(0, 1), (0, 2), (1, 3), (2, 4)]),
            [false, false, true, false]
        );
    }

    #[test]
    fn aliased_memory_needs_a_barrier() {
        let (program, memory) = program(&[0, 4, 8, 0], &[(0, 1), (2, 3)]);
        let all = barriers(&program, &memory);
        let barrier = all.0[1].as_ref().unwrap();
        assert_eq!(barrier.hazards[0].kind, HazardKind::WriteAfterRead);
    }

    #[test]
    fn parts_are_apart_and_the_whole_is_all_of_them() {
        let (mut program, memory) = program(&[0, 4, 12, 16], &[(0, 4), (0, 5), (1, 2), (5, 3)]);
        program.buffers[1].bytes = 8;
        for start in [0, 4] {
            let kind = BufferKind::Part(BufferId(1), start);
            program.buffers.push(Buffer { bytes: 4, kind, host: None, name: "part".into() });
        }
        let all = barriers(&program, &memory);
        assert_eq!(all.to_string(), "before #2: ReadAfterWrite(#0, b1) ReadAfterWrite(#1, b1)\n");
    }

    #[test]
    fn a_hazard_is_named_once() {
        static ADD: Kernel = Kernel {
            name: "add",
            packed: &[],
            bindings: &[
                Binding { name: "x", access: A::Read },
                Binding { name: "e", access: A::Read },
                Binding { name: "y", access: A::Write },
            ],
            spec: &[],
            push_bytes: 0,
            needs: Features::NONE,
            hash: 0,
        };
        let (mut program, memory) = program(&[0, 4, 8], &[(0, 1)]);
        let fallback = vec![BufferId(1), BufferId(1), BufferId(2)];
        program.dispatches.push(dispatch(&ADD, fallback));
        assert_eq!(barriers(&program, &memory).to_string(), "before #1: ReadAfterWrite(#0, b1)\n");
    }
}
