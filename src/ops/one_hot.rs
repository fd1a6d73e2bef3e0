//! ONE_HOT: a new dimension along which one element, the one that an index names, differs from the others.
//!
//! `y[p…, d, s…] = on` where `x[p…, s…] = d`, else `off`. Taken for every element type but int16 up to rank 6, with
//! indices in 32 or 64 bits and constant depth and values.

use crate::error::Unsupported;
use crate::ir::DType::{Bool, F32, I8, I32, I64, U8};
use crate::ir::{HostTensor, MAX_RANK, Scalar, Shape};
use crate::kernel::table::one_hot::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "ONE_HOT",
    builtin: Some(sys::kTfLiteBuiltinOneHot),
    typed_by: 2,
    takes: &of([F32, I64, I32, I8, U8, Bool], 1),
    parse,
}];

/// Indices as vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneHot {
    /// Where the new dimension stands in the result.
    pub axis: usize,
    /// Its size.
    pub depth: u32,
    /// The element that an index names.
    pub on: Scalar,
    /// All others.
    pub off: Scalar,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(4..=4, 1)?;
    let indices = node.input_type(0)?;
    if !matches!(indices.dtype, I64 | I32) {
        unsupported!("indices {indices}");
    }
    let depth = match node.ints(1)?[..] {
        [depth] => u32::try_from(depth).map_err(|_| Unsupported(format!("depth {depth}")))?,
        ref all => unsupported!("{} depths, 1 expected", all.len()),
    };
    let value = |i: usize| {
        let value = node.constant(i)?.on_host()?;
        if value.shape.elements() != 1 || value.dtype() != node.input_type(2)?.dtype {
            unsupported!("a value {}{}", value.dtype(), value.shape);
        }
        Ok(value.scalar(&[]))
    };
    let (rank, axis) = (indices.shape.len(), node.required_params::<sys::TfLiteOneHotParams>()?.axis);
    let axis = match usize::try_from(axis) {
        Ok(axis) if axis <= rank => axis,
        Err(_) if axis == -1 => rank,
        _ => unsupported!("{indices} cannot get a dimension {axis}"),
    };
    let op = OneHot { axis, depth, on: value(2)?, off: value(3)? };
    op.infer(&[Some(indices.shape)])?;
    Ok(Parsed::new(op))
}

impl Operator for OneHot {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let mut dims = operand(inputs, 0)?.to_vec();
        if self.axis > dims.len() || dims.len() == MAX_RANK {
            unsupported!("rank {} cannot get a dimension {}", dims.len(), self.axis);
        }
        dims.insert(self.axis, self.depth);
        Ok(vec![Shape::new(&dims)])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (element, elements) = (cx.element(), cx.output(0).shape.elements());
        let items = elements.div_ceil((4 / element.bytes()).max(1));
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let words = |x: Scalar| match x.dtype {
            F32 => Element::F32.words(x),
            _ => Element::I64.words(Scalar { dtype: I64, ..x }),
        };
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            depth: self.depth,
            suffix: Shape::slice(&cx.input(0).shape[self.axis..]),
            on: words(self.on),
            off: words(self.off),
        };
        let spec = Spec { wg_x, index: form(cx.element_of(0)), form: form(element), ..Default::default() };
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid), 0)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let y = HostTensor::moved(self.on.dtype, self.infer(&[Some(x.shape)])?[0], |i| {
            let mut at = i.to_vec();
            let d = at.remove(self.axis);
            if x.bits(&at) as u32 == d as u32 { self.on.bits } else { self.off.bits }
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn rows_of_a_unit_matrix() {
        let x = HostTensor { shape: Shape::from([3]), data: Data::I32(vec![1, -1, 0]) };
        let [on, off] = [3, -1].map(|x| Scalar::int(I8, x));
        let y = |axis| {
            let y = OneHot { axis, depth: 2, on, off }.reference(&[Some(&x)]).unwrap().remove(0);
            (y.shape, y.data)
        };
        assert_eq!(y(1), (Shape::from([3, 2]), Data::I8(vec![-1, 3, -1, -1, 3, -1])));
        assert_eq!(y(0), (Shape::from([2, 3]), Data::I8(vec![-1, -1, 3, 3, -1, -1])));
    }
}
