//! How the work of a fused block is split, and when the fusion pays.

use std::fmt;

use crate::caps::{Caps, Machine};
use crate::ir::Window;
use crate::kernel::table::inverted_residual_integers::{Dot, kernel};

/// Output pixels of a workgroup, height and width.
const TILES: [[u32; 2]; 4] = [[4, 4], [2, 8], [4, 8], [8, 8]];

/// Words of four channels in a slice.
const QUADS: [u32; 4] = [4, 8, 16, 24];

/// Invocations of a workgroup.
const INVOCATIONS: [u32; 3] = [64, 128, 256];

/// The most taps, since all are unrolled.
const MAX_TAPS: u32 = 25;

/// The most vectors of sums that an invocation holds.
const MAX_SUMS: u32 = 16;

/// The most candidates that are worth timing for a block.
const MAX_CANDIDATES: usize = 16;

/// Sizes of a fused block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Images.
    pub batch: u32,
    /// Rows and columns of the operand.
    pub x_size: [u32; 2],
    /// Rows and columns of the result.
    pub y_size: [u32; 2],
    /// The depthwise convolution's window.
    pub window: Window,
    /// The operand's channels, if it is expanded.
    pub depth: Option<u32>,
    /// Channels of the depthwise convolution.
    pub middle: u32,
    /// Channels of the result.
    pub channels: u32,
}

/// How the work is split; the numbers are the kernel's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceTile {
    /// One of [`TILES`].
    pub tile: [u32; 2],
    /// Words of four channels in a slice of the middle.
    pub quads: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Workgroups that compute the same pixels, each its own channels of the result.
    pub groups: u32,
    /// Slices per workgroup; other workgroups compute the other slices of a tile (split-K).
    pub slices: u32,
}

impl fmt::Display for SliceTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tile: [h, w], quads, invocations, groups, slices } = self;
        write!(f, "{h}x{w} by {slices}x{quads} on {invocations} for {groups}")
    }
}

impl Block {
    /// Requires that the device has a kernel for the block, and that this costs less than its parts do.
    ///
    /// The rule has not been measured yet. The fused kernel computes pixels of the middle under the windows of several
    /// tiles again, and has no matrices where its parts may have some; a dispatch costs as much as so many
    /// multiply-adds, and each invocation's dot product counts as one of these.
    ///
    /// # Errors
    /// The reason.
    pub fn must_pay(&self, caps: &Caps) -> Result<(), String> {
        let Self { depth, middle, channels, window, .. } = *self;
        let candidates = SliceTile::candidates(caps, self);
        let Some(tile) = candidates.first() else {
            let depth = depth.unwrap_or(middle);
            return Err(format!("the device has no kernel for channels {:?}", [depth, middle, channels]));
        };
        if caps.machine.fuses_integers == Some(true) {
            return Ok(());
        }
        if caps.few_registers() {
            return Err("the device has few registers".into());
        }
        let products = |pixels: u64, from: u32| pixels * u64::from(from) * u64::from(middle) / 4;
        let pixels = |size: [u32; 2]| u64::from(self.batch) * u64::from(size[0]) * u64::from(size[1]);
        let expanded = |pixels: u64| depth.map_or(0, |depth| products(pixels, depth));
        let convolved = products(pixels(self.y_size), window.taps());
        let projected = products(pixels(self.y_size), channels);
        let seen = self.tiles(tile.tile) * u64::from(tile.seen(window));
        let fused = u64::from(tile.groups) * (expanded(seen) + convolved) + projected;
        let matrices = if caps.cooperative_matrix_integers.is_empty() { 1 } else { 8 };
        let apart = (expanded(pixels(self.x_size)) + projected) / matrices + convolved;
        // Without dot products, bytes are unpacked and multiplied one by one.
        let per_product = if caps.dot_8() { 1 } else { 12 };
        let dispatches = if depth.is_some() { 2 } else { 1 };
        let saved = dispatches * caps.machine.dispatch_multiply_adds;
        match fused.saturating_sub(apart).saturating_mul(per_product) {
            more if more > saved => {
                Err(format!("{more} more products cost more than {dispatches} dispatches"))
            }
            _ => Ok(()),
        }
    }

    /// Tiles of so many pixels of the result.
    fn tiles(&self, tile: [u32; 2]) -> u64 {
        let [rows, columns] = [0, 1].map(|d| u64::from(self.y_size[d].div_ceil(tile[d])));
        u64::from(self.batch) * rows * columns
    }

    /// Whether the kernel computes such convolutions at all.
    fn is_known(&self) -> bool {
        let words = [self.depth.unwrap_or(4), self.middle, self.channels];
        words.iter().all(|n| *n > 0 && n.is_multiple_of(4))
            && self.window.dilation == [1, 1]
            && self.window.taps() <= MAX_TAPS
    }
}

impl SliceTile {
    /// Pixels of the operand under the windows of a tile.
    pub fn seen(&self, window: Window) -> u32 {
        let span =
            |d: usize| (self.tile[d] - 1).saturating_mul(window.stride[d]).saturating_add(window.size[d]);
        span(0).saturating_mul(span(1))
    }

    fn pixels(&self) -> u32 {
        self.tile.iter().product()
    }

    /// Quads of channels of the result that a workgroup computes.
    pub fn y_quads(&self, block: &Block) -> u32 {
        (block.channels / 4).div_ceil(self.groups)
    }

    /// Pixels of so many that an invocation computes at once, of so many quads.
    fn rows(&self, pixels: u32, quads: u32) -> u32 {
        let busy = |rows: &u32| pixels.div_ceil(*rows).saturating_mul(quads) >= self.invocations;
        [4, 2].into_iter().find(busy).unwrap_or(1)
    }

    /// Pixels that an invocation expands at once.
    pub fn seen_rows(&self, window: Window) -> u32 {
        self.rows(self.seen(window), self.quads)
    }

    /// Pixels that an invocation projects at once.
    pub fn y_rows(&self, block: &Block) -> u32 {
        self.rows(self.pixels(), self.y_quads(block))
    }

    /// Vectors of sums that an invocation holds.
    pub fn sums(&self, block: &Block) -> u32 {
        let rows = self.y_rows(block);
        (self.pixels() / rows * self.y_quads(block)).div_ceil(self.invocations) * rows
    }

    /// Slices of the middle.
    pub fn slice_count(&self, block: &Block) -> u32 {
        block.middle.div_ceil(4 * self.quads)
    }

    /// Workgroups that share a tile by split-K.
    pub fn parts(&self, block: &Block) -> u32 {
        self.slice_count(block).div_ceil(self.slices)
    }

    /// Shared memory in bytes, as the kernel counts it.
    fn shared_bytes(&self, block: &Block) -> u64 {
        let row = |words: u32| u64::from(words | 1);
        let seen = u64::from(self.seen(block.window));
        let x = block.depth.map_or(1, |depth| seen.saturating_mul(row(depth / 4)));
        // Plus one word of kernels/lib/last.glsl.
        4 * (x + (seen + u64::from(self.pixels())).saturating_mul(row(self.quads)) + 1)
    }

    /// Rounds of loops of an invocation.
    fn loop_rounds(&self, block: &Block) -> u64 {
        let rounds = |items: u32| u64::from(items.div_ceil(self.invocations)) + 1;
        let seen = self.seen(block.window);
        let depth = u64::from(block.depth.map_or(0, |depth| depth / 4));
        let expanded = rounds(seen.div_ceil(self.seen_rows(block.window)) * self.quads);
        let slice = expanded * (depth + 2) + rounds(self.pixels() * self.quads) + u64::from(self.quads) * 4;
        u64::from(self.slices) * slice + depth * rounds(seen) + u64::from(self.parts(block))
    }

    fn fits(&self, caps: &Caps, block: &Block) -> bool {
        let (tiles, parts) = (block.tiles(self.tile), self.parts(block));
        let y_quads = self.y_quads(block);
        self.invocations <= caps.max_invocations.min(caps.max_workgroup[0])
            && self.shared_bytes(block) <= u64::from(caps.max_shared_bytes)
            && self.sums(block) <= MAX_SUMS
            && (self.groups - 1) * y_quads < block.channels / 4
            && tiles <= u64::from(caps.max_grid[0])
            && self.groups <= caps.max_grid[1]
            && parts <= caps.max_grid[2]
            && self.left_bytes(block) <= caps.max_storage_range
            && self.loop_rounds(block) <= u64::from(caps.machine.max_rounds)
    }

    /// Bytes of partial sums.
    pub fn left_bytes(&self, block: &Block) -> u64 {
        let workgroups = block.tiles(self.tile) * u64::from(self.groups * self.parts(block));
        workgroups * u64::from(self.sums(block) * self.invocations) * 16
    }

    /// The estimated time in cycles of a core, which is not fitted to any device: instructions of an invocation, as
    /// many cycles each as a scheduler has other subgroups to run, for each wave of resident workgroups.
    fn cost(&self, caps: &Caps, block: &Block) -> u64 {
        let rounds = |items: u32| u64::from(items.div_ceil(self.invocations));
        let (seen, quads) = (self.seen(block.window), self.quads);
        let (seen_rows, y_rows) = (self.seen_rows(block.window), self.y_rows(block));
        let depth = block.depth.map_or(0, |depth| depth / 4);
        let words = |words: u32, rows: u32| u64::from(words) * u64::from(2 + 5 * rows);
        let expanded = rounds(seen.div_ceil(seen_rows) * quads)
            * (words(depth, seen_rows) + if depth > 0 { 100 * u64::from(seen_rows) } else { 10 });
        let fours = u64::from(block.window.taps().div_ceil(4));
        let convolved = rounds(self.pixels() * quads) * (24 * fours + 110);
        let projected = rounds(self.pixels() / y_rows * self.y_quads(block)) * words(quads, y_rows);
        let slice = expanded + convolved + projected + 80;
        let sums = u64::from(self.sums(block));
        let parts = self.parts(block);
        let split_cost = if parts > 1 { 2500 + 30 * sums * u64::from(parts) } else { 0 };
        let fixed = 500 + 8 * rounds(seen.saturating_mul(depth)) + 110 * sums;
        let Machine { cores, core_shared_bytes, core_invocations, .. } = caps.machine;
        let shared = self.shared_bytes(block).max(1);
        let resident = (u64::from(core_shared_bytes) / shared)
            .min(u64::from(core_invocations / self.invocations))
            .max(1);
        let workgroups = block.tiles(self.tile) * u64::from(self.groups * parts);
        let waves = workgroups.div_ceil(u64::from(cores) * resident);
        let on_core = resident.min(workgroups.div_ceil(u64::from(cores)));
        // An instruction waits for the one before, or for those of others.
        let cycles = (on_core * u64::from(self.invocations) / 128).max(6);
        waves * (u64::from(self.slices) * slice + fixed) * cycles + split_cost
    }

    /// All tilings that the device has room for, the cheapest by estimate first.
    pub fn candidates(caps: &Caps, block: &Block) -> Vec<Self> {
        let dot = if caps.dot_8() { Dot::Packed } else { Dot::Plain };
        let kernel = kernel(dot);
        let bound = kernel.bindings.len() <= caps.max_storage_buffers as usize;
        if !block.is_known() || !bound || !caps.features.contains(kernel.needs) {
            return Vec::new();
        }
        let mut all = Vec::new();
        let shapes = TILES.into_iter().flat_map(|tile| QUADS.map(|quads| (tile, quads)));
        for (tile, quads) in shapes.filter(|(_, quads)| *quads <= (block.middle / 4).max(4)) {
            for (invocations, groups) in
                INVOCATIONS.into_iter().flat_map(|n| [1, 2, 4].map(|groups| (n, groups)))
            {
                let whole = Self { tile, quads, invocations, groups, slices: 1 };
                let most = whole.slice_count(block);
                let some = (1..=most).filter(|n| *n < 5 || n.is_power_of_two() || *n == most);
                let fitting =
                    some.map(|slices| Self { slices, ..whole }).filter(|tile| tile.fits(caps, block));
                all.extend(fitting.map(|tile| (tile.cost(caps, block), tile)));
            }
        }
        all.sort_by_key(|(cost, _)| *cost);
        all.into_iter().take(MAX_CANDIDATES).map(|(_, tile)| tile).collect()
    }
}
