//! Convolutions on drivers that run on the CPU: the choice of algorithm.

use std::fmt;

use super::Geometry;
use super::quads::{self, Blocks};
use super::winograd::{self, OutputTile};
use crate::error::Unsupported;
use crate::lower::Lower;
use crate::program::TacticKey;

/// How to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// Direct convolution.
    Direct(Blocks),
    /// Winograd's algorithm.
    Winograd(OutputTile),
}

impl Algorithm {
    /// The algorithms that may suit the device, the usual one first.
    fn candidates(cx: &Lower<'_>, conv: &Geometry) -> Vec<Self> {
        let direct: Vec<_> = quads::candidates(cx, conv).into_iter().map(Self::Direct).collect();
        if conv.groups() > 1 || !winograd::fits(cx, conv) {
            return direct;
        }
        let mut tiles = vec![OutputTile::Four, OutputTile::Two];
        tiles.retain(|tile| cx.affords(tile.extra_weights(conv)));
        tiles.sort_by_key(|tile| tile.cost(cx.caps, conv));
        let tiles: Vec<Self> = tiles.into_iter().map(Self::Winograd).collect();
        if winograd::pays(cx.caps, conv) { [tiles, direct].concat() } else { [direct, tiles].concat() }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(blocks) => blocks.fmt(f),
            Self::Winograd(tile) => tile.fmt(f),
        }
    }
}

/// Emits the convolution of operand 0 with operand 1 through the epilogue.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry) -> Result<(), Unsupported> {
    let mut key = TacticKey::new("conv_2d_quads", cx.store)
        .with("window", conv.taps)
        .with("stride", conv.stride)
        .with("depth", [conv.depth])
        .with("channels", [conv.channels])
        .with("groups", [conv.groups()]);
    let algorithms = Algorithm::candidates(cx, conv);
    if algorithms.iter().any(|algorithm| matches!(algorithm, Algorithm::Winograd(_))) {
        key = key.rows(conv.rows);
    }
    match cx.choose(key, &algorithms) {
        Algorithm::Direct(blocks) => quads::emit(cx, conv, &blocks),
        Algorithm::Winograd(tile) => {
            cx.spend(tile.extra_weights(conv));
            winograd::emit(cx, conv, tile)
        }
    }
}
