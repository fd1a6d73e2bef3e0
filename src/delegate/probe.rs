//! Runs a partition on the same inputs in both precisions, and compares the outputs.

use std::fmt;

use crate::error::Result;
use crate::graph::{Graph, Reader, Value, ValueId};
use crate::ir::DType;
use crate::ir::bounded::filled;
use crate::noise::Noise;
use crate::runtime::{Recording, Session};

/// How far fp16 may be from fp32, as a share of an output's range: half of what is promised, since later
/// inputs may be worse.
pub const LIMIT: f32 = 5e-3;

/// The same for a part of a partition that was searched for: the search ends with one that just holds.
pub const LIMIT_OF_PARTS: f32 = 4e-3;

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

/// fp32's outputs for random inputs, by the lower end of the range of numbers without known bounds.
pub struct Probe(Vec<(f32, Vec<Vec<u8>>)>);

/// The inputs of a partition's first run, with the outputs that fp32 has computed.
#[derive(Clone, Copy)]
pub struct FirstRun<'a> {
    /// By input number.
    pub inputs: &'a [&'a [u8]],
    /// By output number.
    pub outputs: &'a [&'a mut [u8]],
}

impl Probe {
    /// Runs a recording in fp32 of `graph` that `session` made.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn new(session: &mut Session, recording: &Recording, graph: &Graph) -> Result<Self> {
        let on_noise = |low: &f32| Ok((*low, run_on_noise(session, recording, graph, *low)?));
        RANGES.iter().map(on_noise).collect::<Result<_>>().map(Self)
    }

    /// Runs a recording in fp16 of the same graph on the same inputs and, unless they are all zero, on those
    /// of the first run; `None` if no output moves by more than `limit`, else which one does by how much. The
    /// outputs of one run are in memory at a time.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn judge(
        &self,
        session: &mut Session,
        recording: &Recording,
        graph: &Graph,
        first: FirstRun<'_>,
        limit: f32,
    ) -> Result<Option<String>> {
        for (low, want) in &self.0 {
            let got = run_on_noise(session, recording, graph, *low)?;
            let moved = compare(graph, Case::Noise(*low), limit, want, &got);
            if moved.is_some() {
                return Ok(moved);
            }
        }
        if first.inputs.iter().all(|bytes| bytes.iter().all(|byte| *byte == 0)) {
            return Ok(None);
        }
        let got = run(session, recording, graph, first.inputs)?;
        Ok(compare(graph, Case::FirstInputs, limit, first.outputs, &got))
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
    let mut tensor = |id: &ValueId| {
        let value = graph.value(*id);
        noise.tensor(value.ty.dtype, value.ty.shape.elements(), range(value, low))
    };
    let inputs: Vec<_> = graph.inputs().iter().map(&mut tensor).collect();
    run(session, recording, graph, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// The range of an input's random numbers: its bounds, if it is known to have any, all numbers of few bits,
/// and 0 and 1 of other integers, which are flags, or indices or lengths of at least two things.
fn range(input: &Value, low: f32) -> [f32; 2] {
    match (input.bounds, input.ty.dtype) {
        (Some(bounds), _) => bounds,
        (None, DType::F32 | DType::F16) => [low, 1.0],
        (None, DType::I64 | DType::I32 | DType::Bool) => [0.0, 1.0],
        (None, DType::I16) => [i16::MIN.into(), i16::MAX.into()],
        (None, DType::I8) => [i8::MIN.into(), i8::MAX.into()],
        (None, DType::U8) => [u8::MIN.into(), u8::MAX.into()],
    }
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

/// Compares the outputs of `graph`: fp32's, `want`, with fp16's. `None` if none moves by more than `share` of its
/// range.
fn compare(
    graph: &Graph,
    case: Case,
    share: f32,
    want: &[impl AsRef<[u8]>],
    got: &[Vec<u8>],
) -> Option<String> {
    for ((id, want), got) in graph.outputs().iter().zip(want).zip(got) {
        let value = graph.value(*id);
        let (moved, limit) = match value.ty.dtype {
            DType::F32 => (difference(want.as_ref(), got), share),
            dtype => steps(dtype, want.as_ref(), got),
        };
        let what = match moved {
            _ if moved.is_nan() => format!("fp16 moves output {} to infinity or NaN", value.name),
            _ if value.ty.dtype == DType::F32 => {
                format!("fp16 moves output {} by {:.2} % of its range", value.name, 100.0 * moved)
            }
            _ => format!("fp16 moves output {} by {moved}", value.name),
        };
        log::debug!("{case}, {what}");
        let (what, reordered) = match value.reader {
            Reader::Picks(count) if !same_order(value.ty.shape.channels(), count, want.as_ref(), got) => (
                format!("fp16 changes the order of the {count} largest elements of output {}", value.name),
                true,
            ),
            _ => (what, false),
        };
        if moved.is_nan() || moved > limit || reordered {
            return Some(match case {
                Case::Noise(_) => what,
                Case::FirstInputs => format!("{case}, {what}"),
            });
        }
    }
    None
}

/// The largest difference between integers, and how large it may be: numbers of few bits are quantised.
fn steps(dtype: DType, want: &[u8], got: &[u8]) -> (f32, f32) {
    fn most<const N: usize>(want: &[u8], got: &[u8], number: impl Fn([u8; N]) -> i64) -> u64 {
        let pairs = want.as_chunks().0.iter().zip(got.as_chunks().0);
        pairs.map(|(want, got)| number(*want).abs_diff(number(*got))).max().unwrap_or(0)
    }
    let most = match dtype {
        DType::I64 => most(want, got, i64::from_le_bytes),
        DType::I16 => most(want, got, |bytes| i16::from_le_bytes(bytes).into()),
        DType::I8 => most(want, got, |[byte]| byte.cast_signed().into()),
        DType::U8 | DType::Bool => most(want, got, |[byte]| byte.into()),
        DType::I32 => most(want, got, |bytes| i32::from_le_bytes(bytes).into()),
        DType::F32 | DType::F16 => most(want, got, |bytes: [u8; 1]| bytes[0].into()),
    };
    (most as f32, if matches!(dtype, DType::I8 | DType::U8) { 1.0 } else { 0.0 })
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

/// Whether the `count` largest floats of each row of `channels` are in the same places.
fn same_order(channels: u32, count: u32, want: &[u8], got: &[u8]) -> bool {
    let (channels, count) = (channels.max(1) as usize, count as usize);
    let [want, got]: [Vec<f32>; 2] = [want, got].map(|bytes| floats(bytes).collect());
    let order = |row: &[f32]| {
        let mut places: Vec<usize> = (0..row.len()).collect();
        places.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        places.truncate(count);
        places
    };
    want.chunks(channels).zip(got.chunks(channels)).all(|(want, got)| order(want) == order(got))
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Scalar, TensorType};

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

    fn compared(graph: &Graph, case: Case, want: [f32; 2], got: [f32; 2]) -> Option<String> {
        let [want, got] = [want, got].map(|outputs| outputs.map(|x| bytes(&[x])).to_vec());
        compare(graph, case, LIMIT, &want, &got)
    }

    #[test]
    fn a_verdict_names_the_output_and_the_first_inputs() {
        let graph = graph([TensorType::f32([1]), TensorType::f32([1])]);
        let verdict = |case, z| compared(&graph, case, [1.0, 4.0], [1.0, z]);
        let moves = |text: &str| Some(text.to_owned());
        assert_eq!(verdict(Case::FirstInputs, 4.01), None);
        assert_eq!(verdict(Case::Noise(0.0), 3.0), moves("fp16 moves output z by 25.00 % of its range"));
        let text = "on the first inputs, fp16 moves output z by 25.00 % of its range";
        assert_eq!(verdict(Case::FirstInputs, 5.0), moves(text));
        let text = "on the first inputs, fp16 moves output z to infinity or NaN";
        assert_eq!(verdict(Case::FirstInputs, f32::INFINITY), moves(text));
    }

    #[test]
    fn integers_are_compared_by_steps() {
        let graph = |dtype| graph([TensorType::f32([1]), TensorType { dtype, ..TensorType::f32([1]) }]);
        let compared = |dtype, want: i64, got: i64| {
            let [want, got] = [want, got].map(|z| [bytes(&[1.0]), Scalar::int(dtype, z).bytes()].to_vec());
            compare(&graph(dtype), Case::FirstInputs, LIMIT, &want, &got)
        };
        for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool] {
            assert_eq!(compared(dtype, 1, 1), None);
            assert_eq!(compared(dtype, 1, 0).is_some(), !matches!(dtype, DType::I8 | DType::U8), "{dtype}");
        }
        let text = "on the first inputs, fp16 moves output z by 3";
        assert_eq!(compared(DType::I8, -1, 2), Some(text.into()));
    }

    #[test]
    fn the_order_of_what_is_picked_counts() {
        let order = |count, want: [f32; 4], got: [f32; 4]| same_order(4, count, &bytes(&want), &bytes(&got));
        let want = [0.1, 0.4, 0.3999, 0.2];
        assert!(order(4, want, want));
        assert!(!order(2, want, [0.1, 0.4, 0.4001, 0.2]) && !order(1, want, [0.5, 0.4, 0.3999, 0.2]));
        assert!(order(2, want, [0.2, 0.4, 0.3999, 0.1]));
        let mut graph = graph([TensorType::f32([1]), TensorType::f32([1, 2])]);
        graph.set_reader(graph.outputs()[1], Reader::Picks(1));
        let compared = |got: [f32; 2]| {
            let [want, got] = [[1.0, 1.001], got].map(|z| [bytes(&[1.0]), bytes(&z)].to_vec());
            compare(&graph, Case::Noise(0.0), LIMIT, &want, &got)
        };
        assert_eq!(compared([0.999, 1.0]), None);
        let text = "fp16 changes the order of the 1 largest elements of output z";
        assert_eq!(compared([1.002, 1.0]), Some(text.into()));
    }

    #[test]
    fn inputs_have_the_range_of_their_meaning() {
        let mut graph = Graph::default();
        let mut of = |dtype, bounds: Option<[f32; 2]>| {
            let id = graph.add_value("x", TensorType { dtype, ..TensorType::f32([1]) }, None);
            bounds.into_iter().for_each(|bounds| graph.set_bounds(id, bounds));
            range(graph.value(id), -1.0)
        };
        assert_eq!(of(DType::F32, None), [-1.0, 1.0]);
        assert_eq!(of(DType::F32, Some([0.0, 6.0])), [0.0, 6.0]);
        assert_eq!(of(DType::U8, None), [0.0, 255.0]);
        assert_eq!([of(DType::Bool, None), of(DType::I32, None)], [[0.0, 1.0]; 2]);
    }
}
