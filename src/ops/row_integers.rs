//! The kernel of functions of rows of integers.

use crate::codes::row_integers as code;
use crate::error::Unsupported;
use crate::ir::FixedPoint;
use crate::kernel::table::row_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::program::BufferId;
use crate::unsupported;

/// What the kernel computes of each row, the last dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowFunction {
    /// Its number in the kernel.
    pub function: u32,
    /// What differences to the largest element are multiplied by.
    pub factor: FixedPoint,
    /// The least of these differences that counts.
    pub least_difference: i32,
    /// What the logarithm becomes a difference by.
    pub reverse: FixedPoint,
    /// The operand's.
    pub zero_point: i32,
}

impl RowFunction {
    /// A function without parameters.
    pub(super) fn new(function: u32) -> Self {
        let none = FixedPoint { multiplier: 0, shift: 0 };
        Self { function, factor: none, least_difference: 0, reverse: none, zero_point: 0 }
    }

    /// Result 0 = the function of each row of operand 0; the kernel reads the function's values in `table`.
    pub(super) fn emit(&self, cx: &mut Lower<'_>, table: Option<BufferId>) -> Result<(), Unsupported> {
        let (shape, elements) = (cx.output(0).shape, cx.output(0).shape.elements());
        if elements == 0 {
            return Ok(());
        }
        let Some([least, most]) = cx.output(0).dtype.range() else {
            unsupported!("{} is no type of integers", cx.output(0))
        };
        let (x, y, x_element, y_element) = (cx.x(0)?, cx.y(0), cx.element_of(0), cx.element());
        let (channels, rows) = (shape.channels(), shape.rows());
        let lanes = 4 / x_element.bytes();
        let wide = x_element.bytes() == y_element.bytes() && (rows == 1 || u64::from(channels) % lanes == 0);
        let push = Push {
            items: rows,
            row_groups: 0,
            elements: elements as u32,
            channels,
            multiplier: self.factor.multiplier,
            shift: self.factor.shift,
            least_difference: self.least_difference,
            reverse_multiplier: self.reverse.multiplier,
            reverse_shift: self.reverse.shift,
            zero_point: self.zero_point,
            least: least as i32,
            most: most as i32,
        };
        let spec = Spec {
            x_form: form(x_element),
            y_form: form(y_element),
            wide,
            function: self.function,
            stage: if wide { code::STAGE_WHOLE } else { code::STAGE_FIND },
            ..Default::default()
        };
        // An invocation reads its elements one by one.
        let [wg_x, wg_y] = cx.row_workgroup(channels, 12)?;
        let (grid, row_groups) = cx.group_grid(u64::from(rows.div_ceil(wg_y)))?;
        let found = if wide { y } else { cx.scratch(u64::from(rows) * 12) };
        let bind = || Bind { x, y, table: table.unwrap_or(x), found };
        let launch =
            dispatch(kernel(), Spec { wg_x, wg_y, ..spec }, Push { row_groups, ..push }, bind(), grid);
        cx.dispatch(launch, elements * 20)?;
        if wide {
            return Ok(());
        }
        let items = elements.div_ceil(4 / y_element.bytes());
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let push = Push { items: items as u32, row_groups: row_items / wg_x, ..push };
        let spec = Spec { wg_x, stage: code::STAGE_RESULTS, ..spec };
        cx.dispatch(dispatch(kernel(), spec, push, bind(), grid), elements * 10)
    }
}
