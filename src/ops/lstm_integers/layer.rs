//! The numbers of a recurrent layer, and one step in time.

use crate::codes::lstm_integers as code;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::fixed_functions_16::{logistic, table, tanh};
use crate::ir::{Constant, FixedPoint, rounding_right};
use crate::unsupported;

/// The operand that holds the state, and the one that holds the cells.
pub(super) const STATES: [usize; 2] = [18, 19];
/// The projection's weights and biases.
pub(super) const PROJECTION: [usize; 2] = [16, 17];
/// The weights of a gate are this operand and the one four behind it, its bias the one eleven behind it. Gates are in
/// TFLite's order: input, forget, cell, output.
pub(super) const GATES: [usize; 4] = [1, 2, 3, 4];

/// The gates that may see cells, and the operands with their weights for these.
pub(super) const PEEPHOLES: [(usize, usize); 3] = [(0, 9), (1, 10), (3, 11)];

/// How many elements inputs, cells and results have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Sizes {
    pub inputs: u32,
    pub cells: u32,
    pub outputs: u32,
}

/// What a sum of products becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// It is multiplied by this,
    pub factor: FixedPoint,
    /// and this is added.
    pub zero_point: i32,
}

/// A recurrent layer without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// How large it is.
    pub sizes: Sizes,
    /// What the input's part and the state's part of each gate is multiplied by, in TFLite's order. Without an input
    /// gate the forget gate tells both.
    pub gates: [Option<[FixedPoint; 2]>; 4],
    /// What cells times their weights are multiplied by on their way to a gate, if gates see cells. They see the first
    /// ones, as many as there are results.
    pub peepholes: [Option<FixedPoint>; 4],
    /// What stands for 0 in the input and in the state.
    pub zero_points: [i32; 2],
    /// Bits in front of a cell's point.
    pub cell_bits: i32,
    /// Cells stay between this and its negative; 0 for any.
    pub cell_clip: i32,
    /// Of cells times the output gate.
    pub hidden: Product,
    /// Of the projection, with what results stay within, as cells do.
    pub projection: Option<(Product, i32)>,
}

/// Words of `n` bytes.
fn words_of(n: usize) -> usize {
    n.div_ceil(4)
}

fn pack(row: &[i64]) -> impl Iterator<Item = i32> + '_ {
    row.chunks(4).map(|four| {
        let byte = |i: usize| four.get(i).map_or(0, |x| *x as u8);
        i32::from_le_bytes([0, 1, 2, 3].map(byte))
    })
}

fn unpack(words: &[i32]) -> impl Iterator<Item = i32> + '_ {
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| i32::from(byte.cast_signed()))
}

impl Layer {
    /// How many words [`words`](Self::words) gives.
    pub(super) fn word_count(&self) -> u64 {
        let Sizes { inputs, cells, outputs } = self.sizes;
        let [inputs, cell_words, output_words] = [inputs, cells, outputs].map(|n| u64::from(n.div_ceil(4)));
        let (cells, outputs) = (u64::from(cells), u64::from(outputs));
        let projection = if self.projection.is_some() { outputs * (cell_words + 1) } else { 0 };
        let peepholes = if self.sees_cells() { PEEPHOLES.len() as u64 * outputs } else { 0 };
        u64::from(code::NUMBERS) + 4 * cells * (inputs + output_words + 2) + projection + peepholes
    }

    /// Everything that is constant in the order in which the kernel reads it; `operands` are the node's.
    pub(super) fn words(&self, operands: &[Option<Constant>]) -> Result<Vec<i32>, Unsupported> {
        let Sizes { inputs, cells, outputs } = self.sizes;
        let [inputs, cells, outputs] = [inputs, cells, outputs].map(|n| n as usize);
        let numbers = |i: usize, n: usize| match operands.get(i) {
            Some(Some(constant)) if constant.shape.elements() == n as u64 => constant.to_i64(),
            Some(Some(constant)) => unsupported!("operand {i} {constant:?}, {n} elements expected"),
            _ => unsupported!("operand {i} is not constant"),
        };
        let mut words = filled(code::NUMBERS.into(), 0, &"numbers")?;
        let mut put = |at: usize, numbers: &[i32]| words[at..][..numbers.len()].copy_from_slice(numbers);
        for (k, [x, h]) in self.gates.iter().enumerate().filter_map(|(k, gate)| Some((k, (*gate)?))) {
            put(k * 4, &[x.multiplier, x.shift, h.multiplier, h.shift]);
        }
        let product = |p: &Product| [p.factor.multiplier, p.factor.shift, p.zero_point];
        put(code::NUMBER_HIDDEN as usize, &product(&self.hidden));
        if let Some((projection, clip)) = &self.projection {
            put(code::NUMBER_PROJECTION as usize, &product(projection));
            put(code::NUMBER_PROJECTION_CLIP as usize, &[*clip]);
        }
        for (n, (gate, _)) in PEEPHOLES.into_iter().enumerate() {
            if let Some(factor) = self.peepholes[gate] {
                put(code::NUMBER_PEEPHOLES as usize + 2 * n, &[factor.multiplier, factor.shift]);
            }
        }
        put(code::NUMBER_CELL_CLIP as usize, &[self.cell_clip]);
        put(code::NUMBER_CELL_SHIFT as usize, &[15 + self.cell_bits]);
        let sum = |row: &[i64], by: i32| row.iter().sum::<i64>().wrapping_mul(by.into()) as i32;
        let mut biases = Vec::new();
        for (k, gate) in GATES.into_iter().enumerate() {
            if self.gates[k].is_none() {
                words.resize(words.len() + cells * (words_of(inputs) + words_of(outputs)), 0);
                biases.resize(biases.len() + 2 * cells, 0);
                continue;
            }
            let (from_x, from_h) = (numbers(gate, cells * inputs)?, numbers(gate + 4, cells * outputs)?);
            let bias = numbers(gate + 11, cells)?;
            for ((x, h), bias) in from_x.chunks(inputs).zip(from_h.chunks(outputs)).zip(bias) {
                words.extend(pack(x).chain(pack(h)));
                let [of_x, of_h] = self.zero_points.map(|n| -n);
                biases.extend([sum(x, of_x).wrapping_add(bias as i32), sum(h, of_h)]);
            }
        }
        words.append(&mut biases);
        if self.projection.is_some() {
            let rows = numbers(PROJECTION[0], outputs * cells)?;
            let bias = match operands.get(PROJECTION[1]) {
                Some(Some(_)) => numbers(PROJECTION[1], outputs)?,
                _ => filled(outputs as u64, 0, &"biases")?,
            };
            words.extend(rows.chunks(cells).flat_map(pack));
            let of_hidden = self.hidden.zero_point;
            words.extend(
                rows.chunks(cells).zip(bias).map(|(row, b)| sum(row, of_hidden).wrapping_add(b as i32)),
            );
        }
        for (gate, operand) in PEEPHOLES.into_iter().filter(|_| self.sees_cells()) {
            match self.peepholes[gate] {
                Some(_) => words.extend(numbers(operand, cells)?[..outputs].iter().map(|n| *n as i32)),
                None => words.resize(words.len() + outputs, 0),
            }
        }
        Ok(words)
    }

    /// Whether gates see cells.
    pub(super) fn sees_cells(&self) -> bool {
        self.peepholes.iter().any(Option::is_some)
    }

    /// Whether TFLite has a hyperbolic tangent for such cells. Where it has none, the values of the input gate take its
    /// place, which its kernels find in the same memory.
    pub(super) fn squashes(&self) -> bool {
        (0..=6).contains(&self.cell_bits)
    }

    /// The logistic function, the hyperbolic tangent, and that of cells, of all 16-bit integers.
    pub(super) fn tables(&self) -> [Vec<i16>; 3] {
        [table(logistic), table(|x| tanh(x, 3)), table(|x| tanh(x, self.cell_bits.clamp(0, 6)))]
    }

    /// One step in time of one image; `words` and `tables` are this layer's.
    pub(super) fn advance(
        &self,
        words: &[i32],
        tables: &[Vec<i16>; 3],
        x: &[i32],
        state: &mut [i32],
        cell: &mut [i32],
    ) {
        let (cells, outputs) = (cell.len(), state.len());
        let [x_words, h_words] = [x.len(), outputs].map(words_of);
        let weights = code::NUMBERS as usize;
        let biases = weights + 4 * cells * (x_words + h_words);
        let projection = biases + 8 * cells;
        let peepholes =
            projection + if self.projection.is_some() { outputs * (words_of(cells) + 1) } else { 0 };
        let look_up = |n: usize, x: i32| i32::from(tables[n][(x + 32_768) as usize]);
        let short = |x: i32| x.clamp(-32_768, 32_767);
        let sum = |bias: usize, row: &[i32], numbers: &[i32]| {
            unpack(row).zip(numbers).fold(words[bias], |sum, (w, x)| sum.wrapping_add(w * x))
        };
        let seen = |k: usize, c: usize, cell: i32| match self.peepholes[k] {
            Some(factor) if c < outputs => factor.times(words[peepholes + k.min(2) * outputs + c] * cell),
            _ => 0,
        };
        let gate = |k: usize, c: usize, state: &[i32], cell: i32| {
            let Some([of_x, of_h]) = self.gates[k] else { return 0 };
            let at = k * cells + c;
            let row = &words[weights + at * (x_words + h_words)..][..x_words + h_words];
            let part = short(of_x.times(sum(biases + 2 * at, &row[..x_words], x)));
            let part = short(part + of_h.times(sum(biases + 2 * at + 1, &row[x_words..], state)));
            short(part + seen(k, c, cell))
        };
        let mut hidden = Vec::new();
        for (c, cell) in cell.iter_mut().enumerate() {
            let forget = look_up(0, gate(1, c, state, *cell));
            let into = match self.gates[0] {
                Some(_) => look_up(0, gate(0, c, state, *cell)),
                None => 32_767 - forget,
            };
            let added = rounding_right(into * look_up(1, gate(2, c, state, 0)), 15 + self.cell_bits);
            let now = short(short(rounding_right(forget * *cell, 15)) + i32::from(added as i16));
            *cell = if self.cell_clip > 0 { now.clamp(-self.cell_clip, self.cell_clip) } else { now };
            let Product { factor, zero_point } = self.hidden;
            let zero_point = if self.projection.is_some() { -zero_point } else { zero_point };
            let squashed = if self.squashes() { look_up(2, *cell) } else { into };
            let product = factor.times(look_up(0, gate(3, c, state, *cell)) * squashed);
            hidden.push((product + zero_point).clamp(-128, 127));
        }
        let Some((Product { factor, zero_point }, clip)) = self.projection else {
            return state.copy_from_slice(&hidden);
        };
        let row_words = words_of(cells);
        for (o, y) in state.iter_mut().enumerate() {
            let row = &words[projection + o * row_words..][..row_words];
            let sum = sum(projection + outputs * row_words + o, row, &hidden);
            let projected = (factor.times(sum).wrapping_add(zero_point)).clamp(-128, 127);
            *y = if clip > 0 { projected.clamp(-clip, clip) } else { projected };
        }
    }
}
