//! Constants that are uploaded once, in the order in which kernels read them.

use std::sync::Arc;

use super::{Lower, pack};
use crate::error::Unsupported;
use crate::ir::Scalar;
use crate::program::{BufferId, BufferKind, WeightKey, Weights};
use crate::unsupported;

impl Lower<'_> {
    /// Uploads constant operand `i` in the storage type, rearranged into `elements` elements. Of its rows of
    /// `depth` elements, element `k` of row `r` goes to `place(r, k)`; the others are zero. `packing` names
    /// the arrangement: the same constant with the same packing is uploaded once.
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

    /// Uploads constant operand `i`, of integers, as values of its type are stored.
    pub(super) fn integers(&mut self, i: usize) -> Result<BufferId, Unsupported> {
        let Some(constant) = self.constant(i).cloned() else { unsupported!("operand {i} is not constant") };
        let element = self.operand(i).element;
        let bytes = constant.shape.elements() * element.bytes();
        let packing = format!("plain/{element:?}{}", pack::identity(&constant));
        self.weights(i, &packing, bytes, move |to| {
            let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            element.write(constant.stored, &from, to);
        })
    }

    /// Uploads `elements` 32-bit floats computed from constant operand `i`: `fill` gets its floats, and
    /// `elements` zeros to write to. `packing` names the arrangement: the same constant with the same packing
    /// is uploaded once.
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

    /// Uploads bytes computed from constant operand `i`; `fill` gets a zeroed slice of `bytes` bytes.
    pub fn weights(
        &mut self,
        i: usize,
        packing: &str,
        bytes: u64,
        fill: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let name = self.operand(i).name.clone();
        self.upload(WeightKey { constant: self.operand(i).value, packing: packing.into() }, bytes, name, fill)
    }

    /// Uploads bytes that belong to the node alone; `fill` gets a zeroed slice of `bytes` bytes. `packing` tells what
    /// they are for.
    pub fn belonging(
        &mut self,
        packing: &str,
        bytes: u64,
        fill: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let key = WeightKey { constant: self.site.results[0].value, packing: packing.into() };
        self.upload(key, bytes, format!("{} {packing}", self.site.label).into(), fill)
    }

    /// Uploads numbers that are the node's own, as elements of result 0 are stored; `fill` gives as many as `count`.
    /// `number` tells the node's tables apart.
    pub fn table(
        &mut self,
        number: usize,
        count: u64,
        fill: impl Fn() -> Vec<i32> + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let result = &self.site.results[0];
        let (element, dtype) = (result.element, result.ty.dtype);
        let key = WeightKey { constant: result.value, packing: format!("table {number}/{element:?}") };
        let name = format!("{} table", self.site.label).into();
        self.upload(key, count * element.bytes(), name, move |to| {
            let numbers = fill().into_iter().map(|n| Scalar::int(dtype, n.into()).bytes());
            element.write(dtype, &numbers.collect::<Vec<_>>().concat(), to);
        })
    }

    fn upload(
        &mut self,
        key: WeightKey,
        bytes: u64,
        name: Arc<str>,
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
        let buffer = self.program.add_buffer(bytes, BufferKind::Weights(index), name);
        self.weights.insert(key, buffer);
        Ok(buffer)
    }

    /// The split-K buffers of kernels with `lib/last.glsl`: `bytes` of scratch for partial sums, and counters
    /// of the workgroups that are done. With one part there is no split: both bindings name the result's
    /// buffer, and the kernel uses neither.
    pub fn parts(&mut self, bytes: u64, counters: u64, parts: u32) -> Result<[BufferId; 2], Unsupported> {
        if parts == 1 {
            return Ok([self.y(0); 2]);
        }
        // The count depends on the shape, so the key holds it; rounding leaves few different buffers.
        let counters = counters.next_power_of_two();
        let key = WeightKey { constant: self.site.results[0].value, packing: format!("counters/{counters}") };
        Ok([
            self.scratch(bytes),
            self.upload(key, counters * 4, format!("{} counters", self.site.label).into(), |_| ())?,
        ])
    }
}
