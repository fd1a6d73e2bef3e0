//! The weights of a session: uploaded once, by key.

use std::collections::HashMap;
use std::sync::Arc;

use super::parallel;
use super::transfers::TransferPath;
use crate::error::{Error, Result};
use crate::ir::bounded::filled;
use crate::logging::timed;
use crate::program::{Program, WeightKey, Weights};
use crate::vk::{Buffer, Capacity, Device, MemoryUsage, Recorder, Region, Stage};

/// The largest buffer that several weights share, in bytes.
const BLOCK: u64 = 256 << 20;

/// On how many threads weights are packed: together they hold so many of the largest weights in host
/// memory, where they cannot be packed in place.
const THREADS: usize = 4;

/// How many bytes pass through host memory at once; a single larger weight passes alone.
const CHUNK: u64 = 4 << 20;

/// The most weights that other programs of a session have left, as a share of those of the one that is prepared.
const IDLE: [u64; 2] = [3, 10];

/// So many bytes of weights may be left in any case.
const FEW: u64 = 1 << 20;

/// Where weights lie.
#[derive(Clone)]
pub(super) struct Uploaded {
    pub block: Arc<Buffer>,
    pub offset: u64,
    pub bytes: u64,
}

/// Weights on the device.
pub(super) struct WeightStore {
    device: Arc<Device>,
    uploaded: HashMap<WeightKey, Uploaded>,
}

impl WeightStore {
    pub fn new(device: Arc<Device>) -> Self {
        Self { device, uploaded: HashMap::new() }
    }

    /// Uploads the weights of `program` whose key is new. They are packed where
    /// the shaders read them, or, if `path` is staged, in host memory and copied, a few at a time.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if one is larger than a binding may be, or the device is full.
    pub fn upload(&mut self, program: &Program, path: TransferPath) -> Result<()> {
        let mut new: HashMap<&WeightKey, &Weights> = HashMap::new();
        let mut order: Vec<&Weights> = Vec::new();
        let limit = self.device.caps().max_storage_range.min(self.device.max_allocation());
        for weights in &program.weights {
            if self.uploaded.contains_key(&weights.key) || new.insert(&weights.key, weights).is_some() {
                continue;
            }
            if weights.bytes > limit {
                return Err(Error::OutOfMemory { what: name(weights), bytes: weights.bytes });
            }
            order.push(weights);
        }
        if order.is_empty() {
            return Ok(());
        }
        let bytes: u64 = order.iter().map(|weights| weights.bytes).sum();
        timed(&format!("{bytes} bytes of weights packed"), || self.place(&order, path))
    }

    fn place(&mut self, order: &[&Weights], path: TransferPath) -> Result<()> {
        let largest_block = BLOCK.min(self.device.max_allocation());
        for (block, bytes) in group(order, largest_block, self.device.caps().buffer_alignment) {
            let buffer = match path {
                TransferPath::Mapped | TransferPath::HostMemory => self.direct(&block, bytes),
                TransferPath::Staged => self.staged(&block, bytes),
            }?;
            let buffer = Arc::new(buffer);
            for (weights, offset) in block {
                let uploaded = Uploaded { block: buffer.clone(), offset, bytes: weights.bytes };
                self.uploaded.insert(weights.key.clone(), uploaded);
            }
        }
        Ok(())
    }

    /// Whether the weights of `program` may be added: those that it has no use for must be few beside its own.
    pub fn has_room(&self, program: &Program) -> bool {
        let own: HashMap<&WeightKey, u64> = program.weights.iter().map(|w| (&w.key, w.bytes)).collect();
        let idle = self.uploaded.iter().filter(|(key, _)| !own.contains_key(key));
        let idle: u64 = idle.map(|(_, uploaded)| uploaded.bytes).sum();
        idle <= (own.values().sum::<u64>() * IDLE[0] / IDLE[1]).max(FEW)
    }

    /// Forgets all weights. Their memory is free when no recording holds it any more.
    pub fn clear(&mut self) {
        self.uploaded.clear();
    }

    /// Where the weights with this key lie; they were uploaded.
    pub fn get(&self, key: &WeightKey) -> &Uploaded {
        self.uploaded.get(key).unwrap_or_else(|| unreachable!("{key:?} was not uploaded"))
    }

    pub fn len(&self) -> usize {
        self.uploaded.len()
    }

    pub fn bytes(&self) -> u64 {
        self.uploaded.values().map(|uploaded| uploaded.bytes).sum()
    }

    fn direct(&self, block: &[(&Weights, u64)], bytes: u64) -> Result<Buffer> {
        let mut buffer = Buffer::new(&self.device, bytes, MemoryUsage::HostToDevice, "weights")?;
        if buffer.is_cached() {
            each(buffer.mapped(), block, pack);
        } else {
            // Packing writes in scattered order, which is slow in write-combined memory.
            each(buffer.mapped(), block, |weights, target| {
                match filled(target.len() as u64, 0, &"weights") {
                    Ok(mut packed) => {
                        (weights.fill)(&mut packed);
                        target.copy_from_slice(&packed);
                    }
                    Err(_) => pack(weights, target),
                }
            });
        }
        buffer.flush()?;
        Ok(buffer)
    }

    fn staged(&self, block: &[(&Weights, u64)], bytes: u64) -> Result<Buffer> {
        let buffer = Arc::new(Buffer::new(&self.device, bytes, MemoryUsage::Device, "weights")?);
        for chunk in chunks(block) {
            self.stage(&buffer, chunk)?;
        }
        Ok(Arc::into_inner(buffer).unwrap_or_else(|| unreachable!("the copies are done")))
    }

    /// Packs a few weights in host memory, copies them to the device and waits.
    fn stage(&self, buffer: &Arc<Buffer>, chunk: &[(&Weights, u64)]) -> Result<()> {
        let (compact, bytes) = compact(chunk);
        let mut host = Buffer::new(&self.device, bytes, MemoryUsage::Staging, "staging weights")?;
        each(host.mapped(), &compact, pack);
        host.flush()?;
        let mut recorder = Recorder::new(&self.device, Capacity::default())?;
        let (from, to) = (recorder.own(host), recorder.share(buffer));
        for ((weights, offset), (_, start)) in chunk.iter().zip(&compact) {
            let bytes = weights.bytes;
            recorder.copy(
                Region { slot: from, offset: *start, bytes },
                Region { slot: to, offset: *offset, bytes },
            );
        }
        recorder.barrier(Stage::Transfer, Stage::Compute);
        let mut commands = recorder.finish()?;
        commands.submit()?;
        commands.wait()
    }
}

/// Splits a block into chunks of at most [`CHUNK`] bytes, or of one weight.
fn chunks<'a, 'b>(mut block: &'a [(&'b Weights, u64)]) -> impl Iterator<Item = &'a [(&'b Weights, u64)]> {
    std::iter::from_fn(move || {
        let mut size = 0;
        let fits = |(weights, _): &&(&Weights, u64)| {
            size += weights.bytes;
            size <= CHUNK
        };
        let count = block.iter().take_while(fits).count().max(1);
        let (chunk, rest) = block.split_at_checked(count)?;
        block = rest;
        Some(chunk)
    })
}

/// The weights of a chunk one behind the other, and their size together.
fn compact<'a>(chunk: &[(&'a Weights, u64)]) -> (Vec<(&'a Weights, u64)>, u64) {
    let mut end = 0;
    let place = |(weights, _): &(&'a Weights, u64)| {
        let at = end;
        end += weights.bytes;
        (*weights, at)
    };
    let compact = chunk.iter().map(place).collect();
    (compact, end)
}

fn pack(weights: &Weights, target: &mut [u8]) {
    target.fill(0);
    (weights.fill)(target);
}

/// Does `work` with each of the weights and its part of `mapped`, where offsets ascend, on several
/// threads.
fn each(mut mapped: &mut [u8], block: &[(&Weights, u64)], work: impl Fn(&Weights, &mut [u8]) + Sync) {
    let mut at = 0;
    let mut parts = Vec::with_capacity(block.len());
    for (weights, offset) in block {
        let (_, rest) = mapped.split_at_mut((offset - at) as usize);
        let (target, rest) = rest.split_at_mut(weights.bytes as usize);
        parts.push((*weights, target));
        (mapped, at) = (rest, offset + weights.bytes);
    }
    parts.sort_by_key(|(weights, _)| std::cmp::Reverse(weights.bytes));
    parallel::map("weights", THREADS, parts, |(weights, target)| work(weights, target));
}

/// Puts weights with their offsets into as few blocks as `largest` bytes allow; with each block its
/// size.
fn group<'a>(order: &[&'a Weights], largest: u64, alignment: u64) -> Vec<(Vec<(&'a Weights, u64)>, u64)> {
    let mut blocks: Vec<(Vec<_>, u64)> = Vec::new();
    for weights in order {
        if let Some((block, end)) = blocks.last_mut() {
            let offset = end.next_multiple_of(alignment);
            if offset + weights.bytes <= largest {
                block.push((*weights, offset));
                *end = offset + weights.bytes;
                continue;
            }
        }
        blocks.push((vec![(*weights, 0)], weights.bytes));
    }
    blocks
}

fn name(weights: &Weights) -> String {
    format!("weights of constant {} as {}", weights.key.constant, weights.key.packing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded_and_whole() {
        let weights = [CHUNK / 2, CHUNK / 2, 1, 3 * CHUNK, 16].map(|bytes| Weights {
            key: WeightKey { constant: 0, packing: String::new() },
            bytes,
            fill: Arc::new(|_| ()),
        });
        let block: Vec<(&Weights, u64)> = weights.iter().map(|w| (w, 0)).collect();
        let cut: Vec<(usize, u64)> = chunks(&block).map(|chunk| (chunk.len(), compact(chunk).1)).collect();
        assert_eq!(cut, [(2, CHUNK), (1, 1), (1, 3 * CHUNK), (1, 16)]);
        assert_eq!(compact(&block[..3]).0.iter().map(|(_, at)| *at).max(), Some(CHUNK));
        assert_eq!(chunks(&[]).count(), 0);
    }

    #[test]
    fn blocks_are_full_but_not_too_full() {
        let sizes = [100, 28, 500, 1, 2000, 7];
        let weights: Vec<_> = sizes
            .iter()
            .map(|bytes| Weights {
                key: WeightKey { constant: 0, packing: String::new() },
                bytes: *bytes,
                fill: Arc::new(|_| ()),
            })
            .collect();
        let blocks = group(&weights.iter().collect::<Vec<_>>(), 1024, 64);
        let offsets: Vec<(Vec<u64>, u64)> =
            blocks.iter().map(|(b, end)| (b.iter().map(|(_, offset)| *offset).collect(), *end)).collect();
        assert_eq!(offsets, [(vec![0, 128, 192, 704], 705), (vec![0], 2000), (vec![0], 7)]);
    }
}
