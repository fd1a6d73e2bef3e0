//! CONV_2D: `y[n,i,j,o] = Σ x[n, i·stride + ky·dilation − pad, …, c] · w[o,ky,kx,c]`.
//!
//! TFLite pads as SAME or VALID, and splits channels into groups when the filter has fewer input
//! channels than `x`. All of it is taken for float32 with constant weights (fp16 ones too). Zeros
//! of a PAD in front are read without being stored.

pub mod cooperative;
pub mod quads;
pub mod winograd;

use std::sync::Arc;

use super::fully_connected;
use super::separable_conv_2d::SeparableConv2d;
use crate::caps::{Caps, DeviceKind};
use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape, TensorType};
use crate::kernel::table::conv_2d::{Bind, Push, Spec, Sum, Tm, Tn, dispatch, kernel};
use crate::op::{
    Activation, Def, Depthwise, Extent, Fuses, Operator, Parsed, SpatialPadding, Tiling, Weights, Window,
    operand,
};
use crate::program::TacticKey;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "CONV_2D", builtin: Some(sys::kTfLiteBuiltinConv2d), max_version: 6, parse }];

/// A convolution of NHWC with OHWI weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// How the filter moves.
    pub window: Window,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.float_rank(0, 4)?, node.weights(1, 4)?);
    let p = node.required_params::<sys::TfLiteConvParams>()?;
    let window = Window::new(
        [w.shape[1], w.shape[2]],
        [p.stride_height, p.stride_width],
        [p.dilation_height_factor, p.dilation_width_factor],
        p.padding,
    )?;
    let conv = Conv2d { window };
    conv.infer(&[Some(&x), Some(&w)])?;
    let bias = node.bias(2, w.shape[0])?;
    Ok(Parsed::new(conv).steps(bias).activation(Activation::from_code(p.activation)?))
}

impl Conv2d {
    /// Number of groups.
    fn groups(x: &Shape, w: &Shape) -> Result<u32, Unsupported> {
        let (inputs, outputs, depth) = (x.channels(), w[0], w.channels());
        if depth == 0 || inputs % depth != 0 || inputs == 0 || outputs % (inputs / depth) != 0 {
            unsupported!("weights {w} for {inputs} channels");
        }
        Ok(inputs / depth)
    }

    /// Whether every result depends on one pixel only, its own.
    fn is_pointwise(&self, [h, w]: [Extent; 2]) -> bool {
        self.window.size == [1, 1] && self.window.stride == [1, 1] && !h.border && !w.border
    }
}

impl Operator for Conv2d {
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let [rows, columns] = self.window.extents(&x.shape)?;
        Self::groups(&x.shape, &w.shape)?;
        Ok(vec![x.with_shape([x.shape[0], rows.size, columns.size, w.shape[0]])])
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
        let group_channels = y.channels() / groups;
        // A picture of one column is as good as one of one line, and lines are what tiles are cut from.
        let column = x[2] == 1 && self.window.size[1] == 1 && !v.border;
        let turned = |pair: [u32; 2]| if column { [pair[1], pair[0]] } else { pair };
        let push = Push {
            rows: y.rows(),
            channels: y.channels(),
            depth,
            x_channels: x.channels(),
            group_channels,
            x_size: turned([x[1], x[2]]),
            y_size: turned([y[1], y[2]]),
            taps: turned(self.window.size),
            stride: turned(self.window.stride),
            dilation: turned(self.window.dilation),
            origin: if column { [v.origin, h.origin] } else { [h.origin, v.origin] },
            ..Push::default()
        };
        let spec = Spec { pointwise, border: h.border || v.border, grouped: groups > 1, ..Spec::default() };
        emit(cx, groups, push, spec, self.window.taps() * depth)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let extents = self.window.extents(&x.shape)?;
        let group_channels = w.shape[0] / Self::groups(&x.shape, &w.shape)?;
        let depth = w.shape[3] as usize;
        let y = Shape::from([x.shape[0], extents[0].size, extents[1].size, w.shape[0]]);
        Ok(vec![HostTensor::from_fn(y, |i| {
            let channel = i[3] / group_channels as usize * depth;
            let mut sum = 0.0;
            for (tap, [row, column]) in self.window.inside(&x.shape, extents, [i[1], i[2]]) {
                let c = |c| x.at(&[i[0], row, column, channel + c]) * w.at(&[i[3], tap[0], tap[1], c]);
                sum += (0..depth).map(c).sum::<f32>();
            }
            sum
        })])
    }

    fn fuses(&self) -> Fuses {
        Fuses::Common
    }

    fn weights(&self, inputs: &[Option<&TensorType>]) -> Option<Weights> {
        let (x, w) = (operand(inputs, 0).ok()?, operand(inputs, 1).ok()?);
        let [h, v] = self.window.extents(&x.shape).ok()?;
        let inside = !h.border && !v.border && Self::groups(&x.shape, &w.shape) == Ok(1);
        Some(Weights::PerResult { inside })
    }

    fn absorb_depthwise(&self, depthwise: Depthwise) -> Option<Arc<dyn Operator>> {
        self.pointwise().then(|| Arc::new(SeparableConv2d { depthwise }) as Arc<dyn Operator>)
    }

    fn pointwise(&self) -> bool {
        let Window { size, stride, zeros, .. } = self.window;
        size == [1, 1] && stride == [1, 1] && zeros == SpatialPadding::default()
    }

    fn absorb_padding(&self, padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        Some(Arc::new(Self { window: self.window.absorb(padding) }))
    }
}

/// Result 0 = operand 0 (rows × depth) times operand 1 (channels × depth), through the epilogue.
pub fn gemm(cx: &mut Lower<'_>, rows: u32, depth: u32, channels: u32) -> Result<(), Unsupported> {
    let push = Push {
        rows,
        channels,
        depth,
        x_channels: depth,
        group_channels: channels,
        taps: [1, 1],
        stride: [1, 1],
        ..Push::default()
    };
    emit(cx, 1, push, Spec { pointwise: true, border: false, ..Spec::default() }, depth)
}

/// From so many products per sum on, workgroups may share a sum.
const DEEP: u32 = 256;
/// The fewest input channels of a part.
const PART: u32 = 32;

/// Workgroups that a dispatch should have before its sums are worth keeping together.
fn busy(caps: &Caps) -> u32 {
    match caps.kind {
        DeviceKind::Discrete => 512,
        _ => 32,
    }
}

/// Chooses the tiling, fills in what follows from it and dispatches; each result sums `products` products.
fn emit(cx: &mut Lower<'_>, groups: u32, push: Push, spec: Spec, products: u32) -> Result<(), Unsupported> {
    if !spec.grouped && cooperative::fits(cx.caps, cx.store) {
        return cooperative::emit(cx, &push, &spec, products, None);
    }
    if quads::fits(cx.caps) {
        return quads::emit(cx, &push, &spec, products);
    }
    let multiple = |n: u32| push.depth.is_multiple_of(n) && push.x_channels.is_multiple_of(n);
    let sum = if cx.sums_16 && multiple(4) { Sum::F16 } else { Sum::F32 };
    let wide = sum == Sum::F16 && multiple(8);
    // Whether sums may be split depends on the depth alone, so that a resize keeps the pipeline. Few
    // registers have room for it only where windows and sums in 16 bits need none.
    let room = spec.pointwise && sum == Sum::F32 || !cx.caps.few_registers();
    let split = products >= DEEP && multiple(8) && room;
    let small = !spec.pointwise || sum == Sum::F16 || split;
    let key = TacticKey::new("conv_2d", cx.store)
        .with("window", push.taps)
        .with("stride", push.stride)
        .with("depth", [push.depth])
        .with("channels", [push.channels])
        .with("groups", [groups])
        .with("sum_bits", [if sum == Sum::F16 { 16 } else { 32 }]);
    let t = cx.choose(key, &Tiling::candidates(cx.caps, groups, push.group_channels, small, products));
    let t = Tiling { by_block: wide, ..t };
    let w = t.weights(cx, 1, products)?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    let width = if spec.pointwise { push.rows } else { push.y_size[1] };
    let strip_rows = if width < t.tm { 1 } else { t.tm };
    let strips = width.div_ceil(strip_rows);
    let [x_groups, y_groups, z_groups] = t.grid(cx.caps, push.rows / width.max(1) * strips)?;
    let groups = u64::from(x_groups) * u64::from(y_groups) * u64::from(z_groups);
    let shares = (u64::from(busy(cx.caps)) / groups.max(1)) as u32;
    let part_count = if split { shares.clamp(1, (push.depth / PART).max(1)) } else { 1 };
    let part = push.depth.div_ceil(part_count).next_multiple_of(8);
    let part_count = push.depth.div_ceil(part);
    let left = groups * u64::from(part_count) * u64::from(t.invocations * t.tm * t.tn) * 16;
    let [parts, arrived] = cx.parts(left, groups, part_count)?;
    let ops = 2 * u64::from(push.rows) * u64::from(push.channels) * u64::from(products);
    let push = Push {
        width,
        strips,
        strip_rows,
        products,
        part,
        part_count,
        rows_per_batch: epilogue.rows_per_batch,
        quads: t.quads,
        blocks: t.blocks,
        columns: t.columns,
        group_blocks: t.group_blocks,
        ..push
    };
    let spec = Spec {
        wg_x: t.invocations,
        vec_x: multiple(4),
        wide,
        split,
        vec_y: push.group_channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..spec
    };
    let tm = if t.tm == 8 { Tm::N8 } else { Tm::N4 };
    let tn = if t.tn == 1 { Tn::N1 } else { Tn::N2 };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2, parts, arrived };
    let Some(kernel) = kernel(cx.store, tm, tn, sum) else {
        unreachable!("16-bit sums are of 16-bit numbers")
    };
    let grid = [x_groups * part_count, y_groups, z_groups];
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), ops)
}
