//! What the kernels with `lib/tile.glsl` share: tile sizes, the grid, and the packing of weights.

use std::fmt;

use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::lower::Lower;
use crate::program::BufferId;
use crate::unsupported;

/// The most blocks of channels that a workgroup covers.
const MAX_COLUMNS: u32 = 8;

/// How a result of rows (output pixels × batch) × channels is split into register tiles. Depends on the
/// device and the channels only, so that a resize needs no other pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Rows per invocation.
    pub tm: u32,
    /// Quads (four channels each) per invocation.
    pub tn: u32,
    /// Whether weights are packed block by block; else each row (one element of the depth) holds all blocks.
    pub by_block: bool,
    /// Channels per group.
    pub group_channels: u32,
    /// Quads per row of packed weights: whole blocks in every group.
    pub quads: u32,
    /// Blocks of `tn` quads, all groups together.
    pub blocks: u32,
    /// Blocks per group.
    pub group_blocks: u32,
    /// Blocks that a workgroup covers.
    pub columns: u32,
    /// Invocations per workgroup.
    pub invocations: u32,
}

impl Tiling {
    /// The usual tiling on devices of this kind, for `groups` groups of `group_channels` channels. `small` is
    /// for kernels that need many registers besides the tile.
    pub fn new(caps: &Caps, groups: u32, group_channels: u32, small: bool) -> Self {
        let group_quads = group_channels.div_ceil(4);
        // On a driver that runs on the CPU a load costs more than many multiplications.
        let tm = if caps.kind == DeviceKind::Software { 8 } else { 4 };
        let small = small && caps.few_registers();
        let tn = if small || group_quads == 1 || group_quads == 3 { 1 } else { 2 };
        Self::with([tm, tn], caps.max_invocations.min(64), groups, group_channels)
    }

    /// Tilings that may suit the device for sums of so many products: the usual one, then those that differ
    /// least from it.
    pub fn candidates(
        caps: &Caps,
        groups: u32,
        group_channels: u32,
        small: bool,
        products: u32,
    ) -> Vec<Self> {
        let first = match caps.kind {
            // Many small workgroups keep a large machine busy; long sums profit from sharing a cache.
            DeviceKind::Discrete => {
                let invocations = if products < 256 { 32 } else { 128 };
                Self::with([4, 1], invocations.min(caps.max_invocations), groups, group_channels)
            }
            _ => Self::new(caps, groups, group_channels, small),
        };
        let mut all = vec![first];
        for invocations in [64, 128, 256, 32] {
            for [tm, tn] in [[4, 2], [4, 1], [8, 1], [8, 2]] {
                let tiling = Self::with([tm, tn], invocations, groups, group_channels);
                if invocations <= caps.max_invocations && !all.contains(&tiling) {
                    all.push(tiling);
                }
            }
        }
        let differences = |t: &Self| {
            let same = [t.tm == first.tm, t.tn == first.tn, t.invocations == first.invocations];
            same.iter().filter(|same| !**same).count()
        };
        all.sort_by_key(differences);
        all
    }

    fn with([tm, tn]: [u32; 2], invocations: u32, groups: u32, group_channels: u32) -> Self {
        let group_blocks = group_channels.div_ceil(4).div_ceil(tn);
        let blocks = groups * group_blocks;
        // In thousandths, so that the wider of two equally good ones wins.
        let used = |columns: &u32| {
            let padded = blocks.div_ceil(*columns) * columns;
            let lanes = invocations / columns * columns;
            u64::from(blocks) * u64::from(lanes) * 1000 / (u64::from(padded) * u64::from(invocations))
        };
        let columns = (1..=blocks.min(MAX_COLUMNS)).max_by_key(used).unwrap_or(1);
        let quads = blocks * tn;
        Self { tm, tn, by_block: false, group_channels, quads, blocks, group_blocks, columns, invocations }
    }

    /// Workgroups for this many strips of up to `tm` rows.
    pub fn grid(&self, caps: &Caps, strips: u32) -> Result<[u32; 3], Unsupported> {
        let tall = strips.div_ceil(self.invocations / self.columns);
        let y = tall.min(caps.max_grid[1]).max(1);
        let z = tall.div_ceil(y);
        if z > caps.max_grid[2] {
            unsupported!("{strips} strips of rows are too many for one dispatch");
        }
        Ok([self.blocks.div_ceil(self.columns), if z == 1 { tall } else { y }, z])
    }

    /// Uploads constant operand `i`, of shape channels × depth, as the kernels read it: a row of quads
    /// per element of the depth, of all channels or of a block.
    pub fn weights(&self, cx: &mut Lower<'_>, i: usize, depth: u32) -> Result<BufferId, Unsupported> {
        let elements = u64::from(depth) * u64::from(self.quads) * 4;
        let groups = self.blocks / self.group_blocks.max(1);
        let order = if self.by_block { "blocks" } else { "rows" };
        let packing = format!("gemm/{order}/{groups}x{}x{}", self.group_blocks, self.tn);
        cx.rearranged(i, &packing, elements, depth as usize, self.place(depth as usize))
    }

    /// Where element `k` of the depth of a channel goes.
    fn place(self, depth: usize) -> impl Fn(usize, usize) -> usize {
        let row = if self.by_block { self.tn } else { self.quads } as usize * 4;
        let block_row = self.tn as usize * 4;
        let group_channels = self.group_channels.max(1) as usize;
        let group_row = (self.group_blocks * self.tn) as usize * 4;
        move |channel, k| {
            let at = channel / group_channels * group_row + channel % group_channels;
            match self.by_block {
                true => at / block_row * depth * row + k * row + at % block_row,
                false => k * row + at,
            }
        }
    }
}

impl fmt::Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tiles of {}x{} in workgroups of {}", self.tm, 4 * self.tn, self.invocations)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn groups_fill_whole_blocks() {
        let tiling = Tiling::new(&Caps::minimum(), 2, 5, false);
        assert_eq!((tiling.tn, tiling.group_blocks, tiling.blocks, tiling.quads), (2, 1, 2, 4));
        // 3 elements of depth: a row of 5 channels, three zeros, 5 channels, three zeros.
        let place = tiling.place(3);
        let row = |k| (0..10).map(|channel| place(channel, k)).collect::<Vec<_>>();
        assert_eq!(row(0), [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]);
        assert_eq!(row(2), [32, 33, 34, 35, 36, 40, 41, 42, 43, 44]);
        // The same by block, of 3 rows each.
        let place = Tiling { by_block: true, ..tiling }.place(3);
        let row = |k| (0..10).map(|channel| place(channel, k)).collect::<Vec<_>>();
        assert_eq!(row(0), [0, 1, 2, 3, 4, 24, 25, 26, 27, 28]);
        assert_eq!(row(2), [16, 17, 18, 19, 20, 40, 41, 42, 43, 44]);
    }

    #[test]
    fn workgroups_cover_all_blocks_with_little_waste() {
        for channels in [1, 2, 4, 6, 12, 24, 36, 42, 88, 96, 250, 1001, 1280] {
            let t = Tiling::new(&Caps::minimum(), 1, channels, false);
            let grid = t.grid(&Caps::minimum(), 1000_u32.div_ceil(t.tm)).unwrap();
            assert!(grid[0] * t.columns >= t.blocks, "{channels}");
            assert!(grid[1] * grid[2] * (t.invocations / t.columns) * t.tm >= 1000, "{channels}");
            let lanes = t.invocations / t.columns * t.columns;
            assert!(grid[0] * t.columns * 64 * 10 <= t.blocks.max(1) * lanes * 13, "{channels}: {t:?}");
        }
    }

    #[test]
    fn candidates_differ_in_name() {
        let caps = Caps { max_invocations: 128, ..Caps::minimum() };
        for channels in [1, 8, 12, 100] {
            let all = Tiling::candidates(&caps, 1, channels, false, 64);
            let names: HashSet<String> = all.iter().map(ToString::to_string).collect();
            assert_eq!(names.len(), all.len());
            assert_eq!(all[0], Tiling::new(&caps, 1, channels, false));
            assert!(all.iter().all(|t| t.invocations <= 128));
        }
    }
}
