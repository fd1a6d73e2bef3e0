//! One node while it is lowered.

use std::collections::HashMap;

use super::tactics::Tactics;
use super::{OperandSite, Site};
use crate::caps::Caps;
use crate::error::Unsupported;
use crate::ir::{Constant, TensorType};
use crate::program::{BufferId, BufferKind, Cost, Dispatch, Launch, Program, Store, TacticKey, WeightKey};
use crate::unsupported;

/// The device and the precision that a graph is lowered for.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The device.
    pub caps: &'a Caps,
    /// How float activations and packed weights are stored.
    pub store: Store,
    /// Whether sums of a few products may be 16 bits wide.
    pub sums_16: bool,
    /// Picks a candidate for each choice.
    pub tactics: &'a dyn Tactics,
}

/// The result of lowering a graph, node by node.
#[derive(Default)]
pub struct Lowered {
    /// The program so far.
    pub program: Program,
    /// The buffers of constants that were uploaded.
    weights: HashMap<WeightKey, BufferId>,
}

/// A choice of the node that is being lowered.
pub(super) struct Decision {
    pub key: TacticKey,
    pub candidates: Vec<String>,
    pub taken: usize,
}

/// What `Operator::lower` sees: its site, the device, and the program to add to.
pub struct Lower<'a> {
    pub(super) site: Site<'a>,
    /// The device.
    pub caps: &'a Caps,
    /// How float activations and packed weights are stored.
    pub store: Store,
    /// Whether sums of a few products may be 16 bits wide.
    pub sums_16: bool,
    pub(super) tactics: &'a dyn Tactics,
    /// The node's choices so far.
    pub(super) decisions: Vec<Decision>,
    /// The node's first dispatch.
    pub(super) first: usize,
    replaced: Option<(usize, BufferId)>,
    pub(super) program: &'a mut Program,
    pub(super) weights: &'a mut HashMap<WeightKey, BufferId>,
}

impl<'a> Lower<'a> {
    /// For the node at `site`.
    pub fn new(site: Site<'a>, target: Target<'a>, lowered: &'a mut Lowered) -> Self {
        let Target { caps, store, sums_16, tactics } = target;
        let Lowered { program, weights } = lowered;
        let (decisions, first) = (Vec::new(), program.dispatches.len());
        Self { site, caps, store, sums_16, tactics, decisions, first, replaced: None, program, weights }
    }

    /// Type of operand `i`, which must be present.
    pub fn input(&self, i: usize) -> &'a TensorType {
        self.operand(i).ty
    }

    /// Whether operand `i` is present.
    pub fn has_input(&self, i: usize) -> bool {
        self.site.operands.get(i).is_some_and(Option::is_some)
    }

    /// Type of result `i`.
    pub fn output(&self, i: usize) -> &'a TensorType {
        self.site.results[i].ty
    }

    /// Number of operands, those of the epilogue included.
    pub fn input_count(&self) -> usize {
        self.site.operands.len()
    }

    /// The contents of operand `i`, if constant.
    pub fn constant(&self, i: usize) -> Option<&'a Constant> {
        self.operand(i).constant
    }

    /// The buffer of operand `i`; a constant is uploaded in the storage type.
    pub fn x(&mut self, i: usize) -> Result<BufferId, Unsupported> {
        if let Some((replaced, buffer)) = self.replaced
            && replaced == i
        {
            return Ok(buffer);
        }
        match (self.constant(i), self.operand(i).buffer) {
            (Some(constant), _) => {
                let elements = constant.shape.elements();
                self.rearranged(i, "plain", elements, elements as usize, |_, k| k)
            }
            (None, Some(buffer)) => Ok(buffer),
            (None, None) => unreachable!("{}: operand {i} has no buffer", self.site.label),
        }
    }

    /// Runs `f` with `buffer` in the place of operand `i`.
    pub fn with_operand<R>(&mut self, i: usize, buffer: BufferId, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.replaced.replace((i, buffer));
        let result = f(self);
        self.replaced = before;
        result
    }

    /// The buffer of result `i`.
    pub fn y(&self, i: usize) -> BufferId {
        self.site.results[i].buffer
    }

    /// A buffer that lives within this node only.
    pub fn scratch(&mut self, bytes: u64) -> BufferId {
        self.program.add_buffer(bytes, BufferKind::Temp, format!("{} scratch", self.site.label))
    }

    /// Adds a dispatch of this node. `ops` counts arithmetic operations, a multiply-add as 2.
    pub fn dispatch(&mut self, launch: Launch, ops: u64) -> Result<(), Unsupported> {
        let max = self.caps.max_grid;
        if launch.grid.iter().zip(max).any(|(n, max)| *n > max) {
            unsupported!("a grid of {:?} workgroups exceeds {max:?}", launch.grid);
        }
        if !self.caps.features.contains(launch.kernel.needs) {
            let missing = launch.kernel.needs.without(self.caps.features);
            unsupported!("kernel {} needs {missing}", launch.kernel.name);
        }
        if launch.grid.contains(&0) {
            return Ok(());
        }
        let mut touched = launch.bindings.clone();
        touched.sort_unstable();
        touched.dedup();
        let bytes = touched.iter().map(|id| self.program.buffer(*id).bytes).sum();
        let cost = Cost { ops, bytes };
        self.program.dispatches.push(Dispatch::new(launch, self.site.label, self.site.origin, cost));
        Ok(())
    }

    /// Runs `f`, and keeps its dispatches as spares: they do not run, but their pipelines are created, since
    /// other shapes need them.
    pub fn spare(&mut self, f: impl FnOnce(&mut Self) -> Result<(), Unsupported>) -> Result<(), Unsupported> {
        let (dispatches, buffers) = (self.program.dispatches.len(), self.program.buffers.len());
        f(self)?;
        self.program.spare.extend(self.program.dispatches.drain(dispatches..));
        debug_assert_eq!(self.program.buffers.len(), buffers, "what is spared needs no memory");
        Ok(())
    }

    pub(super) fn operand(&self, i: usize) -> &OperandSite<'a> {
        let operand = self.site.operands[i].as_ref();
        operand.unwrap_or_else(|| unreachable!("{}: operand {i} is absent", self.site.label))
    }
}
