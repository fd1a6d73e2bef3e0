//! One node while it is lowered.

use std::collections::HashMap;

use super::tactics::Tactics;
use super::{OperandSite, Site};
use crate::caps::Caps;
use crate::error::Unsupported;
use crate::ir::{Constant, TensorType};
use crate::kernel::table::convert;
use crate::program::{
    BufferId, BufferKind, Cost, Dispatch, Element, Launch, Program, Store, TacticKey, WeightKey,
};
use crate::unsupported;

/// The device and the precision that a graph is lowered for.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The device.
    pub caps: &'a Caps,
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
    /// Values of floats in the other storage.
    converted: HashMap<(u32, Store), BufferId>,
    /// Bytes of weights beyond the model's own, which faster algorithms need.
    extra_weights: u64,
}

/// The most bytes of weights beyond the model's own, in a program.
const MAX_EXTRA_WEIGHTS: u64 = 64 << 20;

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
    /// How the node's kernels see floats, and how packed weights are stored.
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
    converted: &'a mut HashMap<(u32, Store), BufferId>,
    extra_weights: &'a mut u64,
    /// Where results go that are stored otherwise than the node's kernels write them.
    staged: Vec<Option<BufferId>>,
}

impl<'a> Lower<'a> {
    /// For the node at `site`.
    pub fn new(site: Site<'a>, target: Target<'a>, lowered: &'a mut Lowered) -> Self {
        let Target { caps, sums_16, tactics } = target;
        let Lowered { program, weights, converted, extra_weights } = lowered;
        let store = site.store;
        let mut cx = Self {
            caps,
            store,
            sums_16,
            tactics,
            decisions: Vec::new(),
            first: program.dispatches.len(),
            replaced: None,
            program,
            weights,
            converted,
            extra_weights,
            staged: Vec::new(),
            site,
        };
        cx.staged = (0..cx.site.results.len()).map(|i| cx.stage(i)).collect();
        cx
    }

    /// A buffer for result `i` as the node's kernels write it, if it is stored otherwise.
    fn stage(&mut self, i: usize) -> Option<BufferId> {
        let result = &self.site.results[i];
        let other = result.element.store().is_some_and(|store| store != self.store);
        let other = other && !(i == 0 && self.is_either(result.element));
        let bytes = result.ty.shape.elements() * self.store.bytes();
        other.then(|| self.scratch(bytes))
    }

    /// How the node's kernels see the elements of result 0, and of operands that have its type.
    pub fn element(&self) -> Element {
        let result = &self.site.results[0];
        result.element.store().map_or(result.element, |_| self.store.into())
    }

    /// How the node's kernels see the elements of operand `i`, which must be present.
    pub fn element_of(&self, i: usize) -> Element {
        let element = self.operand(i).element;
        element.store().map_or(element, |_| self.store.into())
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

    /// The buffer of operand `i` in the storage of the node; a constant is uploaded in it.
    pub fn x(&mut self, i: usize) -> Result<BufferId, Unsupported> {
        if let Some((replaced, buffer)) = self.replaced
            && replaced == i
        {
            return Ok(buffer);
        }
        match (self.constant(i), self.operand(i).buffer) {
            (Some(constant), _) => {
                let elements = constant.shape.elements();
                if constant.is_float() {
                    return self.rearranged(i, "plain", elements, elements as usize, |_, k| k);
                }
                self.integers(i)
            }
            (None, Some(buffer)) => match self.operand(i).element.store() {
                Some(store) if store != self.store => self.convert_operand(i, buffer),
                _ => Ok(buffer),
            },
            (None, None) => unreachable!("{}: operand {i} has no buffer", self.site.label),
        }
    }

    /// The buffer of operand `i` in its own storage, for a kernel that takes either, and whether its floats are
    /// wider than the node's.
    pub fn either(&mut self, i: usize) -> Result<(BufferId, bool), Unsupported> {
        let replaced = self.replaced.is_some_and(|(replaced, _)| replaced == i);
        match self.operand(i) {
            OperandSite { constant: None, buffer: Some(buffer), element, .. }
                if !replaced && self.is_either(*element) =>
            {
                Ok((*buffer, true))
            }
            _ => Ok((self.x(i)?, false)),
        }
    }

    /// Whether result 0 is one of wider floats than the node's that its kernels can write.
    pub fn has_wide_result(&self) -> bool {
        self.is_either(self.site.results[0].element)
    }

    /// Whether the epilogue of the node's kernels takes this element where they store floats otherwise.
    fn is_either(&self, element: Element) -> bool {
        self.site.has_epilogue && self.store == Store::F16 && element == Element::F32
    }

    fn convert_operand(&mut self, i: usize, buffer: BufferId) -> Result<BufferId, Unsupported> {
        if self.store == Store::F16 {
            unsupported!("operand {i} would lose precision");
        }
        let (value, elements) = (self.operand(i).value, self.operand(i).ty.shape.elements());
        let key = (value, self.store);
        if let Some(converted) = self.converted.get(&key) {
            return Ok(*converted);
        }
        let to = self.scratch(elements * self.store.bytes());
        self.convert(elements, self.store, buffer, to)?;
        self.converted.insert(key, to);
        Ok(to)
    }

    /// Copies floats into the other storage, `to`.
    fn convert(&mut self, elements: u64, to: Store, x: BufferId, y: BufferId) -> Result<(), Unsupported> {
        let (grid, row_items, wg_x) = self.linear_grid(elements.div_ceil(4))?;
        let spec = convert::Spec { wg_x, ..Default::default() };
        let push = convert::Push { elements: elements as u32, row_items };
        let kernel = convert::kernel(to);
        self.dispatch(convert::dispatch(kernel, spec, push, convert::Bind { x, y }, grid), 0)
    }

    /// Converts the results that are stored otherwise than the node's kernels have written them.
    pub(super) fn unstage(&mut self) -> Result<(), Unsupported> {
        for i in 0..self.staged.len() {
            let result = &self.site.results[i];
            if let (Some(from), Some(store)) = (self.staged[i], result.element.store()) {
                self.convert(result.ty.shape.elements(), store, from, result.buffer)?;
            }
        }
        Ok(())
    }

    /// Whether the program may hold so many bytes of weights beyond the model's own.
    pub fn affords(&self, extra_weights: u64) -> bool {
        *self.extra_weights + extra_weights <= MAX_EXTRA_WEIGHTS
    }

    /// Counts bytes of weights beyond the model's own.
    pub fn spend(&mut self, extra_weights: u64) {
        *self.extra_weights += extra_weights;
    }

    /// Runs `f` with `buffer` in the place of operand `i`.
    pub fn with_operand<R>(&mut self, i: usize, buffer: BufferId, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.replaced.replace((i, buffer));
        let result = f(self);
        self.replaced = before;
        result
    }

    /// The buffer of result `i`, for the storage of the node.
    pub fn y(&self, i: usize) -> BufferId {
        self.staged[i].unwrap_or(self.site.results[i].buffer)
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
        let (label, origin) = (self.site.label.clone(), self.site.origin.clone());
        self.program.dispatches.push(Dispatch::new(launch, label, origin, cost));
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
