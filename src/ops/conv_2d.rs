//! CONV_2D: `y[n,i,j,o] = Σ x[n, i·stride + ky·dilation − pad, …, c] · w[o,ky,kx,c]`.
//!
//! TFLite pads as SAME or VALID, and splits channels into groups when the filter has fewer input
//! channels than `x`. All of it is taken for float32 with constant weights (fp16 and int8 ones too). Zeros
//! of a PAD in front are read without being stored.

pub mod cooperative;
mod geometry;
pub mod implicit_gemm;
pub mod quads;
mod software;
mod winograd;

pub use geometry::Geometry;

use std::sync::Arc;

use super::fully_connected;
use super::windows;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, Extent, HostTensor, Magnitude, Shape, SpatialPadding, Term, Window, dot};
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, WeightLayout, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "CONV_2D",
    builtin: Some(sys::kTfLiteBuiltinConv2d),
    typed_by: 0,
    takes: &[(DType::F32, 8)],
    parse,
}];

/// A convolution of NHWC with OHWI weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// How the filter moves.
    pub window: Window,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.float_rank(0, 4)?, node.weights_or_int8(1, 4, &[0])?);
    let (window, activation) = windows::conv_2d(node, &w.shape)?;
    let conv = Conv2d { window };
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    window.must_fit(&x.shape)?;
    let bias = node.bias(2, w.shape[0])?;
    Ok(Parsed::new(conv).dequantizing(1, &w).steps(bias).activation(activation))
}

impl Conv2d {
    /// Number of groups.
    pub fn groups(x: &Shape, w: &Shape) -> Result<u32, Unsupported> {
        let (inputs, outputs, depth) = (x.channels(), w[0], w.channels());
        if depth == 0 || inputs % depth != 0 || inputs == 0 || outputs % (inputs / depth) != 0 {
            unsupported!("weights {w} for {inputs} channels");
        }
        Ok(inputs / depth)
    }

    /// Whether a filter of one pixel visits every pixel, with no zeros around.
    pub fn pointwise(&self) -> bool {
        let Window { size, stride, zeros, .. } = self.window;
        size == [1, 1] && stride == [1, 1] && zeros == SpatialPadding::default()
    }

    /// Whether every result depends on one pixel only, its own.
    fn is_pointwise(&self, [h, w]: [Extent; 2]) -> bool {
        self.window.size == [1, 1] && self.window.stride == [1, 1] && !h.border && !w.border
    }
}

impl Operator for Conv2d {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let [rows, columns] = self.window.extents(&x)?;
        Self::groups(&x, &w)?;
        Ok(vec![Shape::from([x[0], rows.size, columns.size, w[0]])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, w, y) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        let [h, v] = self.window.extents(&x)?;
        let (groups, depth) = (Self::groups(&x, &w)?, w.channels());
        let pointwise = self.is_pointwise([h, v]);
        // One window that is all of the operand.
        let whole = self.window.size == [x[1], x[2]] && y.rows() == x[0] && !h.border && !v.border;
        let matrices = cooperative::fits(cx.caps, cx.store);
        if (pointwise || whole && !matrices) && groups == 1 {
            // The weights are a matrix of channels × depth then.
            let depth = self.window.taps() * depth;
            return fully_connected::product(cx, y.rows(), depth, y.channels(), whole);
        }
        let conv = Geometry {
            rows: y.rows(),
            channels: y.channels(),
            depth,
            x_channels: x.channels(),
            group_channels: y.channels() / groups,
            products: self.window.taps() * depth,
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps: self.window.size,
            stride: self.window.stride,
            dilation: self.window.dilation,
            origin: [h.origin, v.origin],
            pointwise,
            border: h.border || v.border,
        };
        implicit_gemm::emit(cx, &conv.along_lines(v))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let extents = self.window.extents(&x.shape)?;
        let groups = Self::groups(&x.shape, &w.shape)? as usize;
        let [x_channels, depth, channels] = [x.shape[3], w.shape[3], w.shape[0]].map(|n| n as usize);
        let filter = self.window.taps() as usize * depth;
        let shape = Shape::from([x.shape[0], extents[0].size, extents[1].size, w.shape[0]]);
        let mut y = filled(shape.elements(), 0.0, &shape)?;
        let (x_floats, w_floats) = (x.floats(), w.floats());
        self.window.visit(&x.shape, extents, |pixel, tap, from| {
            let x = &x_floats[from * x_channels..][..x_channels];
            for (channel, y) in y[pixel * channels..][..channels].iter_mut().enumerate() {
                let group = channel / (channels / groups);
                *y += dot(&x[group * depth..][..depth], &w_floats[channel * filter + tap * depth..][..depth]);
            }
        });
        Ok(vec![HostTensor::f32(shape, y)])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        Magnitude::of_weighted(operands)
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }

    fn weights(&self, inputs: &[Option<Shape>]) -> Option<WeightLayout> {
        let (x, w) = (operand(inputs, 0).ok()?, operand(inputs, 1).ok()?);
        let [h, v] = self.window.extents(&x).ok()?;
        let inside = !h.border && !v.border && Self::groups(&x, &w) == Ok(1);
        Some(WeightLayout::PerResult { inside })
    }

    fn absorb_padding(&self, padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        Some(Arc::new(Self { window: self.window.absorb(padding) }))
    }
}
