//! SOFTMAX and LOG_SOFTMAX of integers over the last dimension.
//!
//! As TFLite's reference kernels have them, in fixed point: of int8 and uint8 with results of the same type or int16,
//! of int16 by interpolated tables of `exp` and `1 / (1 + x)`. LOG_SOFTMAX takes int8 and uint8. Up to rank 6.

use super::affine::scaling;
use super::row_integers::RowFunction;
use super::softmax::Softmax;
use crate::codes::row_integers as code;
use crate::error::Unsupported;
use crate::ir::fixed_functions::{exp, log, look_up_16, reciprocal, table_16};
use crate::ir::{DType, FixedPoint, HostTensor, Scalar, Shape, TensorType, high_product, rounding_right};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "SOFTMAX",
        builtin: Some(sys::kTfLiteBuiltinSoftmax),
        typed_by: 0,
        takes: &of([DType::I16, DType::I8, DType::U8], 3),
        parse: parse_softmax,
    },
    Def {
        name: "LOG_SOFTMAX",
        builtin: Some(sys::kTfLiteBuiltinLogSoftmax),
        typed_by: 0,
        takes: &of([DType::I8, DType::U8], 2),
        parse: parse_logarithm,
    },
];

/// A softmax over the last dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxIntegers {
    /// How it is computed.
    pub function: Function,
    /// The element type of the result.
    pub to: DType,
}

/// How a softmax is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Of 8-bit integers.
    Softmax(Differences),
    /// Of 16-bit integers; the factor makes differences to the largest steps of 10 / 65535.
    Softmax16(FixedPoint),
    /// The logarithm.
    Logarithm {
        /// What is exponentiated.
        differences: Differences,
        /// Makes logarithms steps of the operand.
        reverse: FixedPoint,
    },
}

/// Differences of 8-bit integers to the largest of their row, as Q5.26.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differences {
    /// What they are multiplied by.
    pub factor: FixedPoint,
    /// The least one that is not too far from the largest.
    pub least: i32,
}

impl Differences {
    /// For elements whose steps are `scale` in the exponent.
    ///
    /// # Errors
    /// If the steps are so small that TFLite does not take them.
    fn new(scale: f64) -> Result<Self, Unsupported> {
        let real = scale * f64::from(1 << 26);
        if real.is_nan() || real <= 1.0 {
            unsupported!("scale {scale}");
        }
        // Steps of 16 and more: none but the largest counts.
        let largest = Self { factor: FixedPoint { multiplier: 0, shift: 0 }, least: 0 };
        let Some(factor) = FixedPoint::new(real) else { return Ok(largest) };
        let least = -(31.0 * f64::from(1 << 26) / f64::from(factor.shift).exp2()).floor() as i32;
        Ok(Self { factor, least })
    }

    /// The exponential of a difference, as Q0.31.
    fn exp(self, difference: i32) -> i32 {
        if difference < self.least { 0 } else { exp(self.factor.times(difference)) }
    }

    /// The exponentials of 0, -1 and so on.
    fn table(self) -> [i32; 256] {
        std::array::from_fn(|i| self.exp(-(i as i32)))
    }
}

/// The tables of 16-bit integers, one behind the other.
fn tables_16() -> Vec<i16> {
    let range = 65_535.0;
    let mut tables = table_16(10.0 / range, 32_767, f64::exp);
    tables.extend(table_16(1.0 / range, -32_768, |x| 1.0 / (1.0 + x)));
    tables
}

/// Operand and result of a node.
fn types(node: &NodeView<'_>) -> Result<[TensorType; 2], Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.input_type(0)?;
    if x.shape.is_empty() {
        unsupported!("input 0 is a scalar");
    }
    Ok([x, node.output_type(0)?])
}

fn parse_softmax(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let [x, y] = types(node)?;
    let beta = node.required_params::<sys::TfLiteSoftmaxParams>()?.beta;
    let ((scale, zero_point), (y_scale, y_zero_point)) = (scaling(&x)?, scaling(&y)?);
    if !(beta > 0.0 && beta.is_finite()) {
        unsupported!("beta {beta}");
    }
    let near = |step: f32| (y_scale - step).abs() <= 0.001 * step;
    let taken = match (x.dtype, y.dtype) {
        (DType::I8, DType::I8) => near(1.0 / 256.0) && y_zero_point == -128,
        (DType::I16, DType::I16) => near(1.0 / 32_768.0) && y_zero_point == 0 && zero_point == 0,
        (DType::U8, DType::U8) | (DType::U8 | DType::I8, DType::I16) => true,
        _ => false,
    };
    if !taken {
        unsupported!("{x} becomes {y}");
    }
    let function = if x.dtype == DType::I16 {
        let factor = f64::from(scale * beta) / (10.0 / 65_535.0);
        // Larger differences than 2^15 would have more than 32 bits.
        match FixedPoint::new(factor) {
            Some(factor) if factor.shift <= 14 => Function::Softmax16(factor),
            _ => unsupported!("scale {scale}, beta {beta}"),
        }
    } else {
        Function::Softmax(Differences::new(f64::from(beta) * f64::from(scale))?)
    };
    Ok(Parsed::new(SoftmaxIntegers { function, to: y.dtype }).gives(y.dtype))
}

fn parse_logarithm(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let [x, y] = types(node)?;
    let most = if x.dtype == DType::U8 { 255 } else { 127 };
    if scaling(&y)? != (1.0 / 16.0, most) {
        unsupported!("result {y}: scale 1/16 and zero point {most} are supported");
    }
    let (scale, _) = scaling(&x)?;
    let differences = Differences::new(f64::from(scale))?;
    let FixedPoint { multiplier, shift } = differences.factor;
    let real = f64::from(31 - shift).exp2() / f64::from(multiplier);
    let reverse = match FixedPoint::new(real) {
        Some(reverse) if multiplier > 0 && real < 1.0 => reverse,
        _ => unsupported!("scale {scale}"),
    };
    Ok(Parsed::new(SoftmaxIntegers { function: Function::Logarithm { differences, reverse }, to: y.dtype }))
}

impl SoftmaxIntegers {
    /// The results of a row.
    fn row(&self, row: &[i32], tables: &[i16]) -> Vec<i32> {
        let most = row.iter().copied().max().unwrap_or(0);
        let [low, high] = self.to.range().unwrap_or_default().map(|n| n as i32);
        let summed =
            |term: &dyn Fn(i32) -> i32| row.iter().fold(0_i32, |sum, x| sum.wrapping_add(term(x - most)));
        let each = |result: &dyn Fn(i32) -> i32| row.iter().map(|x| result(x - most)).collect();
        match self.function {
            Function::Softmax(differences) => {
                let (scale, right) = reciprocal(summed(&|d| rounding_right(differences.exp(d), 12)));
                let right = right + 31 - (high - low).ilog2().cast_signed() - 1;
                each(&|d| {
                    let product = high_product(scale, differences.exp(d));
                    let y = if right > 31 { 0 } else { rounding_right(product, right) };
                    (y + low).clamp(low, high)
                })
            }
            Function::Logarithm { differences, reverse } => {
                let logarithm = log(summed(&|d| rounding_right(differences.exp(d), 12)));
                let least = reverse.times(logarithm.wrapping_add(i32::MIN)).max(differences.least - 1);
                each(&|d| {
                    let y = || rounding_right(differences.factor.times(d).wrapping_sub(logarithm), 22) + high;
                    if d > least { y().clamp(low, high) } else { low }
                })
            }
            Function::Softmax16(factor) => {
                let (exps, reciprocals) = tables.split_at(tables.len() / 2);
                let clamped = |x: i32| x.clamp(-32_768, 32_767);
                let exp = |d| look_up_16(exps, clamped(factor.times(d).wrapping_add(32_767)));
                let sum = summed(&exp);
                let room = sum.leading_zeros().clamp(1, 31);
                let fraction = ((sum.cast_unsigned() << (room - 1)).wrapping_add(8192) >> 14).cast_signed();
                let scale = look_up_16(reciprocals, clamped(fraction - 98_304));
                let right = 31 - room;
                each(&|d| ((exp(d) * scale + (1 << right >> 1)) >> right).clamp(0, high))
            }
        }
    }
}

impl Operator for SoftmaxIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Softmax { beta: 1.0, logarithm: false }.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (differences, function) = match self.function {
            Function::Softmax16(factor) => {
                let fill = |bytes: &mut [u8]| write(bytes, tables_16());
                let table = cx.weights(0, "exponentials and reciprocals", 4 * 1026, fill)?;
                let function = RowFunction::new(code::FUNCTION_SOFTMAX_16);
                return RowFunction { factor, ..function }.emit(cx, Some(table));
            }
            Function::Softmax(differences) => (differences, RowFunction::new(code::FUNCTION_SOFTMAX)),
            Function::Logarithm { differences, reverse } => {
                let function = RowFunction::new(code::FUNCTION_LOG_SOFTMAX);
                (differences, RowFunction { reverse, ..function })
            }
        };
        let fill = move |bytes: &mut [u8]| write(bytes, differences.table());
        let table = cx.weights(0, &format!("exponentials/{differences:?}"), 4 * 256, fill)?;
        let Differences { factor, least } = differences;
        RowFunction { factor, least_difference: least, ..function }.emit(cx, Some(table))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let numbers: Vec<i32> = x.to_i64()?.into_iter().map(|x| x as i32).collect();
        let tables = tables_16();
        let rows = numbers.chunks(x.shape.channels().max(1) as usize);
        let mut y = rows.flat_map(|row| self.row(row, &tables));
        let next = |_: &[usize]| Scalar::int(self.to, y.next().unwrap_or(0).into()).bits;
        Ok(vec![HostTensor::moved(self.to, x.shape, next)?])
    }
}

/// Writes numbers as 32-bit ones.
fn write(bytes: &mut [u8], numbers: impl IntoIterator<Item = impl Into<i32>>) {
    for (to, n) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
        *to = n.into().to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    fn run(function: Function, to: DType, data: Data) -> Data {
        let x = HostTensor { shape: Shape::from([1, 3]), data };
        SoftmaxIntegers { function, to }.reference(&[Some(&x)]).unwrap().remove(0).data
    }

    #[test]
    fn the_largest_takes_what_the_others_leave() {
        let far = Differences::new(1.0).unwrap();
        let softmax = Function::Softmax(far);
        assert_eq!(run(softmax, DType::I8, Data::I8(vec![-128, 127, -128])), Data::I8(vec![-128, 127, -128]));
        assert_eq!(run(softmax, DType::U8, Data::U8(vec![7, 7, 0])), Data::U8(vec![128, 128, 0]));
        assert_eq!(run(softmax, DType::I16, Data::I8(vec![7, 7, -99])), Data::I16(vec![0, 0, -32_768]));
        let reverse = FixedPoint::new(0.5).unwrap();
        let logarithm = Function::Logarithm { differences: far, reverse };
        assert_eq!(run(logarithm, DType::I8, Data::I8(vec![5, 5, 5])), Data::I8(vec![109, 109, 109]));
        let sixteen = Function::Softmax16(FixedPoint::new(1.0).unwrap());
        assert_eq!(run(sixteen, DType::I16, Data::I16(vec![-32_768, 0, 32_767])).dtype(), DType::I16);
    }

    #[test]
    fn steps_that_tflite_dies_of_are_refused() {
        assert!(Differences::new(1e-9).is_err());
        assert_eq!(Differences::new(100.0).unwrap().table()[..2], [i32::MAX, 0]);
    }
}
