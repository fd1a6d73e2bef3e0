//! A partition's outputs for random inputs, compared between fp16 and fp32.

use super::precision::Verdict;
use crate::error::Result;
use crate::graph::Graph;
use crate::ir::DType;
use crate::noise::Noise;
use crate::program::Store;
use crate::runtime::{Recording, Session};

/// How far fp16 may be from fp32, as a share of an output's range: half of what is promised, since real
/// inputs may be worse than random ones.
const LIMIT: f32 = 5e-3;

/// The lower ends of the ranges of random inputs; the upper end is 1.
const RANGES: [f32; 2] = [-1.0, 0.0];

/// The outputs for random inputs of each of [`RANGES`]. Empty if some input or output is not float: such a
/// partition is not compared, and passes.
pub struct Probe(Vec<Vec<Vec<u8>>>);

impl Probe {
    /// Runs a recording of `graph` that `session` made. The inputs are the same at every call.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn new(session: &mut Session, recording: &Recording, graph: &Graph) -> Result<Self> {
        let mut interface = graph.inputs().iter().chain(graph.outputs());
        if !interface.all(|id| graph.value(*id).ty.dtype == DType::F32) {
            return Ok(Self(Vec::new()));
        }
        RANGES.iter().map(|low| outputs(session, recording, graph, *low)).collect::<Result<_>>().map(Self)
    }
}

fn outputs(session: &mut Session, recording: &Recording, graph: &Graph, low: f32) -> Result<Vec<Vec<u8>>> {
    let mut noise = Noise::new(Noise::SEED, low);
    let mut tensor = |bytes| noise.bytes(bytes, Store::F32);
    let inputs: Vec<_> = graph.inputs().iter().map(|id| tensor(graph.value(*id).ty.bytes())).collect();
    let bytes = |id| graph.value(id).ty.bytes() as usize;
    let mut outputs: Vec<_> = graph.outputs().iter().map(|id| vec![0; bytes(*id)]).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    session.run(recording, &inputs, &mut slices)?;
    Ok(outputs)
}

/// Compares the outputs of `graph` in both precisions for the same inputs.
pub fn compare(graph: &Graph, fp16: &Probe, fp32: &Probe) -> Verdict {
    for ((low, got), want) in RANGES.iter().zip(&fp16.0).zip(&fp32.0) {
        for ((id, got), want) in graph.outputs().iter().zip(got).zip(want) {
            let moved = difference(&floats(want), &floats(got));
            let what = format!("output {} by {:.2} % of its range", graph.value(*id).name, 100.0 * moved);
            log::debug!("on noise from {low}, fp16 moves {what}");
            if moved.is_nan() || moved > LIMIT {
                return Verdict::Moves(what);
            }
        }
    }
    Verdict::Holds
}

/// The largest difference over the largest magnitude of `want`; NaN if `got` is NaN where `want` is finite.
fn difference(want: &[f32], got: &[f32]) -> f32 {
    let range = want.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let gap = |(w, g): (&f32, &f32)| if w.is_finite() { (w - g).abs() } else { 0.0 };
    let worse = |a: f32, b: f32| if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) };
    let most = want.iter().zip(got).map(gap).fold(0.0, worse);
    if most == 0.0 { 0.0 } else { most / range }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shares_of_the_range() {
        assert_eq!(difference(&[1.0, -4.0], &[1.0, -3.0]), 0.25);
        assert_eq!(difference(&[0.0], &[0.0]), 0.0);
        assert!(difference(&[1.0, 2.0], &[f32::NAN, 2.0]).is_nan());
        assert_eq!(difference(&[1.0], &[f32::INFINITY]), f32::INFINITY);
    }
}
