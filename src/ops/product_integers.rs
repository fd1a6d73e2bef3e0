//! REDUCE_PROD of quantised integers over any set of dimensions.
//!
//! TFLite brings each product to a scale that leaves the last one at the result's, with a multiplier of 16 bits; so the
//! order of the elements counts. Taken for int8 and int16 with one scale per tensor up to rank 6 with constant axes.

use super::affine::scaling;
use super::reduce::{Reduce, ReduceKind, attributes, groups, three};
use super::reduce_integers::parse_numbers;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, FixedPoint, HostTensor, MAX_RANK, Scalar, Shape};
use crate::kernel::table::product_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "REDUCE_PROD",
    builtin: Some(sys::kTfLiteBuiltinReduceProd),
    typed_by: 0,
    takes: &of([DType::I16, DType::I8], 2),
    parse,
}];

/// The product of integers, brought to the result's scale.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductIntegers {
    /// What is reduced.
    pub reduce: Reduce,
    /// The scales of operand and result.
    pub scales: [f32; 2],
    /// What stands for 0 in each.
    pub zero_points: [i32; 2],
}

/// Multiplication by a number, `multiplier / 2^right`, rounded, halves up.
#[derive(Clone, Copy)]
struct Factor {
    multiplier: i32,
    right: i32,
}

impl Factor {
    fn times(self, x: i64) -> i32 {
        let product = x.wrapping_mul(self.multiplier.into()).wrapping_add(1 << (self.right - 1));
        (product >> self.right) as i32
    }
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    if node.input_type(0)?.quant.is_none() {
        return parse_numbers(node, ReduceKind::Product);
    }
    let [x, y] = [scaling(&node.input_type(0)?)?, scaling(&node.output_type(0)?)?];
    let reduce = attributes(node, ReduceKind::Product)?;
    let op = ProductIntegers { reduce, scales: [x.0, y.0], zero_points: [x.1, y.1] };
    // The largest and the smallest factor that any shape may need.
    op.factor(1)?;
    op.factor(u64::MAX)?;
    Ok(Parsed::new(op))
}

impl ProductIntegers {
    /// What products of `n` elements are multiplied by.
    fn factor(&self, n: u64) -> Result<Factor, Unsupported> {
        let [x, y] = self.scales.map(f64::from);
        let real = x / y.powf(1.0 / n.max(1) as f64);
        match FixedPoint::new(real) {
            Some(FixedPoint { multiplier, shift }) if shift < 15 => {
                let multiplier =
                    if multiplier < 0x7fff_0000 { (multiplier + (1 << 15)) >> 16 } else { 0x7fff };
                Ok(Factor { multiplier, right: 15 - shift })
            }
            _ => unsupported!("{n} elements of scale {x} to {y}"),
        }
    }
}

impl Operator for ProductIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.reduce.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (shape, results) = (cx.input(0).shape, cx.output(0).shape.elements());
        if results == 0 {
            return Ok(());
        }
        let terms = shape.elements() / results;
        let Factor { multiplier, right } = self.factor(terms)?;
        let Some([least, most]) = cx.input(0).dtype.range() else {
            unsupported!("{} is no type of integers", cx.input(0))
        };
        let grid = cx.word_grid()?;
        cx.expect_rounds(terms.saturating_mul(4 / cx.element().bytes()))?;
        let groups = if terms == 0 { Vec::new() } else { groups(&shape, &self.reduce.reduced(&shape)?) };
        let [[keep_shape, keep_stride], [reduce_shape, reduce_stride]] =
            [three(&groups, false), three(&groups, true)];
        // What has no elements has no memory to bind, and is not read.
        let bind = Bind { x: if terms == 0 { cx.y(0) } else { cx.x(0)? }, y: cx.y(0) };
        let push = Push {
            items: grid.items,
            row_items: grid.row_items,
            elements: grid.elements,
            terms: terms as u32,
            multiplier,
            right,
            x_zero_point: self.zero_points[0],
            y_zero_point: self.zero_points[1],
            least: least as i32,
            most: most as i32,
            keep_shape,
            keep_stride,
            reduce_shape,
            reduce_stride,
        };
        let spec = Spec { wg_x: grid.wg_x, form: form(cx.element()), ..Default::default() };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid.grid), shape.elements() * 10)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (dtype, reduced) = (x.dtype(), self.reduce.reduced(&x.shape)?);
        let keep = |(&n, &reduced): (&u32, &bool)| if reduced { 1 } else { n };
        let kept = Shape::new(&x.shape.iter().zip(&reduced).map(keep).collect::<Vec<_>>());
        let strides = kept.broadcast_strides();
        let strides = &strides[MAX_RANK - kept.len()..];
        let factor = self.factor(x.shape.elements().checked_div(kept.elements()).unwrap_or(0))?;
        let mut products = filled(kept.elements(), None, &kept)?;
        HostTensor::moved(dtype, x.shape, |i| {
            let place = i.iter().zip(strides).map(|(i, stride)| i * *stride as usize).sum::<usize>();
            let next = x.scalar(i).to_i64() as i32 - self.zero_points[0];
            let product = |v: i32| factor.times(i64::from(v).wrapping_mul(next.into()));
            products[place] = Some(products[place].map_or(next, product));
            0
        })?;
        let Some([least, most]) = dtype.range() else { unsupported!("{dtype} is no type of integers") };
        let mut next = products.into_iter().flatten();
        let y = HostTensor::moved(dtype, self.infer(&[Some(x.shape)])?[0], |_| {
            let last = factor.times(next.next().unwrap_or(0).into());
            let y = last.wrapping_add(self.zero_points[1]);
            Scalar::int(dtype, i64::from(y).clamp(least, most)).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn products_are_brought_to_scale_in_turn() {
        let run = |scales, zero_points, x: Vec<i8>| {
            let reduce = Reduce { kind: ReduceKind::Product, axes: vec![0], keep_dims: false };
            let x = HostTensor { shape: Shape::from([x.len() as u32]), data: Data::I8(x) };
            let op = ProductIntegers { reduce, scales, zero_points };
            op.reference(&[Some(&x)]).unwrap().remove(0).data
        };
        assert_eq!(run([1.0, 1.0], [0, 0], vec![2, -3, 5]), Data::I8(vec![-30]));
        assert_eq!(run([0.5, 0.25], [1, 0], vec![7, 5]), Data::I8(vec![24]));
        assert_eq!(run([1.0, 1.0], [0, 100], vec![50, 50]), Data::I8(vec![127]));
    }

    #[test]
    fn one_element_has_the_largest_factor() {
        let reduce = Reduce { kind: ReduceKind::Product, axes: vec![0], keep_dims: false };
        let op = |x, y| ProductIntegers { reduce: reduce.clone(), scales: [x, y], zero_points: [0, 0] };
        let x = HostTensor { shape: Shape::from([1]), data: Data::I8(vec![-3]) };
        let y = op(0.02, 0.0004).reference(&[Some(&x)]).unwrap().remove(0).data;
        assert_eq!(y, Data::I8(vec![-128]));
        assert!(op(1.0, 1e-5).factor(1).is_err());
    }
}
