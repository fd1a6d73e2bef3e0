//! DEPTHWISE_CONV_2D: `y[n,i,j,o] = Σ x[n, i·stride + ky·dilation − pad, …, o / multiplier] · w[0,ky,kx,o]`.
//!
//! TFLite pads as SAME or VALID. All of it is taken for float32 with constant weights (fp16 and int8 ones
//! too), any multiplier. Zeros of a PAD in front are read without being stored. With windows of one pixel it
//! is a MUL.

mod columns;

use std::fmt;
use std::sync::Arc;

use super::binary::Binary;
use super::windows;
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, HostTensor, Magnitude, Shape, SpatialPadding, StepOp, Term, Window};
use crate::kernel::table::depthwise_conv_2d::{Bind, Pixels, Push, Spec, Sum, Taps, Width, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, WeightLayout, operand};
use crate::program::TacticKey;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "DEPTHWISE_CONV_2D",
    builtin: Some(sys::kTfLiteBuiltinDepthwiseConv2d),
    typed_by: 0,
    takes: &[(DType::F32, 6)],
    parse,
}];

/// A convolution of each channel by itself, weights as `[1, height, width, channels]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepthwiseConv2d {
    /// How the filter moves.
    pub window: Window,
}

/// The most products that are added up in 16 bits.
const FEW: u32 = 32;

/// The strip of pixels of an invocation, and the workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strips {
    /// Neighbouring pixels that one invocation computes.
    pub pixels: u32,
    /// Invocations per workgroup.
    pub invocations: u32,
}

impl fmt::Display for Strips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pixels, workgroups of {}", self.pixels, self.invocations)
    }
}

impl Strips {
    /// Strips that may suit the device, the usual one first; `wide` invocations compute four channels.
    pub fn candidates(caps: &Caps, wide: bool) -> Vec<Self> {
        let sizes: [u32; 4] =
            if caps.kind == DeviceKind::Discrete { [32, 64, 128, 256] } else { [64, 128, 256, 32] };
        let pixels: &[u32] = match wide {
            true if caps.fewest_registers() => &[2, 4],
            true => &[4, 2],
            false => &[4],
        };
        let strips =
            |pixels: &u32, size: u32| Self { pixels: *pixels, invocations: size.min(caps.max_invocations) };
        let mut all: Vec<_> = pixels.iter().flat_map(|p| sizes.map(|size| strips(p, size))).collect();
        all.dedup();
        all
    }
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.float_rank(0, 4)?, node.weights_or_int8(1, 4, &[3])?);
    let (window, activation) = windows::depthwise_conv_2d(node, &w.shape)?;
    let conv = DepthwiseConv2d { window };
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    window.must_fit(&x.shape)?;
    let bias = node.bias(2, w.shape[3])?;
    if conv.is_product(&x.shape, &w.shape) {
        let product = Parsed::new(Binary(StepOp::Mul));
        return Ok(product.dequantizing(1, &w).steps(bias).activation(activation));
    }
    Ok(Parsed::new(conv).dequantizing(1, &w).steps(bias).activation(activation))
}

/// Channels of the result per channel of `x`.
pub fn multiplier(x: &Shape, w: &Shape) -> Result<u32, Unsupported> {
    let (inputs, outputs) = (x.channels(), w.channels());
    if w[0] != 1 || inputs == 0 || outputs % inputs != 0 {
        unsupported!("depthwise weights {w} for {inputs} channels");
    }
    Ok(outputs / inputs)
}

impl DepthwiseConv2d {
    /// Whether operand and result have the same number of channels.
    pub fn keeps_channels(&self, x: &Shape, w: &Shape) -> bool {
        multiplier(x, w) == Ok(1)
    }

    /// Whether each element of `x` is multiplied by one number, and that is all.
    fn is_product(&self, x: &Shape, w: &Shape) -> bool {
        let one = [1, 1];
        self.window.size == one && self.window.stride == one && multiplier(x, w) == Ok(1)
    }
}

impl Operator for DepthwiseConv2d {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let [rows, columns] = self.window.extents(&x)?;
        multiplier(&x, &w)?;
        Ok(vec![Shape::from([x[0], rows.size, columns.size, w[3]])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, w_shape, y_shape) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        let [h, v] = self.window.extents(&x_shape)?;
        let multiplier = multiplier(&x_shape, &w_shape)?;
        let channels = y_shape.channels();
        if columns::fits(cx.caps, &self.window, channels, multiplier) {
            return columns::emit(cx, &self.window);
        }
        let vec4 = multiplier == 1 && channels % 4 == 0;
        let taps = match (self.window.size[1], self.window.stride[1], self.window.dilation[1]) {
            (3, 1, 1) => Taps::K3s1,
            (3, 2, 1) => Taps::K3s2,
            (5, 1, 1) => Taps::K5s1,
            (5, 2, 1) => Taps::K5s2,
            _ => Taps::Any,
        };
        let [rows, columns] = self.window.size.map(u64::from);
        cx.expect_rounds(rows * (columns + 1))?;
        let short = cx.sums_16 && vec4 && taps != Taps::Any && self.window.taps() <= FEW;
        let sum = if short { Sum::F16 } else { Sum::F32 };
        let key = TacticKey::new("depthwise_conv_2d", cx.store)
            .with("window", self.window.size)
            .with("stride", self.window.stride)
            .with("channels", [channels])
            .with("sum_bits", [if short { 16 } else { 32 }]);
        let Strips { pixels, invocations: wg_x } =
            cx.choose(key, &Strips::candidates(cx.caps, vec4 && !short));
        let strips = y_shape[2].div_ceil(pixels);
        let lines = u64::from(y_shape[0]) * u64::from(y_shape[1]);
        let items = lines * u64::from(strips) * u64::from(if vec4 { channels / 4 } else { channels });
        let (grid, row_items) = cx.grid_of(wg_x, items)?;
        let x = cx.x(0)?;
        let w = cx.x(1)?;
        let epilogue = cx.epilogue(&[], x)?;
        let spec = Spec {
            wg_x,
            // The last strip of a row may reach beyond the border even where windows do not.
            border: v.border || y_shape[2] % pixels != 0,
            // A driver that runs on the CPU executes both sides of a branch.
            branch: cx.caps.kind != DeviceKind::Software,
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Spec::default()
        };
        let push = Push {
            items: items as u32,
            row_items,
            channels,
            multiplier,
            rows_per_batch: epilogue.rows_per_batch,
            strips,
            x_size: [x_shape[1], x_shape[2]],
            y_size: [y_shape[1], y_shape[2]],
            taps: self.window.size,
            stride: self.window.stride,
            dilation: self.window.dilation,
            origin: [h.origin, v.origin],
        };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
        let width = if vec4 { Width::N4 } else { Width::N1 };
        let pixels = if pixels == 2 { Pixels::N2 } else { Pixels::N4 };
        let ops = 2 * y_shape.elements() * u64::from(self.window.taps());
        let kernel = kernel(cx.store, width, taps, pixels, sum)
            .unwrap_or_else(|| unreachable!("{width:?} {pixels:?} {sum:?} is left out"));
        cx.dispatch(dispatch(kernel, spec, push, bind, grid), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let extents = self.window.extents(&x.shape)?;
        let multiplier = multiplier(&x.shape, &w.shape)? as usize;
        let shape = Shape::from([x.shape[0], extents[0].size, extents[1].size, w.shape[3]]);
        let [x_channels, channels] = [x.shape[3], w.shape[3]].map(|n| n as usize);
        let mut y = filled(shape.elements(), 0.0, &shape)?;
        self.window.visit(&x.shape, extents, |pixel, tap, from| {
            let x = &x.floats()[from * x_channels..][..x_channels];
            let (w, y) = (&w.floats()[tap * channels..][..channels], &mut y[pixel * channels..][..channels]);
            if multiplier == 1 {
                y.iter_mut().zip(x).zip(w).for_each(|((y, x), w)| *y += x * w);
            } else {
                y.iter_mut().zip(w).enumerate().for_each(|(c, (y, w))| *y += x[c / multiplier] * w);
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
        (multiplier(&x, &w) == Ok(1)).then_some(WeightLayout::PerChannel)
    }

    fn absorb_padding(&self, padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        Some(Arc::new(Self { window: self.window.absorb(padding) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Registers;

    #[test]
    fn few_registers_take_short_strips() {
        use Registers::{Few, Fewest, Many};
        for (registers, wide, pixels) in
            [(Fewest, true, 2), (Fewest, false, 4), (Few, true, 4), (Many, true, 4)]
        {
            let mut caps = Caps::minimum();
            caps.machine.registers = registers;
            assert_eq!(Strips::candidates(&caps, wide)[0].pixels, pixels, "{registers:?} {wide}");
        }
    }
}
