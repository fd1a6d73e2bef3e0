//! PAD, PADV2, MIRROR_PAD and TILE: a tensor with a border of a constant, of its mirror image, or
//! of repetitions of itself.
//!
//! Taken for every element type up to rank 6 if paddings, value and multiples are constant. The border of a
//! quantised tensor is its zero point. Zeros around rows and columns vanish into a convolution or pooling
//! of floats behind them, the zero point into a convolution of integers.

use crate::codes::pad as codes;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, MAX_RANK, Scalar, Shape};
use crate::kernel::table::pad::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "PAD",
        builtin: Some(sys::kTfLiteBuiltinPad),
        typed_by: 0,
        takes: &every(4),
        parse: parse_pad,
    },
    Def {
        name: "PADV2",
        builtin: Some(sys::kTfLiteBuiltinPadv2),
        typed_by: 0,
        takes: &every(4),
        parse: parse_padv2,
    },
    Def {
        name: "MIRROR_PAD",
        builtin: Some(sys::kTfLiteBuiltinMirrorPad),
        typed_by: 0,
        takes: &every(3),
        parse: parse_mirror_pad,
    },
    Def {
        name: "TILE",
        builtin: Some(sys::kTfLiteBuiltinTile),
        typed_by: 0,
        takes: &every(3),
        parse: parse_tile,
    },
];

/// What lies beyond the operand's border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// A number.
    Constant(Scalar),
    /// The mirror image, without the outermost element.
    Reflect,
    /// The mirror image.
    Symmetric,
    /// The operand again.
    Repeat,
}

/// How far a dimension grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// By this many elements before and after.
    Add(u32, u32),
    /// To this multiple.
    Times(u32),
}

/// The operand with a border.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// What the border holds.
    pub border: Border,
    /// One entry per dimension.
    pub growth: Vec<Growth>,
}

fn parse_pad(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    parse(node, Border::Constant(zero(node)?))
}

fn parse_padv2(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    let value = node.constant(2)?;
    if value.shape.elements() != 1 {
        unsupported!("{} values, 1 expected", value.shape.elements());
    }
    let x = node.input_type(0)?;
    if node.input_type(2)?.dtype != x.dtype {
        unsupported!("a value {value} for {x}");
    }
    let value = match x.dtype {
        DType::F32 => Scalar::f32(value.to_f32()?[0]),
        dtype => Scalar::int(dtype, value.to_i64()?[0]),
    };
    parse(node, Border::Constant(value))
}

/// What stands for zero in a node's result: the zero point, if it is quantised. TFLite's kernels know of zero
/// points in up to 16 bits.
pub(super) fn zero(node: &NodeView<'_>) -> Result<Scalar, Unsupported> {
    let ty = node.output_type(0)?;
    match ty.quant.as_deref().map(|quant| &quant.zero_point[..]) {
        Some([zero]) if matches!(ty.dtype, DType::I16 | DType::I8 | DType::U8) => {
            Ok(Scalar::int(ty.dtype, (*zero).into()))
        }
        Some([zero]) if *zero != 0 && ty.dtype == DType::Bool => unsupported!("{ty} is quantised"),
        Some([_]) | None => Ok(Scalar::int(ty.dtype, 0)),
        Some(_) => unsupported!("{ty} has several zero points"),
    }
}

fn parse_mirror_pad(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    match node.required_params::<sys::TfLiteMirrorPaddingParams>()?.mode {
        sys::kTfLiteMirrorPaddingReflect => parse(node, Border::Reflect),
        sys::kTfLiteMirrorPaddingSymmetric => parse(node, Border::Symmetric),
        other => unsupported!("mirror padding mode {other}"),
    }
}

fn parse(node: &NodeView<'_>, border: Border) -> Result<Parsed, Unsupported> {
    let x = node.input_type(0)?;
    let paddings = node.ints(1)?;
    let growth = paddings
        .chunks(2)
        .map(|pair| match pair.iter().map(|&n| u32::try_from(n)).collect::<Result<Vec<_>, _>>().as_deref() {
            Ok(&[before, after]) => Ok(Growth::Add(before, after)),
            _ => Err(Unsupported(format!("paddings {paddings:?}"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let op = Pad { border, growth };
    op.shape(x.shape)?;
    Ok(Parsed::new(op))
}

fn parse_tile(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    let times =
        |n: i64| u32::try_from(n).map(Growth::Times).map_err(|_| Unsupported(format!("multiple {n}")));
    let growth = node.ints(1)?.into_iter().map(times).collect::<Result<Vec<_>, _>>()?;
    let op = Pad { border: Border::Repeat, growth };
    op.shape(x.shape)?;
    Ok(Parsed::new(op))
}

impl Pad {
    fn shape(&self, x: Shape) -> Result<Shape, Unsupported> {
        if self.growth.len() != x.len() {
            unsupported!("{} dimensions to pad in {x}", self.growth.len());
        }
        let grown = |(&n, growth): (&u32, &Growth)| {
            let (before, after) = match *growth {
                Growth::Add(before, after) => (before, after),
                Growth::Times(times) => return n.checked_mul(times),
            };
            let mirrored = match self.border {
                Border::Constant(_) | Border::Repeat => u32::MAX,
                Border::Reflect => n.saturating_sub(1),
                Border::Symmetric => n,
            };
            let fits = before.max(after) <= mirrored;
            fits.then_some(()).and(n.checked_add(before)?.checked_add(after))
        };
        match x.iter().zip(&self.growth).map(grown).collect::<Option<Vec<_>>>() {
            Some(dims) => Ok(Shape::new(&dims)),
            None => unsupported!("{x} cannot grow by {:?} with border {:?}", self.growth, self.border),
        }
    }

    /// Elements in front of the operand.
    fn before(&self) -> impl Iterator<Item = u32> + '_ {
        self.growth.iter().map(|growth| match *growth {
            Growth::Add(before, _) => before,
            Growth::Times(_) => 0,
        })
    }
}

impl Operator for Pad {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        let (from, to) = (cx.input(0).shape, cx.output(0).shape);
        pad(cx, bind, self.border, &from, &to, &self.before().collect::<Vec<_>>())
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let before: Vec<u32> = self.before().collect();
        let place = |i: usize, before: u32, n: u32| {
            let (i, n) = (i as i64 - i64::from(before), i64::from(n));
            let i = match self.border {
                Border::Constant(_) => (0..n).contains(&i).then_some(i),
                Border::Reflect => Some(if i < 0 {
                    -i
                } else if i < n {
                    i
                } else {
                    2 * n - 2 - i
                }),
                Border::Symmetric => Some(if i < 0 {
                    -1 - i
                } else if i < n {
                    i
                } else {
                    2 * n - 1 - i
                }),
                Border::Repeat => Some(i % n),
            };
            i.map(|i| i as usize)
        };
        let value = if let Border::Constant(value) = self.border { value.bits } else { 0 };
        let y = HostTensor::moved(x.dtype(), self.shape(x.shape)?, |index| {
            let place = |(d, &i): (usize, &usize)| place(i, before[d], x.shape[d]);
            index.iter().enumerate().map(place).collect::<Option<Vec<_>>>().map_or(value, |i| x.bits(&i))
        })?;
        Ok(vec![y])
    }

    fn zeros(&self) -> Option<Vec<[u32; 2]>> {
        self.border().filter(|(_, value)| *value == Scalar::f32(0.0)).map(|(border, _)| border)
    }

    fn border(&self) -> Option<(Vec<[u32; 2]>, Scalar)> {
        let Border::Constant(value) = self.border else { return None };
        let added = |growth: &Growth| match *growth {
            Growth::Add(before, after) => Some([before, after]),
            Growth::Times(_) => None,
        };
        Some((self.growth.iter().map(added).collect::<Option<_>>()?, value))
    }
}

/// The same for six dimensions of 64-bit elements that all grow: the outer three first.
fn in_two_passes(
    cx: &mut Lower<'_>,
    bind: Bind,
    border: Border,
    [from, to]: [&Shape; 2],
    before: &[u32],
) -> Result<(), Unsupported> {
    let half = from.len() / 2;
    let between = Shape::new(&[&to[..half], &from[half..]].concat());
    let part = cx.scratch(between.elements().saturating_mul(cx.element().bytes()));
    let (mut outer, mut inner) = (before.to_vec(), before.to_vec());
    outer[half..].fill(0);
    inner[..half].fill(0);
    pad(cx, Bind { y: part, ..bind }, border, from, &between, &outer)?;
    pad(cx, Bind { x: part, ..bind }, border, &between, to, &inner)
}

/// Copies `x` of shape `from` to `y` of shape `to`, with so many elements of the border in front.
pub(super) fn pad(
    cx: &mut Lower<'_>,
    bind: Bind,
    border: Border,
    from: &Shape,
    to: &Shape,
    before: &[u32],
) -> Result<(), Unsupported> {
    let (size, words) = cx.element().size();
    let words_of = |shape: &Shape| [&shape[..], &[words]].concat();
    let mut dims = merged(border, &words_of(from), &words_of(to), &[before, &[0]].concat());
    if dims.len() > MAX_RANK {
        return in_two_passes(cx, bind, border, [from, to], before);
    }
    let mirrored = matches!(border, Border::Reflect | Border::Symmetric);
    let wide = dims
        .last()
        .is_some_and(|dim| dim.iter().all(|n| n.is_multiple_of(4)) && (!mirrored || dim[0] == dim[1]));
    if let Some(last) = dims.last_mut().filter(|_| wide) {
        *last = last.map(|n| n / 4);
    }
    let outer = MAX_RANK - dims.len();
    let six = |what: usize, fill: i32| {
        let mut all = [fill; MAX_RANK];
        all[outer..].iter_mut().zip(&dims).for_each(|(to, dim)| *to = dim[what] as i32);
        all
    };
    let (x_shape, y_shape, before) = (six(0, 1), six(1, 1), six(2, 0));
    let items = to.elements() * u64::from(words) / if wide { 4 } else { 1 };
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let (border, value) = match border {
        Border::Constant(value) => (codes::CONSTANT, cx.element().words(value)),
        Border::Reflect => (codes::REFLECT, [0; 2]),
        Border::Symmetric => (codes::SYMMETRIC, [0; 2]),
        Border::Repeat => (codes::REPEAT, [0; 2]),
    };
    let spec = Spec { wg_x, border, ..Default::default() };
    let push = Push {
        items: items as u32,
        row_items,
        wide: wide.into(),
        outer: outer as i32,
        value,
        x_shape,
        y_shape,
        before,
    };
    cx.dispatch(dispatch(kernel(size), spec, push, bind, grid), 0)
}

/// Size before and after and the border in front of each dimension, where those that do not grow are
/// one with the dimension outside of them.
fn merged(border: Border, from: &[u32], to: &[u32], before: &[u32]) -> Vec<[u32; 3]> {
    let mirrored = matches!(border, Border::Reflect | Border::Symmetric);
    let mut dims: Vec<[u32; 3]> = Vec::new();
    for ((&from, &to), &before) in from.iter().zip(to).zip(before) {
        match dims.last_mut() {
            // The mirror image of several is not the mirror image of them as one.
            Some(outer) if from == to && (!mirrored || outer[0] == outer[1]) => {
                *outer = outer.map(|n| n.saturating_mul(from));
            }
            _ => dims.push([from, to, before]),
        }
    }
    dims
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::SpatialPadding;

    #[test]
    fn dimensions_that_stay_are_merged() {
        let merged =
            |border, from: &[u32], to: &[u32], before: &[u32]| super::merged(border, from, to, before);
        let zero = Border::Constant(Scalar::f32(0.0));
        assert_eq!(merged(zero, &[1, 8, 7, 24], &[1, 8, 7, 28], &[0; 4]), [[56, 56, 0], [24, 28, 0]]);
        assert_eq!(merged(zero, &[2, 5, 3], &[2, 8, 3], &[0, 1, 0]), [[2, 2, 0], [15, 24, 3]]);
        let reflected = merged(Border::Reflect, &[2, 5, 3], &[2, 8, 3], &[0, 1, 0]);
        assert_eq!(reflected, [[2, 2, 0], [5, 8, 1], [3, 3, 0]]);
    }

    fn pad(border: Border, growth: Growth, x: &[f32]) -> Option<Vec<f32>> {
        let x = HostTensor::f32([x.len() as u32], x.to_vec());
        let y = Pad { border, growth: vec![growth] }.reference(&[Some(&x)]).ok()?.remove(0);
        Some(y.floats().to_vec())
    }

    #[test]
    fn borders() {
        let x = [1.0, 2.0, 3.0];
        let got = |border, growth| pad(border, growth, &x);
        assert_eq!(
            got(Border::Constant(Scalar::f32(9.0)), Growth::Add(2, 1)),
            Some(vec![9.0, 9.0, 1.0, 2.0, 3.0, 9.0])
        );
        assert_eq!(got(Border::Reflect, Growth::Add(2, 1)), Some(vec![3.0, 2.0, 1.0, 2.0, 3.0, 2.0]));
        assert_eq!(got(Border::Symmetric, Growth::Add(2, 1)), Some(vec![2.0, 1.0, 1.0, 2.0, 3.0, 3.0]));
        assert_eq!(got(Border::Repeat, Growth::Times(2)), Some(vec![1.0, 2.0, 3.0, 1.0, 2.0, 3.0]));
        assert_eq!(got(Border::Reflect, Growth::Add(3, 0)), None);
        assert_eq!(got(Border::Symmetric, Growth::Add(0, 4)), None);
    }

    #[test]
    fn only_zeros_around_rows_and_columns_are_spatial() {
        use Growth::Add;
        let spatial = |border, growth: [Growth; 4]| {
            let zeros = Pad { border, growth: growth.to_vec() }.zeros()?;
            SpatialPadding::of(&zeros)
        };
        let zero = Border::Constant(Scalar::f32(0.0));
        let found = spatial(zero, [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 0)]);
        assert_eq!(found, Some(SpatialPadding { h: [1, 2], w: [3, 4] }));
        assert_eq!(spatial(zero, [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 1)]), None);
        assert_eq!(spatial(zero, [Add(1, 0), Add(1, 2), Add(3, 4), Add(0, 0)]), None);
        assert_eq!(
            spatial(Border::Constant(Scalar::f32(1.0)), [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 0)]),
            None
        );
    }

    #[test]
    fn zeros_are_told_only_where_there_is_nothing_else() {
        let zeros = |border, growth: &[Growth]| Pad { border, growth: growth.to_vec() }.zeros();
        let zero = Border::Constant(Scalar::f32(0.0));
        assert_eq!(zeros(zero, &[Growth::Add(0, 0), Growth::Add(1, 4)]), Some(vec![[0, 0], [1, 4]]));
        assert_eq!(zeros(zero, &[Growth::Add(0, 0), Growth::Times(2)]), None);
        assert_eq!(zeros(Border::Constant(Scalar::f32(1.0)), &[Growth::Add(0, 4)]), None);
        assert_eq!(zeros(Border::Reflect, &[Growth::Add(0, 4)]), None);
    }
}
