//! Recurrent nodes of the model.

use super::super::affine::scaling;
use super::layer::{GATES, Layer, PEEPHOLES, PROJECTION, Product, STATES, Sizes};
use super::operator::LstmIntegers;
use crate::codes::lstm_integers as code;
use crate::error::Unsupported;
use crate::ir::{DType, FixedPoint};
use crate::op::{Def, Operator as _, Parsed};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(in super::super) const DEFS: &[Def] = &[
    Def {
        name: "UNIDIRECTIONAL_SEQUENCE_LSTM",
        builtin: Some(sys::kTfLiteBuiltinUnidirectionalSequenceLstm),
        typed_by: 0,
        takes: &[(DType::I8, 3)],
        parse: |node| {
            let p = node.required_params::<sys::TfLiteUnidirectionalSequenceLSTMParams>()?;
            parse(node, 3, p.time_major, [p.activation as f32, p.cell_clip, p.proj_clip])
        },
    },
    Def {
        name: "LSTM",
        builtin: Some(sys::kTfLiteBuiltinLstm),
        typed_by: 0,
        takes: &[(DType::I8, 4)],
        parse: |node| {
            let p = node.required_params::<sys::TfLiteLSTMParams>()?;
            if p.kernel_type != 0 {
                unsupported!("the basic kernel");
            }
            parse(node, 2, false, [p.activation as f32, p.cell_clip, p.proj_clip])
        },
    },
];

/// TFLite's code for the hyperbolic tangent.
const TANH: f32 = 4.0;

fn parse(
    node: &NodeView<'_>,
    rank: usize,
    time_major: bool,
    [activation, cell_clip, projection_clip]: [f32; 3],
) -> Result<Parsed, Unsupported> {
    node.expect(20..=24, 1)?;
    if activation != TANH {
        unsupported!("activation {activation} (4, the hyperbolic tangent, is supported)");
    }
    let given = |i: usize| i < node.input_count() && node.input(i).is_some();
    if (20..24).any(given) {
        unsupported!("layer normalisation");
    }
    let (x, y) = (node.input_type(0)?, node.output_type(0)?);
    let [state, cell] = STATES.map(|i| node.input_type(i));
    let (state, cell) = (state?, cell?);
    if x.shape.len() != rank {
        unsupported!("input {x}");
    }
    if state.dtype != DType::I8 || cell.dtype != DType::I16 {
        unsupported!("state {state} and cells {cell}");
    }
    if STATES.iter().any(|i| node.input(*i).is_none_or(|tensor| tensor.is_constant())) {
        unsupported!("a constant state");
    }
    let (x_scale, x_zero_point) = scaling(&x)?;
    let (state_scale, state_zero_point) = scaling(&state)?;
    let (y_scale, _) = scaling(&y)?;
    let (cell_scale, _) = scaling(&cell)?;
    let power = cell_scale.log2();
    let cell_bits = 15 + power.round() as i32;
    // TFLite's own tolerance.
    if (power - power.round()).abs() >= 1e-3 || !(-15..=15).contains(&cell_bits) {
        unsupported!("cells of scale {cell_scale}");
    }
    let coupled = !given(GATES[0]);
    let sizes = sizes(node)?;
    // Gates are Q3.12.
    let step = 1.0 / 4096.0;
    let gate = |k: usize| {
        if k == 0 && coupled {
            return Ok(None);
        }
        let [of_x, of_h] = [GATES[k], GATES[k] + 4].map(|i| Ok(scaling(&node.input_type(i)?)?.0));
        Ok(Some([factor(of_x? * x_scale / step)?, factor(of_h? * state_scale / step)?]))
    };
    let Some(hidden) = node.intermediate(4)? else { unsupported!("intermediate 4 is missing") };
    let ([hidden_scale], [hidden_zero_point]) = (&hidden.scale[..], &hidden.zero_point[..]) else {
        unsupported!("{hidden} of intermediate 4");
    };
    let of_hidden = 2f64.powi(-15) / f64::from(*hidden_scale) * 2f64.powi(-15);
    let clip = |clip: f32, scale: f32, most: f32| {
        if clip > 0.0 { (clip / scale).clamp(-most - 1.0, most) as i32 } else { 0 }
    };
    let projection = match given(PROJECTION[0]) {
        true => {
            let (scale, _) = scaling(&node.input_type(PROJECTION[0])?)?;
            let factor = factor(scale * hidden_scale / state_scale)?;
            let product = Product { factor, zero_point: state_zero_point };
            Some((product, clip(projection_clip, y_scale, 127.0)))
        }
        false => None,
    };
    let seen = PEEPHOLES.into_iter().filter(|(gate, i)| given(*i) && !(*gate == 0 && coupled));
    let mut peepholes = [None; 4];
    for (gate, i) in seen {
        let (w_scale, _) = scaling(&node.input_type(i)?)?;
        peepholes[gate] = Some(factor((f64::from(w_scale) * 2f64.powi(cell_bits - 15) * 4096.0) as f32)?);
    }
    // TFLite takes the number of results for that of cells, and goes through several images at once so.
    let at_once = time_major || rank == 2;
    let Sizes { cells, outputs, .. } = sizes;
    if peepholes.iter().any(Option::is_some) && (outputs > cells || outputs < cells && at_once) {
        unsupported!("peepholes of {cells} cells to {outputs} results");
    }
    let layer = Layer {
        sizes,
        gates: [gate(0)?, gate(1)?, gate(2)?, gate(3)?],
        peepholes,
        zero_points: [x_zero_point, state_zero_point],
        cell_bits,
        cell_clip: clip(cell_clip, cell_scale, 32_767.0),
        hidden: Product { factor: factor(of_hidden as f32)?, zero_point: *hidden_zero_point },
        projection,
    };
    if coupled && !layer.squashes() {
        unsupported!("cells of scale {cell_scale} with coupled gates");
    }
    constants(node, &layer)?;
    let op = LstmIntegers { layer, time_major };
    let shapes =
        (0..node.input_count()).map(|i| node.input(i).map(|_| Ok(node.input_type(i)?.shape)).transpose());
    op.infer(&shapes.collect::<Result<Vec<_>, Unsupported>>()?)?;
    Ok(Parsed::new(op))
}

fn factor(x: f32) -> Result<FixedPoint, Unsupported> {
    match FixedPoint::new(x.into()) {
        Some(factor) => Ok(factor),
        None => unsupported!("a product of scales {x}"),
    }
}

fn sizes(node: &NodeView<'_>) -> Result<Sizes, Unsupported> {
    let [of_x, of_h] = [GATES[3], GATES[3] + 4].map(|i| node.input_type(i));
    let (of_x, of_h) = (of_x?.shape, of_h?.shape);
    let ([cells, inputs], [_, outputs]) = (&of_x[..], &of_h[..]) else {
        unsupported!("weights {of_x} and {of_h}");
    };
    let sizes = Sizes { inputs: *inputs, cells: *cells, outputs: *outputs };
    if (*cells).max(*outputs) > code::LSTM_MOST || of_x.elements() == 0 || of_h.elements() == 0 {
        unsupported!("{sizes:?}, {} cells and results at most", code::LSTM_MOST);
    }
    Ok(sizes)
}

/// Requires constant weights and biases of the right types and shapes, with one scale.
fn constants(node: &NodeView<'_>, layer: &Layer) -> Result<(), Unsupported> {
    let Sizes { inputs, cells, outputs } = layer.sizes;
    let require = |i: usize, dtype: DType, dims: &[u32]| {
        let (ty, constant) = (node.input_type(i)?, node.constant(i)?);
        constant.check()?;
        let symmetric = dtype != DType::I8 || scaling(&ty)?.1 == 0;
        if ty.dtype != dtype || constant.stored != dtype || ty.shape[..] != *dims || !symmetric {
            unsupported!("input {i} is {ty}, {dtype}{dims:?} expected");
        }
        Ok(())
    };
    for gate in (0..4).filter(|k| layer.gates[*k].is_some()).map(|k| GATES[k]) {
        require(gate, DType::I8, &[cells, inputs])?;
        require(gate + 4, DType::I8, &[cells, outputs])?;
        require(gate + 11, DType::I32, &[cells])?;
    }
    for (gate, i) in PEEPHOLES {
        if layer.peepholes[gate].is_some() {
            require(i, DType::I16, &[cells])?;
        }
    }
    if layer.projection.is_some() {
        require(PROJECTION[0], DType::I8, &[outputs, cells])?;
        return match node.input(PROJECTION[1]) {
            Some(_) => require(PROJECTION[1], DType::I32, &[outputs]),
            None => Ok(()),
        };
    }
    if cells != outputs {
        unsupported!("{cells} cells become {outputs} results");
    }
    Ok(())
}
