//! Runs a partition on the same inputs in both precisions, and compares the outputs.

use std::fmt;

use super::precision::Verdict;
use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::ir::DType;
use crate::ir::bounded::filled;
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
enum Case {
    /// Random numbers from this one to 1.
    Noise(f32),
    /// The inputs of the partition's first run.
    FirstInputs,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise(low) => write!(f, "on random inputs from {low}"),
            Self::FirstInputs => f.write_str("on the first inputs"),
        }
    }
}

/// fp32's outputs for random inputs, by the lower end of their range. None for a partition with an input that
/// is not float.
pub struct Probe(Vec<(f32, Vec<Vec<u8>>)>);

impl Probe {
    /// Runs a recording in fp32 of `graph` that `session` made.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn new(session: &mut Session, recording: &Recording, graph: &Graph) -> Result<Self> {
        if graph.inputs().iter().any(|id| graph.value(*id).ty.dtype != DType::F32) {
            return Ok(Self(Vec::new()));
        }
        let on_noise = |low: &f32| Ok((*low, run_on_noise(session, recording, graph, *low)?));
        RANGES.iter().map(on_noise).collect::<Result<_>>().map(Self)
    }

    /// Runs a recording in fp16 of the same graph on the same inputs and, unless they are all zero, on
    /// `inputs`, for which fp32 has computed `outputs`. The outputs of one run are in memory at a time.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn judge(
        &self,
        session: &mut Session,
        recording: &Recording,
        graph: &Graph,
        inputs: &[&[u8]],
        outputs: &[&mut [u8]],
    ) -> Result<Verdict> {
        for (low, want) in &self.0 {
            let got = run_on_noise(session, recording, graph, *low)?;
            let verdict = compare(graph, Case::Noise(*low), want, &got);
            if verdict != Verdict::Holds {
                return Ok(verdict);
            }
        }
        if inputs.iter().all(|bytes| bytes.iter().all(|byte| *byte == 0)) {
            return Ok(Verdict::Holds);
        }
        let got = run(session, recording, graph, inputs)?;
        Ok(compare(graph, Case::FirstInputs, outputs, &got))
    }
}

/// The outputs for random inputs, which are the same at every call.
fn run_on_noise(
    session: &mut Session,
    recording: &Recording,
    graph: &Graph,
    low: f32,
) -> Result<Vec<Vec<u8>>> {
    let mut noise = Noise::new(Noise::SEED, low);
    let mut tensor = |bytes| noise.bytes(bytes, Store::F32);
    let inputs: Vec<_> = graph.inputs().iter().map(|id| tensor(graph.value(*id).ty.bytes())).collect();
    run(session, recording, graph, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn run(
    session: &mut Session,
    recording: &Recording,
    graph: &Graph,
    inputs: &[&[u8]],
) -> Result<Vec<Vec<u8>>> {
    let zeros = |id: &ValueId| {
        let value = graph.value(*id);
        filled(value.ty.bytes(), 0, &value.name)
    };
    let mut outputs = graph.outputs().iter().map(zeros).collect::<Result<Vec<_>, _>>()?;
    let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    session.run(recording, inputs, &mut slices)?;
    Ok(outputs)
}

/// Compares the float outputs of `graph`: fp32's, `want`, with fp16's.
fn compare(graph: &Graph, case: Case, want: &[impl AsRef<[u8]>], got: &[Vec<u8>]) -> Verdict {
    for ((id, want), got) in graph.outputs().iter().zip(want).zip(got) {
        let value = graph.value(*id);
        if value.ty.dtype != DType::F32 {
            continue;
        }
        let moved = difference(want.as_ref(), got);
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
    Verdict::Holds
}

/// The largest difference over the largest finite magnitude of `want`; NaN if `got` is infinite or NaN where
/// `want` is finite. Where `want` is not finite, `got` may be anything.
fn difference(want: &[u8], got: &[u8]) -> f32 {
    let (mut range, mut most) = (0.0f32, 0.0f32);
    for (want, got) in floats(want).zip(floats(got)).filter(|(want, _)| want.is_finite()) {
        if !got.is_finite() {
            return f32::NAN;
        }
        range = range.max(want.abs());
        most = most.max((want - got).abs());
    }
    if most == 0.0 { 0.0 } else { most / range }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::TensorType;

    fn bytes(floats: &[f32]) -> Vec<u8> {
        floats.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn difference(want: &[f32], got: &[f32]) -> f32 {
        super::difference(&bytes(want), &bytes(got))
    }

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

    fn compared(graph: &Graph, case: Case, want: [f32; 2], got: [f32; 2]) -> Verdict {
        let [want, got] = [want, got].map(|outputs| outputs.map(|x| bytes(&[x])).to_vec());
        compare(graph, case, &want, &got)
    }

    #[test]
    fn a_verdict_names_the_output_and_the_first_inputs() {
        let graph = graph([TensorType::f32([1]), TensorType::f32([1])]);
        let verdict = |case, z| compared(&graph, case, [1.0, 4.0], [1.0, z]);
        let moves = |text: &str| Verdict::Moves(text.into());
        assert_eq!(verdict(Case::FirstInputs, 4.01), Verdict::Holds);
        assert_eq!(verdict(Case::Noise(0.0), 3.0), moves("fp16 moves output z by 25.00 % of its range"));
        let text = "on the first inputs, fp16 moves output z by 25.00 % of its range";
        assert_eq!(verdict(Case::FirstInputs, 5.0), moves(text));
        let text = "on the first inputs, fp16 moves output z to infinity or NaN";
        assert_eq!(verdict(Case::FirstInputs, f32::INFINITY), moves(text));
    }

    #[test]
    fn only_floats_are_compared() {
        let graph = graph([TensorType::f32([1]), TensorType { dtype: DType::I32, ..TensorType::f32([1]) }]);
        assert_eq!(compared(&graph, Case::FirstInputs, [1.0, 2.0], [1.0, 3.0]), Verdict::Holds);
        assert_ne!(compared(&graph, Case::FirstInputs, [1.0, 2.0], [2.0, 2.0]), Verdict::Holds);
    }
}
