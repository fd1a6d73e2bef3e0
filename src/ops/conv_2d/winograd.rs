//! Winograd's algorithm for 3×3 convolutions: F(4×4, 3×3), which needs a fourth of the multiplications, and
//! F(2×2, 3×3), which needs 4/9 of them.
//!
//! Three dispatches: the input transform of tiles of x, a matrix product for each element of a tile, and the
//! output transform. Filters are transformed once. See Lavin and Gray, "Fast Algorithms for Convolutional
//! Neural Networks", 2015.

use std::fmt;

use super::{Geometry, quads};
use crate::caps::Caps;
use crate::error::Unsupported;
use crate::kernel::table::{self, winograd_input, winograd_output};
use crate::lower::Lower;
use crate::program::{BufferId, Store};

/// How large the tiles of the result are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputTile {
    /// 2×2 pixels.
    Two,
    /// 4×4 pixels.
    Four,
}

/// The cost of transforming an element of a tile, in multiplications: nearly all of it is a load and a store.
const TRANSFORM: u64 = 18;
/// Dispatches beyond the one of direct convolution.
const DISPATCHES: u64 = 2;
/// Operations of a transform per byte of transformed tiles.
const OPS: u64 = 1;
/// Rows of a matrix that are computed together.
const ROWS: u32 = 16;

impl OutputTile {
    /// Pixels along a side.
    const fn size(self) -> u32 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Side of an input tile in pixels. Each element of a tile has its own matrix product.
    const fn side(self) -> u32 {
        self.size() + 2
    }

    /// G, the filter transform of three taps.
    const fn basis(self) -> &'static [[f32; 3]] {
        match self {
            Self::Two => &[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]],
            Self::Four => &[
                [1.0 / 4.0, 0.0, 0.0],
                [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
                [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
                [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
                [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
                [0.0, 0.0, 1.0],
            ],
        }
    }

    /// Tiles along the result's height and width, and those of the whole batch.
    fn count(self, conv: &Geometry) -> ([u32; 2], u32) {
        let tiles = conv.y_size.map(|n| n.div_ceil(self.size()));
        (tiles, conv.rows / (conv.y_size[0] * conv.y_size[1]).max(1) * tiles[0] * tiles[1])
    }

    /// Bytes of all tiles of so many channels.
    fn bytes(self, conv: &Geometry, channels: u32) -> u64 {
        let elements = u64::from(self.side().pow(2)) * u64::from(channels);
        u64::from(self.count(conv).1) * elements * Store::F32.bytes()
    }

    /// The cost of the convolution, in multiplications that take as long.
    pub fn cost(self, caps: &Caps, conv: &Geometry) -> u64 {
        let (rows, elements) = (self.count(conv).1, u64::from(self.side().pow(2)));
        let [depth, channels] = [conv.depth, conv.channels].map(u64::from);
        let products = u64::from(rows.next_multiple_of(ROWS)) * depth * channels;
        let transforms = u64::from(rows) * (depth + channels) * TRANSFORM;
        elements * (products + transforms) + DISPATCHES * caps.machine.dispatch_multiply_adds
    }

    /// Transforms the filter `g` (channels × 3 × 3 × depth): `put` gets `[channel, index in the depth]` and
    /// the elements of the transformed tile.
    fn filter(self, g: &[f32], depth: usize, put: &mut dyn FnMut([usize; 2], &[f32])) {
        let basis = self.basis();
        let mut elements = Vec::new();
        let dot = |a: &[f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        for (channel, taps) in g.chunks_exact((9 * depth).max(1)).enumerate() {
            for k in 0..depth {
                elements.clear();
                for row in basis {
                    let line = [0, 1, 2].map(|x| dot(row, [0, 1, 2].map(|y| taps[(3 * y + x) * depth + k])));
                    elements.extend(basis.iter().map(|column| dot(column, line)));
                }
                put([channel, k], &elements);
            }
        }
    }
}

impl fmt::Display for OutputTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Winograd's F({0}x{0}, 3x3)", self.size())
    }
}

/// Whether the kernels can compute a convolution of one group. In fp16 the transforms would lose too much.
pub fn fits(cx: &Lower<'_>, conv: &Geometry) -> bool {
    let small =
        |tile: OutputTile| tile.bytes(conv, conv.depth.max(conv.channels)) <= cx.caps.max_storage_range;
    cx.store == Store::F32
        && (conv.taps, conv.stride, conv.dilation) == ([3, 3], [1, 1], [1, 1])
        && conv.depth.is_multiple_of(4)
        && conv.channels.is_multiple_of(4)
        && [OutputTile::Two, OutputTile::Four].into_iter().all(small)
}

impl OutputTile {
    /// Bytes of the transformed filters beyond those of the model's.
    pub fn extra_weights(self, conv: &Geometry) -> u64 {
        let elements = u64::from(conv.depth) * u64::from(conv.channels);
        u64::from(self.side().pow(2) - 9) * elements * Store::F32.bytes()
    }
}

/// Whether the better tile is clearly faster than direct convolution.
pub fn pays(caps: &Caps, conv: &Geometry) -> bool {
    let [depth, channels] = [conv.depth, conv.channels].map(u64::from);
    let plain = 9 * u64::from(conv.rows.next_multiple_of(ROWS)) * depth * channels;
    OutputTile::Two.cost(caps, conv).min(OutputTile::Four.cost(caps, conv)) * 5 < plain * 4
}

/// Emits a convolution that [`fits`].
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, tile: OutputTile) -> Result<(), Unsupported> {
    let (depth, channels) = (conv.depth, conv.channels);
    let rows = tile.count(conv).1;
    let [v, m] = [depth, channels].map(|channels| cx.scratch(tile.bytes(conv, channels)));
    let x = cx.x(0)?;
    input(cx, conv, tile, [x, v])?;
    let filter =
        move |g: &[f32], put: &mut dyn FnMut([usize; 2], &[f32])| tile.filter(g, depth as usize, put);
    quads::batch(cx, [v, m], [tile.side().pow(2), rows, depth, channels], &tile.to_string(), filter)?;
    output(cx, conv, tile, m)
}

/// Emits the input transform.
fn input(
    cx: &mut Lower<'_>,
    conv: &Geometry,
    tile: OutputTile,
    [x, y]: [BufferId; 2],
) -> Result<(), Unsupported> {
    use table::winograd_input::{Bind, Push, Spec, dispatch, kernel};
    let (tiles, rows) = tile.count(conv);
    let quads = conv.depth / 4;
    let items = u64::from(rows) * u64::from(quads);
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let (x_size, origin) = (conv.x_size, conv.origin);
    let push = Push { items: items as u32, row_items, quads, rows, tiles, x_size, origin };
    let kernel = kernel(match tile {
        OutputTile::Two => winograd_input::Tile::N2,
        OutputTile::Four => winograd_input::Tile::N4,
    });
    let spec = Spec { wg_x, ..Spec::default() };
    cx.dispatch(dispatch(kernel, spec, push, Bind { x, y }, grid), OPS * tile.bytes(conv, conv.depth))
}

/// Emits the output transform, through the epilogue.
fn output(cx: &mut Lower<'_>, conv: &Geometry, tile: OutputTile, x: BufferId) -> Result<(), Unsupported> {
    use table::winograd_output::{Bind, Push, Spec, dispatch, kernel};
    let (tiles, rows) = tile.count(conv);
    let items = u64::from(rows) * u64::from(conv.channels / 4);
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let epilogue = cx.epilogue(&[], x)?;
    let push = Push {
        items: items as u32,
        row_items,
        rows,
        rows_per_batch: epilogue.rows_per_batch,
        channels: conv.channels,
        tiles,
        y_size: conv.y_size,
    };
    let spec = Spec { wg_x, epi_op: epilogue.op, epi_a: epilogue.a, epi_b: epilogue.b, ..Spec::default() };
    let kernel = kernel(match tile {
        OutputTile::Two => winograd_output::Tile::N2,
        OutputTile::Four => winograd_output::Tile::N4,
    });
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, y: cx.y(0), e0, e1, e2 };
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), OPS * tile.bytes(conv, conv.channels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::{DeviceKind, Machine};

    fn conv(side: u32, channels: u32) -> Geometry {
        let (rows, y_size) = (side * side, [side; 2]);
        Geometry { rows, y_size, depth: channels, channels, ..Geometry::default() }
    }

    #[test]
    fn pays_with_many_channels() {
        let machine = Machine::new(DeviceKind::Software, 0, None, 0);
        let caps = Caps { machine, ..Caps::minimum() };
        let best = |side, channels| {
            let conv = conv(side, channels);
            pays(&caps, &conv).then(|| {
                if OutputTile::Four.cost(&caps, &conv) < OutputTile::Two.cost(&caps, &conv) { 4 } else { 2 }
            })
        };
        assert_eq!([(56, 64), (28, 128), (14, 256)].map(|(side, c)| best(side, c)), [Some(4); 3]);
        // Four tiles of 4×4 would leave three of four rows of the products empty.
        assert_eq!(best(7, 512), Some(2));
        assert_eq!([(112, 8), (14, 16), (3, 64)].map(|(side, c)| best(side, c)), [None; 3]);
    }

    #[test]
    fn corners_of_a_filter_are_its_own() {
        for tile in [OutputTile::Two, OutputTile::Four] {
            let g: Vec<f32> = (0..2 * 9 * 4).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let mut corners = Vec::new();
            tile.filter(&g, 4, &mut |[channel, k], elements| {
                assert_eq!(elements.len(), tile.side().pow(2) as usize);
                corners.push((channel, k, elements[0]));
            });
            let first = tile.basis()[0][0].powi(2);
            let expected = (0..8).map(|i| (i / 4, i % 4, first * g[i / 4 * 36 + i % 4]));
            assert_eq!(corners, expected.collect::<Vec<_>>());
        }
    }
}
