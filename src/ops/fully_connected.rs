//! FULLY_CONNECTED: `y[r,o] = Σ x[r,k] · w[o,k]`.
//!
//! TFLite sees `x` of any rank as rows of the weights' depth; the result has rank 2, or with
//! `keep_num_dims` the rank of `x`. Taken for float32 with constant weights (fp16 and int8 ones too) in the
//! default format.

use std::fmt;

use super::conv_2d::{Geometry, implicit_gemm};
use super::fully_connected_hybrid;
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::{Activation, DType, HostTensor, Magnitude, Shape, Term};
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, operand};
use crate::program::TacticKey;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "FULLY_CONNECTED",
    builtin: Some(sys::kTfLiteBuiltinFullyConnected),
    typed_by: 0,
    takes: &[(DType::F32, 12)],
    parse,
}];

/// A product with the transpose of a constant matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullyConnected {
    /// Whether the result has the rank of the operand.
    pub keep_num_dims: bool,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.float(0)?, node.weights_or_int8(1, 2, &[0])?);
    let p = node.required_params::<sys::TfLiteFullyConnectedParams>()?;
    if p.weights_format != sys::kTfLiteFullyConnectedWeightsFormatDefault {
        unsupported!("weights format {} (0 = default is supported)", p.weights_format);
    }
    let fc = FullyConnected { keep_num_dims: p.keep_num_dims };
    fc.infer(&[Some(x.shape), Some(w.shape)])?;
    let bias = node.bias(2, w.shape[0])?;
    Ok(Parsed::new(fc).dequantizing(1, &w).steps(bias).activation(Activation::from_code(p.activation)?))
}

impl Operator for FullyConnected {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let (channels, depth) = (w[0], w[1]);
        let elements = x.elements();
        if elements % u64::from(depth) != 0 || self.keep_num_dims && x.channels() != depth {
            unsupported!("an operand {x} for weights {w}");
        }
        let y = if self.keep_num_dims {
            let mut dims = x.to_vec();
            if let Some(last) = dims.last_mut() {
                *last = channels;
            }
            Shape::new(&dims)
        } else {
            let Ok(rows) = u32::try_from(elements / u64::from(depth)) else {
                unsupported!("{elements} elements are too many");
            };
            Shape::from([rows, channels])
        };
        Ok(vec![y])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (w, y) = (cx.input(1).shape, cx.output(0).shape);
        product(cx, y.rows(), w[1], w[0], y.rows() <= FEW_ROWS)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let [shape] = self.infer(&[Some(x.shape), Some(w.shape)])?[..] else { unreachable!("one result") };
        let depth = w.shape[1] as usize;
        let product = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(product).sum::<f64>() as f32;
        let rows = x.floats().chunks_exact(depth);
        let data = rows.flat_map(|r| w.floats().chunks_exact(depth).map(move |c| dot(r, c))).collect();
        Ok(vec![HostTensor::f32(shape, data)])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        Magnitude::of_weighted(operands)
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}

/// Up to so many rows, each is a matrix-vector product of its own; more rows share weights in tiles.
const FEW_ROWS: u32 = 4;

/// A workgroup of the kernel for few rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Workgroup {
    /// Invocations that split the depth of a sum.
    deep: u32,
    /// Groups of four channels.
    wide: u32,
}

impl Workgroup {
    /// The workgroups that may suit the device, the usual one first.
    fn candidates(caps: &Caps, channels: u32, depth: u32) -> Vec<Self> {
        let quads = channels.div_ceil(4).next_power_of_two();
        let steps = depth.div_ceil(4).next_power_of_two();
        let groups: &[_] = match caps.kind {
            // There are no more than a few threads, and a subgroup needs no barrier.
            DeviceKind::Software => &[(caps.subgroup_size, 1), (2 * caps.subgroup_size, 1), (1, 8)],
            // Many loads have to be in flight at once.
            DeviceKind::Discrete => &[(256, 1), (128, 1), (64, 1), (32, 1), (64, 2), (32, 4)],
            _ => &[(128, 1), (64, 1), (32, 1), (256, 1), (64, 2), (32, 2), (16, 4)],
        };
        let mut all = Vec::new();
        for (deep, wide) in groups {
            let deep = steps.min(*deep);
            // With short sums a workgroup has room for more channels.
            let room = if caps.kind == DeviceKind::Software { 1 } else { 32 / deep };
            let group = Self { deep, wide: quads.min(room.max(*wide)) };
            let runs = depth.div_ceil(4).div_ceil(deep) <= caps.machine.max_rounds;
            if runs && group.deep * group.wide <= caps.max_joined() && !all.contains(&group) {
                all.push(group);
            }
        }
        if all.is_empty() {
            all.push(Self { deep: caps.max_joined(), wide: 1 });
        }
        all
    }
}

impl fmt::Display for Workgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workgroups of {}x{}", self.deep, self.wide)
    }
}

/// Result 0 = operand 0 (rows × depth) times operand 1 (channels × depth), through the epilogue. `few_rows`
/// chooses the kernel that splits each sum among the invocations of a workgroup; so does a depth that one
/// invocation cannot sum up.
pub fn product(
    cx: &mut Lower<'_>,
    rows: u32,
    depth: u32,
    channels: u32,
    few_rows: bool,
) -> Result<(), Unsupported> {
    use crate::kernel::table::fully_connected::{Bind, Push, Spec, dispatch, kernel};
    let [.., max_rows] = cx.caps.max_grid;
    let steps = depth.div_ceil(4);
    if !few_rows && cx.runs(steps.into()) || rows > max_rows {
        return implicit_gemm::emit(cx, &Geometry::product(rows, depth, channels));
    }
    if cx.constant(1).is_some_and(fully_connected_hybrid::fits) {
        // Its steps are four times as long.
        let Workgroup { deep, wide } = Workgroup::candidates(cx.caps, channels, steps)[0];
        return fully_connected_hybrid::emit(cx, [rows, depth, channels], [deep, wide]);
    }
    let length = 4 * steps as usize;
    let elements = u64::from(channels.next_multiple_of(4)) * u64::from(4 * steps);
    let w = cx.rearranged(1, "channels", elements, depth as usize, move |channel, k| channel * length + k)?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    let key = TacticKey::new("fully_connected", cx.store).with("depth", [depth]).with("channels", [channels]);
    let Workgroup { deep, wide } = cx.choose(key, &Workgroup::candidates(cx.caps, channels, depth));
    cx.expect_rounds(steps.div_ceil(deep).into())?;
    let ([grid_x, grid_y, _], row_groups) = cx.group_grid(u64::from(channels.div_ceil(4 * wide)))?;
    let spec = Spec {
        wg_x: deep,
        wg_y: wide,
        vec_x: depth.is_multiple_of(4),
        vec_y: channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let push = Push { depth, steps, channels, row_groups, rows_per_batch: epilogue.rows_per_batch };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
    let ops = 2 * u64::from(rows) * u64::from(channels) * u64::from(depth);
    let kernel = kernel(cx.store, cx.join(wide));
    cx.dispatch(dispatch(kernel, spec, push, bind, [grid_x, grid_y, rows]), ops)
}
