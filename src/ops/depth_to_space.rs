//! DEPTH_TO_SPACE and SPACE_TO_DEPTH: blocks of pixels from channels, and back.
//!
//! `y[n, h × b + i, w × b + j, c] = x[n, h, w, (i × b + j) × C + c]`. Taken for floats and
//! for integers of 8 bits, 32 and more.

use crate::error::Unsupported;
use crate::ir::DType::{F32, I8, I32, I64, U8};
use crate::ir::{HostTensor, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "DEPTH_TO_SPACE",
        builtin: Some(sys::kTfLiteBuiltinDepthToSpace),
        typed_by: 0,
        takes: &of([F32, I64, I32, I8, U8], 2),
        parse: |n| parse(n, n.required_params::<sys::TfLiteDepthToSpaceParams>()?.block_size, true),
    },
    Def {
        name: "SPACE_TO_DEPTH",
        builtin: Some(sys::kTfLiteBuiltinSpaceToDepth),
        typed_by: 0,
        takes: &of([F32, I64, I32, I8, U8], 2),
        parse: |n| parse(n, n.required_params::<sys::TfLiteSpaceToDepthParams>()?.block_size, false),
    },
];

/// Channels become pixels, or the other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthToSpace {
    /// Rows and columns of a block.
    pub block: u32,
    /// From channels to pixels; else the other way.
    pub to_space: bool,
}

fn parse(node: &NodeView<'_>, block: i32, to_space: bool) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.input_type(0)?;
    let Some(block) = u32::try_from(block).ok().filter(|b| *b > 0) else {
        unsupported!("block size {block}")
    };
    let op = DepthToSpace { block, to_space };
    op.shape(x.shape)?;
    Ok(Parsed::new(op))
}

impl DepthToSpace {
    fn shape(&self, x: Shape) -> Result<Shape, Unsupported> {
        let b = self.block;
        let pixels = Shape::slice(&[b, b]);
        match x[..] {
            [n, h, w, c] if self.to_space && c % pixels == 0 => {
                Ok(Shape::from([n, Shape::slice(&[h, b]), Shape::slice(&[w, b]), c / pixels]))
            }
            [n, h, w, c] if !self.to_space && h % b == 0 && w % b == 0 => {
                Ok(Shape::from([n, h / b, w / b, Shape::slice(&[c, b, b])]))
            }
            _ => unsupported!("{x} does not divide into blocks of {b}"),
        }
    }
}

impl Operator for DepthToSpace {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let b = self.block;
        let (x, y) = (cx.input(0).shape, cx.output(0).shape);
        // Both ways, rows and block rows change places with columns: (…, w, i, …) with (…, i, w, …).
        let from = if self.to_space {
            View::dense(&[x[0], x[1], x[2], b, b, y[3]]).permute(&[0, 1, 3, 2, 4, 5])
        } else {
            View::dense(&[x[0], y[1], b, y[2], b, x[3]]).permute(&[0, 1, 3, 2, 4, 5])
        };
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let b = self.block as usize;
        let y = self.shape(x.shape)?;
        let (x_depth, y_depth) = (x.shape[3] as usize, y[3] as usize);
        let y = HostTensor::moved(x.dtype(), y, |i| {
            let [n, h, w, c] = i[..] else { unreachable!("rank 4") };
            if self.to_space {
                x.bits(&[n, h / b, w / b, (h % b * b + w % b) * y_depth + c])
            } else {
                let pixel = c / x_depth;
                x.bits(&[n, h * b + pixel / b, w * b + pixel % b, c % x_depth])
            }
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let x = HostTensor::from_fn(Shape::from([1, 2, 1, 8]), |i| (i[1] * 8 + i[3]) as f32).unwrap();
        let y = DepthToSpace { block: 2, to_space: true }.reference(&[Some(&x)]).unwrap().remove(0);
        assert_eq!(y.shape, Shape::from([1, 4, 2, 2]));
        assert_eq!(y.floats(), (0..16).map(|i| i as f32).collect::<Vec<_>>());
        let wide = x.reshaped(Shape::from([1, 1, 2, 8]));
        let y = DepthToSpace { block: 2, to_space: true }.reference(&[Some(&wide)]).unwrap().remove(0);
        assert_eq!(y.floats(), [0., 1., 2., 3., 8., 9., 10., 11., 4., 5., 6., 7., 12., 13., 14., 15.]);
        assert_eq!(DepthToSpace { block: 2, to_space: false }.reference(&[Some(&y)]).unwrap()[0], wide);
    }
}
