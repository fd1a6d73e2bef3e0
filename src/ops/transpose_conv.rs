//! TRANSPOSE_CONV and MediaPipe's Convolution2DTransposeBias: every element of `x` is spread over a
//! window of `y`, `y[n, i·stride + ky − pad, …, o] += x[n,i,j,c] · w[o,ky,kx,c]`.
//!
//! TFLite gives the size of the result as operand 0 and pads as the convolution would whose gradient
//! this is; the custom operator computes the size from `x`. Taken for float32 with constant weights
//! (fp16 ones too, int8 ones for the builtin one) and, for the builtin one, a constant size.

use super::conv_2d::quads;
use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{Activation, DType, HostTensor, Magnitude, Padding, Scalar, Shape, Term};
use crate::kernel::table::transpose_conv::{Bind, Push, Spec, Tm, Tn, dispatch, kernel};
use crate::lower::{Lower, Tiling};
use crate::op::{Def, Fusion, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "TRANSPOSE_CONV",
        builtin: Some(sys::kTfLiteBuiltinTransposeConv),
        typed_by: 2,
        takes: &[(DType::F32, 5)],
        parse: parse_builtin,
    },
    Def {
        name: "Convolution2DTransposeBias",
        builtin: None,
        typed_by: 0,
        takes: &[(DType::F32, 1)],
        parse: parse_custom,
    },
];

/// A transposed convolution of NHWC with OHWI weights; pairs are height and width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransposeConv {
    /// Distance in the result between neighbours of `x`.
    pub stride: [u32; 2],
    /// How the result's size and the padding follow from each other.
    pub padding: Padding,
    /// The shape of the result.
    pub output: OutputShape,
}

/// Where the shape of the result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputShape {
    /// The custom operator computes it.
    Computed,
    /// The builtin operator has it in operand 0.
    Given(Shape),
    /// In operand 0, which is not known yet.
    Open,
}

impl OutputShape {
    fn given(dims: &[i64]) -> Result<Self, Unsupported> {
        let sizes: Result<Vec<u32>, _> = dims.iter().map(|n| u32::try_from(*n)).collect();
        match sizes.ok().filter(|sizes| sizes.len() == 4) {
            Some(sizes) => Ok(Self::Given(Shape::new(&sizes))),
            None => unsupported!("an output shape {dims:?}"),
        }
    }
}

fn parse_builtin(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let (conv, activation) = attributes(node)?;
    let (w, x) = (node.weights_or_int8(1, 4, &[0])?, node.float_rank(2, 4)?);
    conv.check(&w.shape, &x.shape)?;
    let bias = node.bias(3, w.shape[0])?;
    Ok(Parsed::new(conv).dequantizing(1, &w).steps(bias).activation(activation))
}

/// The attributes of a builtin node.
pub(super) fn attributes(node: &NodeView<'_>) -> Result<(TransposeConv, Activation), Unsupported> {
    node.expect(3..=4, 1)?;
    let p = node.required_params::<sys::TfLiteTransposeConvParams>()?;
    let output = node.ints_or_open(0)?.map_or(Ok(OutputShape::Open), |dims| OutputShape::given(&dims))?;
    let conv = TransposeConv {
        stride: stride(p.stride_height, p.stride_width)?,
        padding: Padding::from_code(p.padding)?,
        output,
    };
    // Older models have no activation, and older hosts a 0 there.
    Ok((conv, Activation::from_code(p.activation)?))
}

/// The options are those of TRANSPOSE_CONV as C has them: padding, stride width, stride height.
fn parse_custom(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    let options = node.custom_options();
    let field = |i: usize| {
        let bytes = options.get(4 * i..4 * i + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
        bytes.map(i32::from_le_bytes)
    };
    let (Some(padding), Some(width), Some(height)) = (field(0), field(1), field(2)) else {
        unsupported!("{} bytes of custom options (12 are needed)", options.len());
    };
    let conv = TransposeConv {
        stride: stride(height, width)?,
        padding: Padding::from_code(padding as u32)?,
        output: OutputShape::Computed,
    };
    let (x, w) = (node.float_rank(0, 4)?, node.weights(1, 4)?);
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    Ok(Parsed::new(conv).steps(node.bias(2, w.shape[0])?))
}

fn stride(height: i32, width: i32) -> Result<[u32; 2], Unsupported> {
    match (u32::try_from(height), u32::try_from(width)) {
        (Ok(h), Ok(w)) if h > 0 && w > 0 => Ok([h, w]),
        _ => unsupported!("stride [{height}, {width}]"),
    }
}

/// Result shape and the number of taps before its first pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutputGeometry {
    pub y: Shape,
    pub padding: [u32; 2],
}

impl TransposeConv {
    /// Number of the operand with the activations.
    fn x(&self) -> usize {
        if self.output == OutputShape::Computed { 0 } else { 2 }
    }

    /// Refuses a builtin node whose result has no shape, as far as it is known.
    pub(super) fn check(&self, w: &Shape, x: &Shape) -> Result<(), Unsupported> {
        if self.output != OutputShape::Open {
            self.infer(&[None, Some(*w), Some(*x)])?;
        }
        Ok(())
    }

    /// The operator with the output shape that operand 0 holds, if that was open and is known now.
    pub(super) fn settled(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Self>, Unsupported> {
        match (self.output, numbers(0)) {
            (OutputShape::Open, Some(dims)) => {
                Ok(Some(Self { output: OutputShape::given(&dims)?, ..self.clone() }))
            }
            _ => Ok(None),
        }
    }

    /// The result of type `dtype` whose elements `sum` makes of their channel and the pairs of elements of `x` and `w`
    /// that belong to them.
    pub(super) fn sums(
        &self,
        x: &HostTensor,
        w: &HostTensor,
        dtype: DType,
        sum: impl Fn(usize, &mut dyn Iterator<Item = [Scalar; 2]>) -> Scalar,
    ) -> Result<HostTensor, Unsupported> {
        let OutputGeometry { y, padding } = self.place(&x.shape, &w.shape)?;
        let depth = x.shape.channels() as usize;
        // The place in `x` that a tap spreads over place `at`.
        let origin = |d: usize, at: usize, tap: usize| {
            let from = (at + padding[d] as usize).checked_sub(tap)?;
            let stride = self.stride[d] as usize;
            (from.is_multiple_of(stride) && from / stride < x.shape[d + 1] as usize).then_some(from / stride)
        };
        HostTensor::moved(dtype, y, |i| {
            let rows = (0..w.shape[1] as usize).filter_map(|ky| Some((ky, origin(0, i[1], ky)?)));
            let places = rows.flat_map(|(ky, row)| {
                let columns = (0..w.shape[2] as usize).filter_map(|kx| Some((kx, origin(1, i[2], kx)?)));
                columns.map(move |(kx, column)| ([i[0], row, column], [i[3], ky, kx]))
            });
            let mut terms = places.flat_map(|([n, row, column], [o, ky, kx])| {
                (0..depth).map(move |c| [x.scalar(&[n, row, column, c]), w.scalar(&[o, ky, kx, c])])
            });
            sum(i[3], &mut terms).bits
        })
    }

    /// The result's shape and the padding.
    pub(super) fn place(&self, x: &Shape, w: &Shape) -> Result<OutputGeometry, Unsupported> {
        let [n, rows, columns, depth] = x[..] else { unsupported!("{x} is not NHWC") };
        if w.channels() != depth {
            unsupported!("weights {w} for {depth} channels");
        }
        let taps = [w[1], w[2]];
        let y = match self.output {
            OutputShape::Given(y) => Some(y),
            OutputShape::Open => unsupported!("the output shape, operand 0, is computed elsewhere"),
            OutputShape::Computed => None,
        };
        let Some(y) = y else {
            let [h, v] = [0, 1].map(|d| {
                let (stride, last) = (self.stride[d], [rows, columns][d].saturating_sub(1));
                let total = match self.padding {
                    Padding::Same => taps[d].saturating_sub(last % stride + 1),
                    Padding::Valid => 0,
                };
                let size = u64::from(stride) * u64::from(last) + u64::from(taps[d] - total);
                (u32::try_from(size).ok(), total / 2)
            });
            let ((Some(height), top), (Some(width), left)) = (h, v) else {
                unsupported!("{x} by a stride of {:?} is too large", self.stride)
            };
            return Ok(OutputGeometry { y: Shape::from([n, height, width, w[0]]), padding: [top, left] });
        };
        if y.len() != 4 || y[0] != n || y[3] != w[0] {
            unsupported!("an output shape {y} for {x} and weights {w}");
        }
        // Of the convolution that this one transposes.
        let windows = |d: usize| match self.padding {
            Padding::Same => y[d + 1].div_ceil(self.stride[d]),
            Padding::Valid => y[d + 1].saturating_add(1).saturating_sub(taps[d]).div_ceil(self.stride[d]),
        };
        if [windows(0), windows(1)] != [rows, columns] {
            unsupported!("an output shape {y} for {x} by a stride of {:?}", self.stride);
        }
        let padding = match self.padding {
            // That of the convolution from the result's size to the operand's.
            Padding::Same => [0, 1].map(|d| {
                let size = y[d + 1];
                let last = size.div_ceil(self.stride[d]).saturating_sub(1) * self.stride[d];
                last.saturating_add(taps[d]).saturating_sub(size) / 2
            }),
            Padding::Valid => [0, 0],
        };
        Ok(OutputGeometry { y, padding })
    }
}

impl Operator for TransposeConv {
    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        Ok(self.settled(numbers)?.map(|op| Arc::new(op) as Arc<dyn Operator>))
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, w) = (operand(inputs, self.x())?, operand(inputs, 1)?);
        Ok(vec![self.place(&x, &w)?.y])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, w_shape) = (cx.input(self.x()).shape, cx.input(1).shape);
        let OutputGeometry { y: y_shape, padding } = self.place(&x_shape, &w_shape)?;
        let (channels, depth) = (y_shape.channels(), w_shape.channels());
        let stride = self.stride;
        let tiled = [w_shape[1], w_shape[2]] == stride
            && padding == [0, 0]
            && (0..2).all(|d| y_shape[d + 1] == x_shape[d + 1] * stride[d]);
        if tiled && quads::fits(cx.caps) {
            return quads::emit_transposed(cx, self.x(), stride);
        }
        // An invocation sums the taps of one phase.
        let [rows, columns] = [0, 1].map(|d| u64::from(w_shape[d + 1].div_ceil(stride[d])));
        let vectors = if depth % 4 == 0 { depth / 4 } else { depth };
        cx.expect_rounds(rows * (columns * (u64::from(vectors) + 1) + 1))?;
        let t = Tiling::new(cx.caps, 1, channels, true);
        let products = w_shape[1] * w_shape[2] * depth;
        let w = t.weights(cx, 1, products)?;
        let x = cx.x(self.x())?;
        let epilogue = cx.epilogue(&[], x)?;
        let phase_size = [0, 1].map(|d| y_shape[d + 1].div_ceil(self.stride[d]));
        let lines = y_shape[0] * phase_size[0];
        let strip_rows = if phase_size[1] < t.tm { 1 } else { t.tm };
        let strips = phase_size[1].div_ceil(strip_rows);
        let [columns, tall, deep] = t.grid(cx.caps, lines * strips)?;
        if deep != 1 {
            unsupported!("{lines} lines are too many for one dispatch");
        }
        let push = Push {
            lines,
            strips,
            strip_rows,
            channels,
            rows_per_batch: epilogue.rows_per_batch,
            depth,
            quads: t.quads,
            blocks: t.blocks,
            columns: t.columns,
            phase_size,
            x_size: [x_shape[1], x_shape[2]],
            y_size: [y_shape[1], y_shape[2]],
            taps: [w_shape[1], w_shape[2]],
            stride: self.stride,
            padding,
        };
        let spec = Spec {
            wg_x: t.invocations,
            vec_x: depth % 4 == 0,
            vec_y: channels % 4 == 0,
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Spec::default()
        };
        let tm = if t.tm == 8 { Tm::N8 } else { Tm::N4 };
        let tn = if t.tn == 1 { Tn::N1 } else { Tn::N2 };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
        let grid = [columns, tall, self.stride[0] * self.stride[1]];
        let ops = 2 * x_shape.elements() * u64::from(w_shape[1] * w_shape[2] * channels);
        cx.dispatch(dispatch(kernel(cx.store, tm, tn), spec, push, bind, grid), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, self.x())?, operand(inputs, 1)?);
        let float = |x: Scalar| x.to_f32().unwrap_or(0.0);
        let product = |[x, w]: [Scalar; 2]| float(x) * float(w);
        Ok(vec![self.sums(x, w, DType::F32, |_, terms| Scalar::f32(terms.map(product).sum()))?])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        Magnitude::of_weighted(operands)
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_shape_must_be_one_that_gives_the_operand_back() {
        let place = |padding, y: [u32; 4], stride| {
            let op = TransposeConv { stride, padding, output: OutputShape::Given(Shape::from(y)) };
            op.place(&Shape::from([2, 7, 5, 6]), &Shape::from([5, 3, 3, 6])).is_ok()
        };
        assert!(place(Padding::Valid, [2, 15, 11, 5], [2, 2]));
        assert!(place(Padding::Valid, [2, 16, 12, 5], [2, 2]));
        assert!(!place(Padding::Valid, [2, 15, 11, 5], [2, 8]));
        assert!(!place(Padding::Valid, [2, 17, 11, 5], [2, 2]));
        assert!(place(Padding::Same, [2, 13, 10, 5], [2, 2]));
        assert!(!place(Padding::Same, [2, 15, 10, 5], [2, 2]));
        assert!(!place(Padding::Valid, [2, u32::MAX, 11, 5], [2, 2]));
    }

    #[test]
    fn a_result_that_no_shape_holds_is_refused() {
        let op =
            TransposeConv { stride: [1 << 30; 2], padding: Padding::Valid, output: OutputShape::Computed };
        assert!(op.place(&Shape::from([1, 9, 9, 1]), &Shape::from([1, 3, 3, 1])).is_err());
    }
}
