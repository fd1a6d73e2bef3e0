//! SVDF of 8-bit integers: filters of each input whose results are remembered for some steps in time, and filters of
//! these.
//!
//! What filters remember, in 16 bits, is what the node begins with when it runs next, until the host resets it. Taken
//! with constant weights; TFLite ignores the activation.

use super::affine::scaling;
use crate::codes::svdf_integers as code;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, FixedPoint, HostTensor, Shape};
use crate::kernel::table::svdf_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::program::{BufferId, Element};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "SVDF",
    builtin: Some(sys::kTfLiteBuiltinSvdf),
    typed_by: 0,
    takes: &[(DType::I8, 4)],
    parse,
}];

/// The operand that holds what filters remember.
const STATES: [usize; 1] = [4];

/// Filters of inputs and of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SvdfIntegers {
    /// Filters of a unit.
    pub rank: u32,
    /// What stands for 0 in the input and in the result.
    pub zero_points: [i32; 2],
    /// What the filters' sums are multiplied by: those of inputs, those of time.
    pub factors: [FixedPoint; 2],
}

/// How large everything is.
#[derive(Clone, Copy)]
struct Sizes {
    batch: u32,
    inputs: u32,
    filters: u32,
    steps: u32,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(5..=5, 1)?;
    let p = node.required_params::<sys::TfLiteSVDFParams>()?;
    let Some(rank) = u32::try_from(p.rank).ok().filter(|rank| *rank > 0) else {
        unsupported!("rank {}", p.rank)
    };
    let [x, feature, time, state] = [0, 1, 2, 4].map(|i| node.input_type(i));
    let (x, feature, time, state, y) = (x?, feature?, time?, state?, node.output_type(0)?);
    if (feature.dtype, time.dtype, state.dtype) != (DType::I8, DType::I16, DType::I16) {
        unsupported!("weights {feature} and {time}, state {state}");
    }
    let bias = node.input(3).is_some();
    for i in [1, 2].into_iter().chain(bias.then_some(3)) {
        node.constant(i)?;
    }
    if bias && node.input_type(3)?.dtype != DType::I32 {
        unsupported!("a bias {}", node.input_type(3)?);
    }
    if node.input(4).is_none_or(|state| state.is_constant()) {
        unsupported!("a constant state");
    }
    let ((x_scale, x_zero_point), (y_scale, y_zero_point)) = (scaling(&x)?, scaling(&y)?);
    let [feature_scale, time_scale, state_scale] = [&feature, &time, &state].map(scaling);
    let (feature_scale, time_scale, state_scale) = (feature_scale?.0, time_scale?.0, state_scale?.0);
    let factor = |x: f32| match FixedPoint::new(x.into()) {
        Some(factor) => Ok(factor),
        None => unsupported!("a product of scales {x}"),
    };
    let factors =
        [factor(x_scale * feature_scale / state_scale)?, factor(state_scale * time_scale / y_scale)?];
    let op = SvdfIntegers { rank, zero_points: [x_zero_point, y_zero_point], factors };
    let shapes = [
        Some(x.shape),
        Some(feature.shape),
        Some(time.shape),
        bias.then(|| node.input_type(3)).transpose()?.map(|ty| ty.shape),
        Some(state.shape),
    ];
    op.infer(&shapes)?;
    Ok(Parsed::new(op))
}

impl SvdfIntegers {
    fn sizes(&self, inputs: &[Option<Shape>]) -> Result<Sizes, Unsupported> {
        let [x, feature, time, state] = [0, 1, 2, 4].map(|i| operand(inputs, i));
        let (x, feature, time, state) = (x?, feature?, time?, state?);
        let ([batch, columns], [filters, inner], [rows, steps]) = (&x[..], &feature[..], &time[..]) else {
            unsupported!("{x} with weights {feature} and {time}");
        };
        let fits = columns == inner && filters == rows && filters % self.rank == 0;
        let state_fits = state[..] == [*batch, filters.saturating_mul(*steps)];
        let bias_fits = inputs[3].is_none_or(|bias| bias[..] == [filters / self.rank]);
        if !fits || !state_fits || !bias_fits || feature.elements() == 0 || time.elements() == 0 {
            unsupported!("{x} with weights {feature} and {time}, rank {}, state {state}", self.rank);
        }
        Ok(Sizes { batch: *batch, inputs: *columns, filters: *filters, steps: *steps })
    }

    fn emit(
        &self,
        cx: &mut Lower<'_>,
        sizes: Sizes,
        stage: u32,
        operands: [(BufferId, Element); 3],
        result: usize,
    ) -> Result<(), Unsupported> {
        let Sizes { inputs, filters, steps, .. } = sizes;
        let elements = cx.output(result).shape.elements();
        let element = Element::of(cx.output(result).dtype, cx.store, cx.caps.features);
        let items = elements.div_ceil(4 / element.bytes());
        let terms = if stage == code::STAGE_FEATURE { inputs } else { self.rank.saturating_mul(steps) };
        cx.expect_rounds(u64::from(terms) * 4)?;
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let FixedPoint { multiplier, shift } = self.factors[usize::from(stage == code::STAGE_TIME)];
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            inputs,
            filters,
            steps,
            rank: self.rank,
            x_zero_point: self.zero_points[0],
            y_zero_point: self.zero_points[1],
            multiplier,
            shift,
        };
        let [(a, a_element), (b, b_element), (c, c_element)] = operands;
        let spec = Spec {
            wg_x,
            a_form: form(a_element),
            b_form: form(b_element),
            c_form: form(c_element),
            y_form: form(element),
            stage,
            bias: cx.has_input(3),
            ..Default::default()
        };
        let bind = Bind { a, b, c, y: cx.y(result) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid), elements * 2 * u64::from(terms))
    }
}

impl Operator for SvdfIntegers {
    fn states(&self) -> &'static [usize] {
        &STATES
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let Sizes { batch, filters, .. } = self.sizes(inputs)?;
        Ok(vec![Shape::from([batch, filters / self.rank]), operand(inputs, STATES[0])?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let shapes: Vec<Option<Shape>> = (0..5).map(|i| cx.has_input(i).then(|| cx.input(i).shape)).collect();
        let sizes = self.sizes(&shapes)?;
        let mut at = |i: usize| -> Result<_, Unsupported> { Ok((cx.x(i)?, cx.element_of(i))) };
        let [x, feature, time, state] = [at(0)?, at(1)?, at(2)?, at(4)?];
        let bias = if shapes[3].is_some() { at(3)? } else { time };
        let next = (cx.y(1), Element::of(DType::I16, cx.store, cx.caps.features));
        self.emit(cx, sizes, code::STAGE_FEATURE, [x, feature, state], 1)?;
        self.emit(cx, sizes, code::STAGE_TIME, [next, time, bias], 0)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let shapes: Vec<Option<Shape>> = inputs.iter().map(|x| x.map(|x| x.shape)).collect();
        let Sizes { inputs: columns, filters, steps, .. } = self.sizes(&shapes)?;
        let ints = |i: usize| -> Result<Vec<i32>, Unsupported> {
            Ok(operand(inputs, i)?.to_i64()?.into_iter().map(|x| x as i32).collect())
        };
        let (x, feature, time, mut state) = (ints(0)?, ints(1)?, ints(2)?, ints(4)?);
        let units = (filters / self.rank) as usize;
        let bias = if shapes[3].is_some() { ints(3)? } else { filled(units as u64, 0, &"SVDF's biases")? };
        let [columns, steps, per_unit] = [columns, steps, self.rank * steps].map(|n| n as usize);
        let dot = |a: &[i32], b: &[i32], start: i32| {
            a.iter().zip(b).fold(start, |sum, (a, b)| sum.wrapping_add(a.wrapping_mul(*b)))
        };
        let mut y = Vec::new();
        let remembered = filters as usize * steps;
        for (x, state) in x.chunks(columns).zip(state.chunks_mut(remembered)) {
            let x: Vec<i32> = x.iter().map(|x| x - self.zero_points[0]).collect();
            for (memory, weights) in state.chunks_mut(steps).zip(feature.chunks(columns)) {
                memory.rotate_left(1);
                memory[steps - 1] = self.factors[0].times(dot(weights, &x, 0)).clamp(-32_768, 32_767);
            }
            let rows = state.chunks(per_unit).zip(time.chunks(per_unit)).zip(&bias);
            y.extend(rows.map(|((memory, weights), bias)| {
                let sum = self.factors[1].times(dot(memory, weights, *bias));
                sum.wrapping_add(self.zero_points[1]).clamp(-128, 127)
            }));
        }
        let tensor = |dtype, shape, data: Vec<i32>| {
            let mut next = data.into_iter();
            HostTensor::moved(dtype, shape, |_| u64::from(next.next().unwrap_or(0).cast_unsigned()))
        };
        let [y_shape, state_shape] = self.infer(&shapes)?[..] else { unreachable!("two results") };
        Ok(vec![tensor(DType::I8, y_shape, y)?, tensor(DType::I16, state_shape, state)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn filters_remember() {
        let one = FixedPoint::new(1.0).unwrap();
        let op = SvdfIntegers { rank: 1, zero_points: [1, -1], factors: [one; 2] };
        let tensor = |shape: [u32; 2], data| HostTensor { shape: Shape::from(shape), data };
        let (x, feature) = (tensor([1, 2], Data::I8(vec![3, 5])), tensor([1, 2], Data::I8(vec![10, 1])));
        let (time, state) = (tensor([1, 2], Data::I16(vec![2, 1])), tensor([1, 2], Data::I16(vec![7, 9])));
        let y = op.reference(&[Some(&x), Some(&feature), Some(&time), None, Some(&state)]).unwrap();
        assert_eq!(y[1].data, Data::I16(vec![9, 24]));
        assert_eq!(y[0].data, Data::I8(vec![41]));
    }
}
