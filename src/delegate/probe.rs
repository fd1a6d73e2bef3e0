//! A partition's outputs for the same inputs, compared between fp16 and fp32.

use std::fmt;

use super::precision::Verdict;
use crate::error::Result;
use crate::graph::Graph;
use crate::ir::DType;
use crate::noise::Noise;
use crate::program::Store;
use crate::runtime::{Recording, Session};

/// How far fp16 may be from fp32, as a share of an output's range: half of what is promised, since later
/// inputs may be worse.
const LIMIT: f32 = 5e-3;

/// The lower ends of the ranges of random inputs; the upper end is 1.
const RANGES: [f32; 2] = [-1.0, 0.0];

/// Inputs on which both precisions run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Case {
    /// Random numbers from this one to 1.
    Noise(f32),
    /// The inputs of the partition's first run.
    FirstInputs,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise(low) => write!(f, "on noise from {low}"),
            Self::FirstInputs => f.write_str("on the first inputs"),
        }
    }
}

/// A partition's outputs in one precision, by case.
#[derive(Default)]
pub struct Probe(Vec<(Case, Vec<Vec<u8>>)>);

impl Probe {
    /// Runs a recording of `graph` that `session` made on random inputs, the same at every call. A partition
    /// with an input that is not float has no such case.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn on_noise(session: &mut Session, recording: &Recording, graph: &Graph) -> Result<Self> {
        let mut probe = Self::default();
        if graph.inputs().iter().any(|id| graph.value(*id).ty.dtype != DType::F32) {
            return Ok(probe);
        }
        for low in RANGES {
            let mut noise = Noise::new(Noise::SEED, low);
            let mut tensor = |bytes| noise.bytes(bytes, Store::F32);
            let inputs: Vec<_> =
                graph.inputs().iter().map(|id| tensor(graph.value(*id).ty.bytes())).collect();
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            probe.add(Case::Noise(low), outputs(session, recording, graph, &inputs)?);
        }
        Ok(probe)
    }

    /// Adds the outputs of one case, in the order of the graph's.
    pub fn add(&mut self, case: Case, outputs: Vec<Vec<u8>>) {
        self.0.push((case, outputs));
    }
}

/// Runs a recording of `graph` that `session` made.
///
/// # Errors
/// See [`Session::run`].
pub fn outputs(
    session: &mut Session,
    recording: &Recording,
    graph: &Graph,
    inputs: &[&[u8]],
) -> Result<Vec<Vec<u8>>> {
    let bytes = |id| graph.value(id).ty.bytes() as usize;
    let mut outputs: Vec<_> = graph.outputs().iter().map(|id| vec![0; bytes(*id)]).collect();
    let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    session.run(recording, inputs, &mut slices)?;
    Ok(outputs)
}

/// Compares the float outputs of `graph` in the cases that both precisions have.
pub fn compare(graph: &Graph, fp16: &Probe, fp32: &Probe) -> Verdict {
    for ((case, got), (_, want)) in fp16.0.iter().zip(&fp32.0) {
        for ((id, got), want) in graph.outputs().iter().zip(got).zip(want) {
            let value = graph.value(*id);
            if value.ty.dtype != DType::F32 {
                continue;
            }
            let moved = difference(&floats(want), &floats(got));
            let what = match moved.is_nan() {
                true => format!("fp16 moves output {} to infinity or NaN", value.name),
                false => format!("fp16 moves output {} by {:.2} % of its range", value.name, 100.0 * moved),
            };
            log::debug!("{case}, {what}");
            if moved.is_nan() || moved > LIMIT {
                return Verdict::Moves(match case {
                    Case::Noise(_) => what,
                    Case::FirstInputs => format!("{case}, {what}"),
                });
            }
        }
    }
    Verdict::Holds
}

/// The largest difference over the largest finite magnitude of `want`; NaN if `got` is infinite or NaN where
/// `want` is finite. Where `want` is not finite, `got` may be anything.
fn difference(want: &[f32], got: &[f32]) -> f32 {
    let (mut range, mut most) = (0.0f32, 0.0f32);
    for (want, got) in want.iter().zip(got).filter(|(want, _)| want.is_finite()) {
        if !got.is_finite() {
            return f32::NAN;
        }
        range = range.max(want.abs());
        most = most.max((want - got).abs());
    }
    if most == 0.0 { 0.0 } else { most / range }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::TensorType;

    #[test]
    fn differences_are_shares_of_the_range() {
        assert_eq!(difference(&[1.0, -4.0], &[1.0, -3.0]), 0.25);
        assert_eq!(difference(&[0.0], &[0.0]), 0.0);
        assert_eq!(difference(&[0.0], &[1.0]), f32::INFINITY);
        assert_eq!(difference(&[], &[]), 0.0);
    }

    #[test]
    fn infinity_and_nan_count_where_fp32_has_none() {
        for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(difference(&[1.0, 2.0], &[bad, 2.0]).is_nan());
            assert!(difference(&[bad, 2.0], &[bad, bad]).is_nan());
            assert_eq!(difference(&[bad, 2.0], &[1.0, 2.0]), 0.0);
            // It hides no other element.
            assert_eq!(difference(&[bad, 2.0], &[bad, 1.0]), 0.5);
        }
    }

    /// A graph with outputs of these types.
    fn graph(types: [TensorType; 2]) -> Graph {
        let mut graph = Graph::default();
        let outputs = ["y", "z"].into_iter().zip(types).map(|(name, ty)| graph.add_value(name, ty, None));
        let outputs = outputs.collect();
        graph.set_interface(Vec::new(), outputs);
        graph
    }

    fn probe(case: Case, outputs: [f32; 2]) -> Probe {
        Probe(vec![(case, outputs.map(|x| x.to_le_bytes().to_vec()).to_vec())])
    }

    #[test]
    fn a_verdict_names_the_output_and_the_first_inputs() {
        let graph = graph([TensorType::f32([1]), TensorType::f32([1])]);
        let verdict = |case, z| compare(&graph, &probe(case, [1.0, z]), &probe(case, [1.0, 4.0]));
        let moves = |text: &str| Verdict::Moves(text.into());
        assert_eq!(verdict(Case::FirstInputs, 4.01), Verdict::Holds);
        assert_eq!(verdict(Case::Noise(0.0), 3.0), moves("fp16 moves output z by 25.00 % of its range"));
        let text = "on the first inputs, fp16 moves output z by 25.00 % of its range";
        assert_eq!(verdict(Case::FirstInputs, 5.0), moves(text));
        let text = "on the first inputs, fp16 moves output z to infinity or NaN";
        assert_eq!(verdict(Case::FirstInputs, f32::INFINITY), moves(text));
    }

    #[test]
    fn only_floats_and_cases_of_both_are_compared() {
        let graph = graph([TensorType::f32([1]), TensorType { dtype: DType::I32, ..TensorType::f32([1]) }]);
        let [fp16, fp32] = [[1.0, 2.0], [1.0, 3.0]].map(|outputs| probe(Case::FirstInputs, outputs));
        assert_eq!(compare(&graph, &fp16, &fp32), Verdict::Holds);
        let fp32 = probe(Case::FirstInputs, [2.0, 3.0]);
        assert_ne!(compare(&graph, &fp16, &fp32), Verdict::Holds);
        assert_eq!(compare(&graph, &Probe::default(), &fp32), Verdict::Holds);
    }
}
