//! PAD, PADV2, MIRROR_PAD and TILE: a tensor with a border of a constant, of its mirror image, or
//! of repetitions of itself.
//!
//! Taken for float32 up to rank 6 if paddings, value and multiples are constant. Zeros around rows
//! and columns vanish into a convolution or pooling behind them.

use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape, TensorType};
use crate::kernel::table::pad::{Bind, Push, Spec, dispatch, kernel};
use crate::op::{Def, Operator, Parsed, SpatialPadding, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def { name: "PAD", builtin: Some(sys::kTfLiteBuiltinPad), max_version: 4, parse: parse_pad },
    Def { name: "PADV2", builtin: Some(sys::kTfLiteBuiltinPadv2), max_version: 4, parse: parse_padv2 },
    Def { name: "MIRROR_PAD", builtin: Some(sys::kTfLiteBuiltinMirrorPad), max_version: 3, parse: parse_mirror_pad },
    Def { name: "TILE", builtin: Some(sys::kTfLiteBuiltinTile), max_version: 3, parse: parse_tile },
];

/// What lies beyond the operand's border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Border {
    /// A number.
    Constant(f32),
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
    parse(node, Border::Constant(0.0))
}

fn parse_padv2(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    match node.constant(2)?.to_f32()?[..] {
        [value] => parse(node, Border::Constant(value)),
        ref values => unsupported!("{} values, 1 expected", values.len()),
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
    let x = node.float(0)?;
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
    let x = node.float(0)?;
    let times = |n: i64| u32::try_from(n).map(Growth::Times).map_err(|_| Unsupported(format!("multiple {n}")));
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
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![x.with_shape(self.shape(x.shape)?)])
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
                Border::Reflect => Some(if i < 0 { -i } else if i < n { i } else { 2 * n - 2 - i }),
                Border::Symmetric => Some(if i < 0 { -1 - i } else if i < n { i } else { 2 * n - 1 - i }),
                Border::Repeat => Some(i % n),
            };
            i.map(|i| i as usize)
        };
        let value = if let Border::Constant(value) = self.border { value } else { 0.0 };
        let y = HostTensor::from_fn(self.shape(x.shape)?, |index| {
            let place = |(d, &i): (usize, &usize)| place(i, before[d], x.shape[d]);
            index.iter().enumerate().map(place).collect::<Option<Vec<_>>>().map_or(value, |i| x.at(&i))
        });
        Ok(vec![y])
    }

    fn spatial_padding(&self) -> Option<SpatialPadding> {
        if self.border != Border::Constant(0.0) {
            return None;
        }
        match self.growth[..] {
            [Growth::Add(0, 0), Growth::Add(top, bottom), Growth::Add(left, right), Growth::Add(0, 0)] => {
                Some(SpatialPadding { h: [top, bottom], w: [left, right] })
            }
            _ => None,
        }
    }
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
    let six = |dims: &[u32], fill: i32| {
        let mut all = [fill; MAX_RANK];
        let start = MAX_RANK - dims.len();
        all[start..].iter_mut().zip(dims).for_each(|(to, &n)| *to = n as i32);
        all
    };
    let (mut x_shape, mut y_shape, before) = (six(from, 1), six(to, 1), six(before, 0));
    let wide = from.channels() == to.channels() && from.channels().is_multiple_of(4);
    if wide {
        x_shape[MAX_RANK - 1] /= 4;
        y_shape[MAX_RANK - 1] /= 4;
    }
    let items = to.elements() / if wide { 4 } else { 1 };
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let (border, value) = match border {
        Border::Constant(value) => (0, value),
        Border::Reflect => (1, 0.0),
        Border::Symmetric => (2, 0.0),
        Border::Repeat => (3, 0.0),
    };
    let spec = Spec { wg_x, border, ..Default::default() };
    let push = Push { items: items as u32, row_items, wide: wide.into(), value, x_shape, y_shape, before };
    cx.dispatch(dispatch(kernel(cx.store), spec, push, bind, grid), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pad(border: Border, growth: Growth, x: &[f32]) -> Option<Vec<f32>> {
        let x = HostTensor { shape: Shape::from([x.len() as u32]), data: x.to_vec() };
        let y = Pad { border, growth: vec![growth] }.reference(&[Some(&x)]).ok()?.remove(0);
        Some(y.data)
    }

    #[test]
    fn borders() {
        let x = [1.0, 2.0, 3.0];
        let got = |border, growth| pad(border, growth, &x);
        assert_eq!(got(Border::Constant(9.0), Growth::Add(2, 1)), Some(vec![9.0, 9.0, 1.0, 2.0, 3.0, 9.0]));
        assert_eq!(got(Border::Reflect, Growth::Add(2, 1)), Some(vec![3.0, 2.0, 1.0, 2.0, 3.0, 2.0]));
        assert_eq!(got(Border::Symmetric, Growth::Add(2, 1)), Some(vec![2.0, 1.0, 1.0, 2.0, 3.0, 3.0]));
        assert_eq!(got(Border::Repeat, Growth::Times(2)), Some(vec![1.0, 2.0, 3.0, 1.0, 2.0, 3.0]));
        assert_eq!(got(Border::Reflect, Growth::Add(3, 0)), None);
        assert_eq!(got(Border::Symmetric, Growth::Add(0, 4)), None);
    }

    #[test]
    fn only_zeros_around_rows_and_columns_are_spatial() {
        use Growth::Add;
        let spatial = |border, growth: [Growth; 4]| Pad { border, growth: growth.to_vec() }.spatial_padding();
        let zero = Border::Constant(0.0);
        let found = spatial(zero, [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 0)]);
        assert_eq!(found, Some(SpatialPadding { h: [1, 2], w: [3, 4] }));
        assert_eq!(spatial(zero, [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 1)]), None);
        assert_eq!(spatial(zero, [Add(1, 0), Add(1, 2), Add(3, 4), Add(0, 0)]), None);
        assert_eq!(spatial(Border::Constant(1.0), [Add(0, 0), Add(1, 2), Add(3, 4), Add(0, 0)]), None);
    }
}
