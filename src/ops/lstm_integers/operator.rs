//! A recurrent layer as an operator.

use super::layer::{Layer, PROJECTION, STATES, Sizes};
use crate::codes::lstm_integers as code;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{Constant, DType, HostTensor, Shape};
use crate::kernel::table::lstm_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Operator, operand};
use crate::program::{BufferId, Element};
use crate::unsupported;

/// A recurrent layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmIntegers {
    /// Its numbers.
    pub layer: Layer,
    /// Whether steps in time are the outermost dimension, in front of the batch.
    pub time_major: bool,
}

/// Images of a batch, and steps in time.
#[derive(Clone, Copy)]
struct Extent {
    batch: u32,
    steps: u32,
}

impl LstmIntegers {
    fn extent(&self, x: &Shape) -> Result<Extent, Unsupported> {
        match x[..] {
            [batch, _] => Ok(Extent { batch, steps: 1 }),
            [steps, batch, _] if self.time_major => Ok(Extent { batch, steps }),
            [batch, steps, _] => Ok(Extent { batch, steps }),
            _ => unsupported!("{x} is no sequence"),
        }
    }

    /// Rounds of the loops of an invocation of `wg` for one step in time.
    fn rounds(&self, wg: u32) -> u64 {
        let Sizes { cells, outputs, .. } = self.layer.sizes;
        let [words, inner] = [outputs, cells].map(|n| u64::from(n.div_ceil(4)) + 1);
        let projected = if self.layer.projection.is_some() { inner } else { 1 };
        u64::from(cells.div_ceil(wg)) * 4 * words + u64::from(outputs.div_ceil(wg)) * projected + 1
    }

    /// Writes integers of 32 bits to result `i`.
    fn pack(&self, cx: &mut Lower<'_>, from: BufferId, i: usize) -> Result<(), Unsupported> {
        let (elements, element, y) = (cx.output(i).shape.elements(), element_of(cx, i), cx.y(i));
        let items = elements.div_ceil(4 / element.bytes());
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let spec = Spec {
            wg_x,
            a_form: form(Element::I32),
            y_form: form(element),
            stage: code::STAGE_PACK,
            ..Default::default()
        };
        let push = Push { items: items as u32, row_items, elements: elements as u32, ..Default::default() };
        let (a, b, gates) = (from, from, from);
        let scratch = cx.scratch(4);
        let bind = Bind { a, b, constants: from, tables: from, gates, y, state: scratch, cell: scratch };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid), elements)
    }
}

/// How result `i` is stored.
fn element_of(cx: &Lower<'_>, i: usize) -> Element {
    Element::of(cx.output(i).dtype, cx.store, cx.caps.features)
}

impl Operator for LstmIntegers {
    fn states(&self) -> &'static [usize] {
        &STATES
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, [state, cell]) = (operand(inputs, 0)?, STATES.map(|i| operand(inputs, i)));
        let (state, cell, sizes) = (state?, cell?, self.layer.sizes);
        let Extent { batch, .. } = self.extent(&x)?;
        if x.channels() != sizes.inputs {
            unsupported!("{x}, {} inputs expected", sizes.inputs);
        }
        if state[..] != [batch, sizes.outputs] || cell[..] != [batch, sizes.cells] {
            unsupported!("{x} with states {state} and cells {cell}");
        }
        let mut y = x.to_vec();
        y.pop();
        y.push(sizes.outputs);
        Ok(vec![Shape::new(&y), state, cell])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x_shape = cx.input(0).shape;
        let (Sizes { inputs, cells, outputs }, Extent { batch, steps }) =
            (self.layer.sizes, self.extent(&x_shape)?);
        let rows = u64::from(batch) * u64::from(steps);
        let constants: Vec<Option<Constant>> =
            (0..=PROJECTION[1]).map(|i| cx.has_input(i).then(|| cx.constant(i).cloned()).flatten()).collect();
        let layer = self.layer.clone();
        let bytes = 4 * layer.word_count();
        let fill = move |to: &mut [u8]| {
            let words = layer.words(&constants).unwrap_or_else(|e| unreachable!("checked before: {e}"));
            for (to, word) in to.as_chunks_mut().0.iter_mut().zip(words) {
                *to = word.to_le_bytes();
            }
        };
        let weights = cx.weights(2, &format!("recurrent/{:?}", self.layer), bytes, fill)?;
        let layer = self.layer.clone();
        let name = format!("activations/{}", layer.cell_bits);
        let fill = move |to: &mut [u8]| {
            for (to, x) in to.as_chunks_mut().0.iter_mut().zip(layer.tables().iter().flatten()) {
                *to = x.to_le_bytes();
            }
        };
        let tables = cx.weights(2, &name, 3 * (2 << 16), fill)?;

        let base = Push { batch, steps, inputs, cells, outputs, ..Default::default() };
        let flags = Spec {
            time_major: self.time_major,
            coupled: self.layer.gates[0].is_none(),
            projection: self.layer.projection.is_some(),
            squashed: self.layer.squashes(),
            peepholes: self.layer.sees_cells(),
            ..Default::default()
        };
        let gates = cx.scratch(rows * 16 * u64::from(cells));
        let ints = |cx: &mut Lower<'_>, n: u64| cx.scratch(4 * n.max(1));
        let y = ints(cx, rows * u64::from(outputs));
        let new_states =
            |cx: &mut Lower<'_>| [outputs, cells].map(|n| ints(cx, u64::from(batch) * u64::from(n)));
        let mut next = new_states(cx);

        let items = rows * 4 * u64::from(cells);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        cx.expect_rounds(u64::from(inputs))?;
        let (x, x_form) = (cx.x(0)?, form(cx.element_of(0)));
        let spec = Spec { wg_x, a_form: x_form, b_form: x_form, stage: code::STAGE_INPUT, ..flags };
        let push = Push { items: items as u32, row_items, ..base };
        let bind = Bind { a: x, b: x, constants: weights, tables, gates, y, state: next[0], cell: next[1] };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid), items * 2 * u64::from(inputs))?;

        let wg_x = cx.caps.max_joined().min(cells.next_power_of_two());
        let rounds = self.rounds(wg_x);
        cx.expect_rounds(rounds)?;
        let most = (u64::from(cx.caps.machine.max_rounds) / rounds).min(steps.into()).max(1) as u32;
        let (grid, row_items) = cx.group_grid(batch.into())?;
        let mut held = [cx.x(STATES[0])?, cx.x(STATES[1])?];
        let mut forms = STATES.map(|i| form(cx.element_of(i)));
        for first in (0..steps.max(1)).step_by(most as usize) {
            if first > 0 {
                (held, forms) = (next, [form(Element::I32); 2]);
                next = new_states(cx);
            }
            let spec = Spec { wg_x, a_form: forms[0], b_form: forms[1], stage: code::STAGE_STEPS, ..flags };
            let end = first.saturating_add(most).min(steps);
            let push = Push { row_items, first, end, ..base };
            let [a, b] = held;
            let bind = Bind { a, b, constants: weights, tables, gates, y, state: next[0], cell: next[1] };
            let ops = u64::from(end - first) * u64::from(batch) * 8 * u64::from(cells) * u64::from(outputs);
            cx.dispatch(dispatch(kernel(), spec, push, bind, grid), ops)?;
        }
        [y, next[0], next[1]].into_iter().enumerate().try_for_each(|(i, from)| self.pack(cx, from, i))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let shapes: Vec<Option<Shape>> = inputs.iter().map(|x| x.map(|x| x.shape)).collect();
        let [y_shape, state_shape, cell_shape] = self.infer(&shapes)?[..] else {
            unreachable!("three results")
        };
        let Extent { batch, steps } = self.extent(&x.shape)?;
        let Sizes { inputs: columns, cells, outputs } = self.layer.sizes;
        let constants: Vec<Option<Constant>> =
            inputs[..=PROJECTION[1]].iter().map(|x| x.map(Constant::from_host)).collect();
        let numbers = self.layer.words(&constants)?;
        let tables = self.layer.tables();
        let ints = |x: &HostTensor| -> Result<Vec<i32>, Unsupported> {
            Ok(x.to_i64()?.into_iter().map(|x| x as i32).collect())
        };
        let x = ints(x)?;
        let (mut state, mut cell) = (ints(operand(inputs, STATES[0])?)?, ints(operand(inputs, STATES[1])?)?);
        let mut y = filled(y_shape.elements(), 0, &y_shape)?;
        let [columns, cells, outputs] = [columns, cells, outputs].map(|n| n as usize);
        for image in 0..batch as usize {
            let state = &mut state[image * outputs..][..outputs];
            let cell = &mut cell[image * cells..][..cells];
            for t in 0..steps as usize {
                let row = match self.time_major {
                    true => t * batch as usize + image,
                    false => image * steps as usize + t,
                };
                self.layer.advance(&numbers, &tables, &x[row * columns..][..columns], state, cell);
                y[row * outputs..][..outputs].copy_from_slice(state);
            }
        }
        let tensor = |dtype, shape, data: Vec<i32>| {
            let mut next = data.into_iter();
            let bits = |_: &[usize]| u64::from(next.next().unwrap_or(0).cast_unsigned());
            HostTensor::moved(dtype, shape, bits)
        };
        Ok(vec![
            tensor(DType::I8, y_shape, y)?,
            tensor(DType::I8, state_shape, state)?,
            tensor(DType::I16, cell_shape, cell)?,
        ])
    }
}
