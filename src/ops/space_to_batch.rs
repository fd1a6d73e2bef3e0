//! SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: every `block`-th row and column becomes an image of its own, and
//! back.
//!
//! `y[(i × blockʷ + j) × N + n, h, w, c] = x[n, h × blockʰ + i, w × blockʷ + j, c]`, where `x` has zeros around
//! it; on the way back a border is cut off instead. TFLite takes rank 4, and rank 3 without columns.
//! Taken for every element type with constant block, paddings and crops.

use super::pad::{Border, pad, zero};
use crate::error::Unsupported;
use crate::ir::{HostTensor, Scalar, Shape};
use crate::kernel::table;
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "SPACE_TO_BATCH_ND",
        builtin: Some(sys::kTfLiteBuiltinSpaceToBatchNd),
        typed_by: 0,
        takes: &every(4),
        parse: |n| parse(n, true),
    },
    Def {
        name: "BATCH_TO_SPACE_ND",
        builtin: Some(sys::kTfLiteBuiltinBatchToSpaceNd),
        typed_by: 0,
        takes: &every(4),
        parse: |n| parse(n, false),
    },
];

/// Rows and columns to images, or the other way; one entry per spatial dimension, of which there are one or
/// two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceToBatch {
    /// Distance between the rows and columns of an image.
    pub block: Vec<u32>,
    /// Zeros around the operand, or what is cut off the result.
    pub border: Vec<[u32; 2]>,
    /// What lies around the operand.
    pub zero: Scalar,
    /// To images; else back.
    pub to_batch: bool,
}

fn parse(node: &NodeView<'_>, to_batch: bool) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    let x = node.input_type(0)?;
    let natural = |i: usize| -> Result<Vec<u32>, Unsupported> {
        let numbers = node.ints(i)?;
        let numbers: Result<Vec<u32>, _> = numbers.into_iter().map(u32::try_from).collect();
        numbers.map_err(|_| Unsupported(format!("input {i} has negative numbers")))
    };
    let (block, border) = (natural(1)?, natural(2)?);
    if border.len() != 2 * block.len() {
        unsupported!("{} numbers around {} dimensions", border.len(), block.len());
    }
    let border = border.chunks(2).map(|pair| [pair[0], pair[1]]).collect();
    let op = SpaceToBatch { block, border, zero: zero(node)?, to_batch };
    op.geometry(&x.shape)?;
    Ok(Parsed::new(op))
}

/// Shapes as `[images, height, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BlockGeometry {
    /// The many small images.
    batch: [u32; 4],
    /// The few large ones, border included.
    space: [u32; 4],
    /// Rows and columns of a block.
    block: [u32; 2],
    /// What lies in front of the large images' content.
    before: [u32; 4],
    /// The large images without border.
    inner: [u32; 4],
}

impl SpaceToBatch {
    fn geometry(&self, x: &Shape) -> Result<BlockGeometry, Unsupported> {
        let one = x.len() == 3;
        if !(3..=4).contains(&x.len()) || self.block.len() != x.len() - 2 || self.block.contains(&0) {
            unsupported!("{x} in blocks of {:?}", self.block);
        }
        let block = [self.block[0], if one { 1 } else { self.block[1] }];
        let border = [self.border[0], if one { [0, 0] } else { self.border[1] }];
        let x = if one { [x[0], x[1], 1, x[2]] } else { [x[0], x[1], x[2], x[3]] };
        let before = [0, border[0][0], border[1][0], 0];
        let around = border.map(|[before, after]| before.saturating_add(after));
        let images = Shape::slice(&block);
        if self.to_batch {
            let space = [x[0], x[1].saturating_add(around[0]), x[2].saturating_add(around[1]), x[3]];
            if space[1] % block[0] != 0 || space[2] % block[1] != 0 {
                unsupported!("{} rows and {} columns in blocks of {block:?}", space[1], space[2]);
            }
            let batch = [Shape::slice(&[x[0], images]), space[1] / block[0], space[2] / block[1], x[3]];
            return Ok(BlockGeometry { batch, space, block, before, inner: x });
        }
        let space = [x[0] / images, Shape::slice(&[x[1], block[0]]), Shape::slice(&[x[2], block[1]]), x[3]];
        if x[0] % images != 0 || space[1] < around[0] || space[2] < around[1] {
            unsupported!("{x:?} in blocks of {block:?} without {border:?}");
        }
        let inner = [space[0], space[1] - around[0], space[2] - around[1], space[3]];
        Ok(BlockGeometry { batch: x, space, block, before, inner })
    }

    fn shape(&self, x: &Shape) -> Result<Shape, Unsupported> {
        let geometry = self.geometry(x)?;
        let [n, h, w, c] = if self.to_batch { geometry.batch } else { geometry.inner };
        Ok(if x.len() == 3 { Shape::from([n, h, c]) } else { Shape::from([n, h, w, c]) })
    }
}

impl BlockGeometry {
    /// The large images in the order of the small ones: block row, block column, image, …
    fn space_view(&self) -> View {
        let ([n, _, _, c], [_, h, w, _], [bh, bw]) = (self.space, self.batch, self.block);
        View::dense(&[n, h, bh, w, bw, c]).permute(&[2, 4, 0, 1, 3, 5])
    }

    fn batch_view(&self) -> View {
        self.space_view().packed()
    }

    /// The part of the large images that is not border.
    fn inner_view(&self) -> View {
        let slice = |view: View, d: usize| view.slice(d, self.before[d].into(), 1, self.inner[d]);
        (1..3).fold(View::dense(&self.space), slice)
    }
}

impl Operator for SpaceToBatch {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(&x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let geometry = self.geometry(&cx.input(0).shape)?;
        let (x, y) = (cx.x(0)?, cx.y(0));
        let bare = geometry.inner == geometry.space;
        let (inner, space) = (Shape::from(geometry.inner), Shape::from(geometry.space));
        let bordered = if bare { x } else { cx.scratch(space.elements() * cx.element().bytes()) };
        match (self.to_batch, bare) {
            (true, _) => {
                if !bare {
                    let bind = table::pad::Bind { x, y: bordered };
                    pad(cx, bind, Border::Constant(self.zero), &inner, &space, &geometry.before)?;
                }
                cx.copy(bordered, &geometry.space_view(), y, &geometry.batch_view())
            }
            (false, true) => cx.copy(x, &geometry.batch_view(), y, &geometry.space_view()),
            (false, false) => {
                cx.copy(x, &geometry.batch_view(), bordered, &geometry.space_view())?;
                cx.copy(bordered, &geometry.inner_view(), y, &View::dense(&inner))
            }
        }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let BlockGeometry { batch, block: [bh, bw], before, inner, .. } = self.geometry(&x.shape)?;
        let [bh, bw] = [bh as usize, bw as usize];
        let [top, left] = [before[1] as usize, before[2] as usize];
        let y = if self.to_batch {
            let x = x.clone().reshaped(Shape::from(inner));
            HostTensor::moved(x.dtype(), Shape::from(batch), |i| {
                let (image, phase) = (i[0] % inner[0] as usize, i[0] / inner[0] as usize);
                let row = (i[1] * bh + phase / bw).checked_sub(top).filter(|h| *h < inner[1] as usize);
                let column = (i[2] * bw + phase % bw).checked_sub(left).filter(|w| *w < inner[2] as usize);
                row.zip(column).map_or(self.zero.bits, |(h, w)| x.bits(&[image, h, w, i[3]]))
            })?
        } else {
            let x = x.clone().reshaped(Shape::from(batch));
            HostTensor::moved(x.dtype(), Shape::from(inner), |i| {
                let (h, w) = (i[1] + top, i[2] + left);
                let phase = h % bh * bw + w % bw;
                x.bits(&[phase * inner[0] as usize + i[0], h / bh, w / bw, i[3]])
            })?
        };
        Ok(vec![y.reshaped(self.shape(&x.shape)?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let x = HostTensor::from_fn(Shape::from([2, 3, 4, 1]), |i| (100 * i[0] + 10 * i[1] + i[2]) as f32)
            .unwrap();
        let op = |to_batch| SpaceToBatch {
            block: vec![2, 2],
            border: vec![[1, 0], [0, 2]],
            zero: Scalar::f32(0.0),
            to_batch,
        };
        let y = op(true).reference(&[Some(&x)]).unwrap().remove(0);
        assert_eq!(y.shape, Shape::from([8, 2, 3, 1]));
        // Picture 0, rows -1 and 1, columns 0, 2, 4.
        assert_eq!(y.floats()[..6], [0.0, 0.0, 0.0, 10.0, 12.0, 0.0]);
        assert_eq!(op(false).reference(&[Some(&y)]).unwrap()[0], x);
    }
}
