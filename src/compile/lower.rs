//! From a graph to a program: buffers for values, dispatches for nodes.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::pack;
use super::place::{Copy, Places, place_values};
use crate::caps::{Caps, DeviceKind, Features};
use crate::error::{Error, Result, Unsupported};
use crate::ir::{Constant, Graph, Node, TensorType, ValueId};
use crate::kernel::{Join, Store, table};
use crate::op::{Broadcast, Operand, Step};
use crate::options::Precision;
use crate::program::{
    Buffer, BufferId, BufferKind, Choice, Cost, Dispatch, Program, TacticKey, Tactics, WeightKey, Weights,
};
use crate::unsupported;

/// The most steps that an epilogue holds.
pub const MAX_STEPS: usize = 6;
/// The most operands that an epilogue holds.
pub const MAX_OPERANDS: usize = 3;
/// The most channels of an operand that is padded to the result's.
pub const MAX_PADDED: u32 = (1 << (u32::BITS - PADDED)) - 1;
/// The bit of a step's code where that number starts.
const PADDED: u32 = 17;

/// A node's fused steps in the form that kernels with `lib/epilogue.glsl` take.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Per step: code, broadcast and operand slot, packed as the shader wants it.
    pub op: [u32; MAX_STEPS],
    /// Per step: its first parameter, or the scalar operand.
    pub a: [f32; MAX_STEPS],
    /// Per step: its second parameter.
    pub b: [f32; MAX_STEPS],
    /// The operands; the fallback buffer where there is none.
    pub e: [BufferId; MAX_OPERANDS],
    /// Rows of the result per row of a `Batch` operand.
    pub rows_per_batch: u32,
}

/// What `Operator::lower` sees: its node, the device, and the program to add to.
pub struct Lower<'a> {
    graph: &'a Graph,
    node: &'a Node,
    /// The device.
    pub caps: &'a Caps,
    /// How float activations and packed weights are stored.
    pub store: Store,
    /// Whether sums of a few products may be 16 bits wide.
    pub sums_16: bool,
    buffers: &'a HashMap<ValueId, BufferId>,
    replaced: Option<(usize, BufferId)>,
    program: &'a mut Program,
    weights: &'a mut HashMap<WeightKey, BufferId>,
    tactics: &'a dyn Tactics,
    decisions: Vec<Decision>,
}

/// A choice whose node is not lowered yet.
struct Decision {
    key: TacticKey,
    candidates: Vec<String>,
    taken: usize,
}

impl Decision {
    /// The choice of a node with these dispatches.
    fn with(self, dispatches: Range<usize>) -> Choice {
        let Self { key, candidates, taken } = self;
        Choice { key, candidates, taken, dispatches }
    }
}

/// Takes the first candidate of every choice.
pub fn heuristic(_key: &TacticKey, _candidates: &[String]) -> usize {
    0
}

impl Lower<'_> {
    /// Type of operand `i`, which must be present.
    pub fn input(&self, i: usize) -> &TensorType {
        &self.graph.value(self.input_id(i)).ty
    }

    /// Whether operand `i` is present.
    pub fn has_input(&self, i: usize) -> bool {
        self.node.inputs.get(i).is_some_and(Option::is_some)
    }

    /// Type of result `i`.
    pub fn output(&self, i: usize) -> &TensorType {
        &self.graph.value(self.node.outputs[i]).ty
    }

    /// Number of operands, those of the epilogue included.
    pub fn input_count(&self) -> usize {
        self.node.inputs.len()
    }

    /// The contents of operand `i`, if constant.
    pub fn constant(&self, i: usize) -> Option<&Constant> {
        self.graph.value(self.input_id(i)).constant.as_ref()
    }

    /// The buffer of operand `i`; a constant is uploaded in the storage type.
    pub fn x(&mut self, i: usize) -> Result<BufferId, Unsupported> {
        let id = self.input_id(i);
        if let Some((replaced, buffer)) = self.replaced
            && replaced == i
        {
            return Ok(buffer);
        }
        match self.constant(i) {
            None => Ok(self.buffers[&id]),
            Some(constant) => {
                let elements = constant.shape.elements();
                self.rearranged(i, "plain", elements, elements as usize, |_, k| k)
            }
        }
    }

    /// Runs `f` with `buffer` in the place of operand `i`.
    pub fn with_operand<R>(&mut self, i: usize, buffer: BufferId, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.replaced.replace((i, buffer));
        let result = f(self);
        self.replaced = before;
        result
    }

    /// Which of several ways to take: the one that was the fastest on this device if it was tuned, else the
    /// first. Ways that differ print different names: winners are kept by name.
    pub fn choose<T: Clone + fmt::Display>(&mut self, key: TacticKey, candidates: &[T]) -> T {
        let names: Vec<String> = candidates.iter().map(T::to_string).collect();
        let taken = self.tactics.choose(&key, &names);
        self.decisions.push(Decision { key, candidates: names, taken });
        candidates[taken].clone()
    }

    /// The grid for one invocation per item: workgroups, items per row of the grid, workgroup size.
    pub fn linear_grid(&self, items: u64) -> Result<([u32; 3], u32, u32), Unsupported> {
        linear_grid(self.caps, items)
    }

    /// The same for workgroups of `wg` invocations: workgroups, and items per row of the grid.
    pub fn grid_of(&self, wg: u32, items: u64) -> Result<([u32; 3], u32), Unsupported> {
        grid_of(self.caps, wg, items)
    }

    /// The grid for so many workgroups: workgroups, and how many of them stand in a row.
    pub fn group_grid(&self, groups: u64) -> Result<([u32; 3], u32), Unsupported> {
        group_grid(self.caps, groups)
    }

    /// The workgroup of kernels with `lib/row.glsl`: invocations that share a row, and rows.
    pub fn row_workgroup(&self, channels: u32) -> [u32; 2] {
        let most = match self.caps.kind {
            // There are few threads, and nothing should wait at a barrier.
            DeviceKind::Software => self.caps.subgroup_size.min(self.caps.max_joined()),
            _ => self.caps.max_joined(),
        };
        let wg_x = channels.div_ceil(4).next_power_of_two().min(most);
        [wg_x, (most.min(64) / wg_x).max(1)]
    }

    /// How the invocations of a workgroup that computes so many results join what they hold.
    pub fn join(&self, results: u32) -> Join {
        let needed = Features::SUBGROUP_BASIC.with(Features::SUBGROUP_ARITHMETIC);
        // A smaller subgroup spares a barrier at most.
        let large = self.caps.subgroup_size >= 4;
        if results == 1 && large && self.caps.features.contains(needed) {
            Join::Subgroups
        } else {
            Join::Memory
        }
    }

    /// The buffer of result `i`.
    pub fn y(&self, i: usize) -> BufferId {
        self.buffers[&self.node.outputs[i]]
    }

    /// Uploads constant operand `i` in the storage type in another order: of its rows of `depth` elements,
    /// element `k` of row `r` goes to `place(r, k)`. Where none of the `elements` goes there is zero.
    /// `packing` names the arrangement: the same constant with the same packing is uploaded once.
    pub fn rearranged(
        &mut self,
        i: usize,
        packing: &str,
        elements: u64,
        depth: usize,
        place: impl Fn(usize, usize) -> usize + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let Some(constant) = self.constant(i).cloned() else { unsupported!("operand {i} is not constant") };
        let store = self.store;
        let fill = move |bytes: &mut [u8]| pack::rearrange(&constant, store, bytes, depth, &place);
        self.weights(i, &format!("{packing}/{store:?}"), elements * store.bytes(), fill)
    }

    /// Uploads `elements` 32-bit floats made from constant operand `i`: `fill` gets its floats, and the bytes of
    /// as many zeros as are wanted. `packing` names the arrangement: the same constant with the same packing is
    /// uploaded once.
    pub fn floats(
        &mut self,
        i: usize,
        packing: &str,
        elements: u64,
        fill: impl Fn(&[f32], &mut [[u8; 4]]) + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let Some(constant) = self.constant(i).cloned() else { unsupported!("operand {i} is not constant") };
        self.weights(i, packing, elements * 4, move |bytes| {
            let floats = constant.to_f32().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            fill(&floats, bytes.as_chunks_mut().0);
        })
    }

    /// Uploads bytes made from constant operand `i`; `fill` gets a zeroed slice of `bytes` bytes.
    pub fn weights(
        &mut self,
        i: usize,
        packing: &str,
        bytes: u64,
        fill: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let id = self.input_id(i);
        let name = self.graph.value(id).name.clone();
        self.upload(WeightKey { constant: id.0, packing: packing.into() }, bytes, name, fill)
    }

    fn upload(
        &mut self,
        key: WeightKey,
        bytes: u64,
        name: String,
        fill: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        if let Some(buffer) = self.weights.get(&key) {
            return Ok(*buffer);
        }
        let bytes = bytes.next_multiple_of(16).max(16);
        if bytes > self.caps.max_storage_range {
            unsupported!(
                "a constant of {bytes} bytes exceeds maxStorageBufferRange {}",
                self.caps.max_storage_range
            );
        }
        let index = self.program.weights.len();
        self.program.weights.push(Weights { key: key.clone(), bytes, fill: Arc::new(fill) });
        let buffer = add_buffer(self.program, bytes, BufferKind::Weights(index), name);
        self.weights.insert(key, buffer);
        Ok(buffer)
    }

    /// A buffer that lives within this node only.
    pub fn scratch(&mut self, bytes: u64) -> BufferId {
        add_buffer(self.program, bytes, BufferKind::Temp, format!("{} scratch", self.node.label))
    }

    /// What kernels with `lib/last.glsl` bind: `bytes` for what workgroups leave behind, and so many
    /// counters. With a single part both are the result's buffer, which is not touched as such.
    pub fn parts(&mut self, bytes: u64, counters: u64, parts: u32) -> Result<[BufferId; 2], Unsupported> {
        if parts == 1 {
            return Ok([self.y(0); 2]);
        }
        // Other shapes need other numbers; the same key means the same bytes.
        let counters = counters.next_power_of_two();
        let key = WeightKey { constant: self.node.outputs[0].0, packing: format!("counters/{counters}") };
        Ok([
            self.scratch(bytes),
            self.upload(key, counters * 4, format!("{} counters", self.node.label), |_| ())?,
        ])
    }

    /// The node's own steps, behind `first`; `fallback` is a buffer that the dispatch reads anyway.
    pub fn epilogue(&mut self, first: &[Step], fallback: BufferId) -> Result<Epilogue, Unsupported> {
        let steps: Vec<Step> = first.iter().chain(&self.node.epilogue).copied().collect();
        if steps.len() > MAX_STEPS {
            unsupported!("{} fused steps ({MAX_STEPS} at most)", steps.len());
        }
        let mut epilogue = Epilogue {
            op: [0; MAX_STEPS],
            a: [0.0; MAX_STEPS],
            b: [0.0; MAX_STEPS],
            e: [fallback; MAX_OPERANDS],
            rows_per_batch: 1,
        };
        let result = self.output(0).shape;
        let rows = |cx: &Self, input: usize| Broadcast::rows_per_batch(&cx.input(input).shape, &result);
        let mut batch = steps.iter().find_map(|step| match step.operand {
            Operand::Input { input, broadcast: Broadcast::Batch } => Some(rows(self, input)),
            _ => None,
        });
        let mut slots = Vec::new();
        for (s, step) in steps.iter().enumerate() {
            [epilogue.a[s], epilogue.b[s]] = step.op.parameters();
            let (broadcast, slot) = match step.operand {
                Operand::None => (0, 0),
                Operand::Scalar(x) => {
                    epilogue.a[s] = x;
                    (1, 0)
                }
                Operand::Input { input, broadcast } => {
                    let slot = slots.iter().position(|i| *i == input).unwrap_or(slots.len());
                    if slot == slots.len() {
                        if slot == MAX_OPERANDS {
                            unsupported!("more than {MAX_OPERANDS} fused operands");
                        }
                        epilogue.e[slot] = self.x(input)?;
                        slots.push(input);
                    }
                    let rows = rows(self, input);
                    let same = batch.is_none_or(|other| other == rows);
                    let broadcast = match broadcast {
                        // A vector per picture, of which there happens to be one: another batch
                        // must not ask for another pipeline.
                        Broadcast::Channel if same && self.constant(input).is_none() => Broadcast::Batch,
                        Broadcast::Batch if !same => {
                            unsupported!("operands that spread over different batches")
                        }
                        other => other,
                    };
                    if broadcast == Broadcast::Batch {
                        batch = Some(rows);
                        epilogue.rows_per_batch = rows;
                    }
                    (2 + broadcast as u32, slot as u32)
                }
            };
            if let Operand::Input { input, broadcast: Broadcast::Padded } = step.operand {
                epilogue.op[s] = self.input(input).shape.channels() << PADDED;
            }
            epilogue.op[s] |= step.op.code() | broadcast << 8 | slot << 12 | u32::from(step.swapped) << 16;
        }
        Ok(epilogue)
    }

    /// Adds a dispatch of this node. `ops` counts arithmetic operations, a multiply-add as 2.
    pub fn dispatch(&mut self, mut dispatch: Dispatch, ops: u64) -> Result<(), Unsupported> {
        let max = self.caps.max_grid;
        if dispatch.grid.iter().zip(max).any(|(n, max)| *n > max) {
            unsupported!("a grid of {:?} workgroups exceeds {max:?}", dispatch.grid);
        }
        if !self.caps.features.contains(dispatch.kernel.needs) {
            let missing = dispatch.kernel.needs.without(self.caps.features);
            unsupported!("kernel {} needs {missing}", dispatch.kernel.name);
        }
        if dispatch.grid.contains(&0) {
            return Ok(());
        }
        let mut touched = dispatch.bindings.clone();
        touched.sort_unstable();
        touched.dedup();
        let bytes = touched.iter().map(|id| self.program.buffer(*id).bytes).sum();
        dispatch.cost = Cost { ops, bytes };
        dispatch.label.clone_from(&self.node.label);
        dispatch.origin.clone_from(&self.node.origin);
        self.program.dispatches.push(dispatch);
        Ok(())
    }

    /// Runs `f`, and keeps what it dispatches for other shapes instead of running it.
    pub fn spare(&mut self, f: impl FnOnce(&mut Self) -> Result<(), Unsupported>) -> Result<(), Unsupported> {
        let (dispatches, buffers) = (self.program.dispatches.len(), self.program.buffers.len());
        f(self)?;
        self.program.spare.extend(self.program.dispatches.drain(dispatches..));
        debug_assert_eq!(self.program.buffers.len(), buffers, "what is spared needs no memory");
        Ok(())
    }

    fn input_id(&self, i: usize) -> ValueId {
        self.node.inputs[i].unwrap_or_else(|| unreachable!("{}: operand {i} is absent", self.node.label))
    }
}

pub(super) fn add_buffer(program: &mut Program, bytes: u64, kind: BufferKind, name: String) -> BufferId {
    program.buffers.push(Buffer { bytes: bytes.max(4).next_multiple_of(4), kind, floats: None, name });
    BufferId(program.buffers.len() as u32 - 1)
}

/// How floats are stored on this device: fp16 needs 16-bit storage buffers, and stays fp32 without.
pub fn store(caps: &Caps, precision: Precision) -> Store {
    match precision {
        Precision::Fp16 | Precision::Fp16Fast if caps.features.contains(Features::STORAGE_16) => Store::F16,
        _ => Store::F32,
    }
}

/// Lowers every node of `graph`, after the passes, to dispatches; `tactics` decides choices.
pub fn lower(graph: &Graph, caps: &Caps, precision: Precision, tactics: &dyn Tactics) -> Result<Program> {
    let store = store(caps, precision);
    let mut program = Program::default();
    let Places { buffers, copies, joined } = place_values(graph, store, caps.buffer_alignment, &mut program);
    let mut weights = HashMap::new();
    for (id, node) in graph.nodes() {
        if node.op.is_alias() {
            continue;
        }
        let mut cx = Lower {
            graph,
            node,
            caps,
            store,
            sums_16: precision == Precision::Fp16Fast && caps.sums_16(),
            buffers: &buffers,
            replaced: None,
            program: &mut program,
            weights: &mut weights,
            tactics,
            decisions: Vec::new(),
        };
        let model = |e: Unsupported| Error::Model { node: format!("#{} {}", id.0, node.label), what: e.0 };
        let first = cx.program.dispatches.len();
        if joined.contains(&id) {
            cx.spare(|cx| node.op.lower(cx)).map_err(model)?;
        } else {
            node.op.lower(&mut cx).map_err(model)?;
        }
        let decisions = cx.decisions;
        let dispatches = first..program.dispatches.len();
        program.choices.extend(decisions.into_iter().map(|decision| decision.with(dispatches.clone())));
    }
    for copy in copies {
        copy_value(&mut program, caps, copy)?;
    }
    Ok(program)
}

fn copy_value(program: &mut Program, caps: &Caps, copy: Copy) -> Result<(), Unsupported> {
    let Copy { shape, store, from, to } = copy;
    let elements = shape.elements();
    let (grid, row_items, wg_x) = linear_grid(caps, elements.div_ceil(4))?;
    let mut dispatch = table::copy::dispatch(
        table::copy::kernel(store),
        table::copy::Spec { wg_x, ..Default::default() },
        table::copy::Push { elements: elements as u32, row_items },
        table::copy::Bind { x: from, y: to },
        grid,
    );
    dispatch.label = "copy".into();
    dispatch.cost = Cost { ops: 0, bytes: 2 * elements * store.bytes() };
    program.dispatches.push(dispatch);
    Ok(())
}

/// The grid for one invocation per item: workgroups, items per row of the grid, workgroup size.
fn linear_grid(caps: &Caps, items: u64) -> Result<([u32; 3], u32, u32), Unsupported> {
    // Large machines start few workgroups at a time.
    let wg = caps.max_invocations.min(if caps.kind == DeviceKind::Discrete { 256 } else { 64 });
    let (grid, row_items) = grid_of(caps, wg, items)?;
    Ok((grid, row_items, wg))
}

/// The same for workgroups of `wg` invocations.
fn grid_of(caps: &Caps, wg: u32, items: u64) -> Result<([u32; 3], u32), Unsupported> {
    if items > u64::from(u32::MAX) {
        unsupported!("{items} elements are too many for one dispatch");
    }
    let (grid, row_groups) = group_grid(caps, items.div_ceil(u64::from(wg)))?;
    Ok((grid, row_groups * wg))
}

/// The grid for so many workgroups: workgroups, and how many of them stand in a row.
fn group_grid(caps: &Caps, groups: u64) -> Result<([u32; 3], u32), Unsupported> {
    let x = groups.min(u64::from(caps.max_grid[0])).max(1);
    let y = groups.div_ceil(x);
    if y > u64::from(caps.max_grid[1]) {
        unsupported!("{groups} workgroups are too many for one dispatch");
    }
    Ok(([x as u32, y as u32, 1], x as u32))
}
