//! The tuner: finds the fastest candidate for each choice on a device, by timing them there.

mod winners;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::options::Tune;
use crate::plan;
use crate::program::{Buffer, BufferId, BufferKind, Choice, Dispatch, Peaks, Program, TacticKey};
use crate::runtime::{Recording, Session, TransferPath};
use crate::vk::Device;
pub use winners::Winners;

/// The share of the estimated time that [`Tune::Fast`] looks at.
const SHARE: f64 = 0.9;
/// How many candidates [`Tune::Fast`] tries for each choice.
const FEW: usize = 5;
/// A candidate beats the first only with at most this share of its time: others need more pipelines.
const CLEARLY: f64 = 0.97;
/// Runs of each candidate, interleaved, of which the median counts; one more before them warms up.
const RUNS: usize = 7;

/// Times the candidates of choices in `program` that have no winner yet, and adds the winners to `winners`.
/// `lower` returns the program with another candidate for the choices with this key. Nothing happens on a
/// device without a clock.
///
/// # Errors
/// As [`Session::prepare`] and [`Session::run`]; candidates that the device refuses are left out.
pub fn tune(
    device: &Arc<Device>,
    effort: Tune,
    program: &Program,
    winners: &Winners,
    lower: &dyn Fn(&TacticKey, usize) -> Result<Program>,
) -> Result<()> {
    let work = work(program, effort, &Peaks::guess(device.caps().kind), winners);
    if work.is_empty() {
        return Ok(());
    }
    if !device.has_clock() {
        log::warn!("nothing is tuned: the device has no clock");
        return Ok(());
    }
    let started = Instant::now();
    let (mut first, mut best) = (0.0, 0.0);
    for choice in &work {
        let tried = if effort == Tune::Fast { FEW } else { usize::MAX };
        let names: Vec<&String> = choice.candidates.iter().take(tried).collect();
        let mut trials = Vec::new();
        for (taken, name) in names.iter().enumerate() {
            match lower(&choice.key, taken).and_then(|p| Trial::new(device, &p, &choice.key)) {
                Ok(trial) => trials.push((taken, trial)),
                Err(Error::DeviceLost) => return Err(Error::DeviceLost),
                Err(e) => log::debug!("{}: {name} is left out: {e}", choice.key),
            }
        }
        for _ in 0..=RUNS {
            for (_, trial) in &mut trials {
                trial.run()?;
            }
        }
        let times: Vec<(usize, f64)> =
            trials.iter().filter_map(|(taken, trial)| Some((*taken, trial.median()?))).collect();
        let Some((mut winner, mut time)) = times.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)) else {
            continue;
        };
        let usual = times.iter().find(|(taken, _)| *taken == 0).map_or(time, |(_, time)| *time);
        if time > usual * CLEARLY {
            (winner, time) = (0, usual);
        }
        (first, best) = (first + usual, best + time);
        log::info!(
            "tuned {}: {:.1} us with {}, {:.1} with {}",
            choice.key,
            time * 1e6,
            names[winner],
            usual * 1e6,
            names[0]
        );
        winners.learn(&choice.key, names[winner]);
    }
    log::info!(
        "{} choices tuned in {:.1} s: {:.0} us instead of {:.0}, what is usual takes {:.2} times the best",
        work.len(),
        started.elapsed().as_secs_f64(),
        best * 1e6,
        first * 1e6,
        first / f64::max(best, 1e-12)
    );
    Ok(())
}

/// One choice for each key that is worth tuning, the most expensive first.
fn work<'a>(program: &'a Program, effort: Tune, peaks: &Peaks, winners: &Winners) -> Vec<&'a Choice> {
    let estimate = |dispatch: &Dispatch| peaks.estimate(dispatch.cost, dispatch.kernel.needs);
    let all: f64 = program.dispatches.iter().map(estimate).sum();
    let mut keys: BTreeMap<&TacticKey, (f64, &Choice)> = BTreeMap::new();
    for choice in &program.choices {
        let time: f64 = program.dispatches[choice.dispatches.clone()].iter().map(estimate).sum();
        keys.entry(&choice.key).or_insert((0.0, choice)).0 += time;
    }
    let mut sorted: Vec<(f64, &Choice)> = keys.into_values().collect();
    sorted.sort_by_key(|(time, _)| Reverse((time * 1e9) as u64));
    let mut seen = 0.0;
    let enough = if effort == Tune::Fast { SHARE * all } else { f64::INFINITY };
    let worth = |(time, choice): (f64, &'a Choice)| {
        let before = seen;
        seen += time;
        let open = choice.candidates.len() > 1 && winners.get(&choice.key).is_none();
        (before < enough && open).then_some(choice)
    };
    sorted.into_iter().filter_map(worth).collect()
}

/// The nodes with one key, computed by one candidate.
struct Trial {
    session: Session,
    recording: Recording,
    inputs: Vec<Vec<u8>>,
    times: Vec<Duration>,
}

impl Trial {
    fn new(device: &Arc<Device>, program: &Program, key: &TacticKey) -> Result<Self> {
        let (part, inputs) = alone(program, key);
        // Inputs in device memory, where a network has them.
        let mut session = Session::with_path(device.clone(), TransferPath::Staged);
        let memory = plan::memory(&part, device.caps().buffer_alignment);
        let recording = session.prepare_profiled(&part, &memory, &plan::barriers(&part, &memory))?;
        Ok(Self { session, recording, inputs, times: Vec::new() })
    }

    fn run(&mut self) -> Result<()> {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Vec::as_slice).collect();
        self.session.run(&self.recording, &inputs, &mut [])?;
        self.times.extend(self.recording.times()?.map(|times| times.iter().sum::<Duration>()));
        Ok(())
    }

    /// In seconds; `None` without a clock.
    fn median(&self) -> Option<f64> {
        let mut times: Vec<Duration> = self.times.get(1..)?.to_vec();
        times.sort_unstable();
        times.get(times.len() / 2).map(Duration::as_secs_f64)
    }
}

/// The dispatches of the nodes with this key as a program of their own, and random inputs for it.
fn alone(program: &Program, key: &TacticKey) -> (Program, Vec<Vec<u8>>) {
    let (mut part, mut inputs) = (Program::default(), Vec::new());
    let mut buffers: HashMap<BufferId, BufferId> = HashMap::new();
    let mut noise = Noise::new(Noise::SEED, -1.0);
    let ranges = program.choices.iter().filter(|c| c.key == *key).map(|c| c.dispatches.clone());
    for dispatch in ranges.flat_map(|range| &program.dispatches[range]) {
        let written: Vec<BufferId> = dispatch.writes().collect();
        let mut dispatch = dispatch.clone();
        for id in &mut dispatch.bindings {
            *id = *buffers.entry(*id).or_insert_with(|| {
                let Buffer { bytes, kind, name, .. } = program.buffer(*id).clone();
                let new = BufferId(part.buffers.len() as u32);
                let kind = match kind {
                    BufferKind::Weights(n) => {
                        part.weights.push(program.weights[n].clone());
                        BufferKind::Weights(part.weights.len() - 1)
                    }
                    _ if written.contains(id) => BufferKind::Temp,
                    _ => {
                        part.inputs.push(Some(new));
                        inputs.push(noise.bytes(bytes, key.store));
                        BufferKind::Input(part.inputs.len() - 1)
                    }
                };
                part.buffers.push(Buffer { bytes, kind, host: None, name });
                new
            });
        }
        part.dispatches.push(dispatch);
    }
    (part, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::table::copy::kernel;
    use crate::program::{Cost, Launch, Store};

    fn named(kernel: &'static str) -> TacticKey {
        TacticKey::new(kernel, Store::F32)
    }

    /// Dispatches of so many operations, each a choice of its own with this key.
    fn program(nodes: &[(&'static str, u64)]) -> Program {
        let kernel = kernel();
        let mut program = Program::default();
        for (i, (key, ops)) in nodes.iter().enumerate() {
            let (push, spec) = (vec![0; kernel.push_bytes as usize], vec![1; kernel.spec.len()]);
            let at = program.buffers.len() as u32;
            for (n, kind) in [BufferKind::Input(i), BufferKind::Temp].into_iter().enumerate() {
                program.buffers.push(Buffer { bytes: 16, kind, host: None, name: format!("{i}.{n}").into() });
            }
            let bindings = vec![BufferId(at), BufferId(at + 1)];
            let launch = Launch::new(kernel, spec, push, bindings, [1; 3]);
            program.dispatches.push(Dispatch::new(launch, "", [], Cost { ops: *ops, bytes: 0 }));
            let candidates = vec!["a".into(), "b".into()];
            program.choices.push(Choice { key: named(key), candidates, taken: 0, dispatches: i..i + 1 });
        }
        program
    }

    fn keys(program: &Program, effort: Tune, winners: &Winners) -> Vec<&'static str> {
        let peaks = Peaks { bytes_per_s: 1e9, fp32: 1e9, fp16: None };
        work(program, effort, &peaks, winners).iter().map(|choice| choice.key.kernel).collect()
    }

    #[test]
    fn the_most_expensive_comes_first_and_the_cheap_not_at_all() {
        let million = 1_000_000;
        let program =
            program(&[("x", 10 * million), ("y", 80 * million), ("x", 5 * million), ("z", million)]);
        let winners = Winners::default();
        assert_eq!(keys(&program, Tune::Full, &winners), ["y", "x", "z"]);
        assert_eq!(keys(&program, Tune::Fast, &winners), ["y", "x"]);
        winners.learn(&named("y"), "b");
        assert_eq!(keys(&program, Tune::Full, &winners), ["x", "z"]);
    }

    #[test]
    fn nodes_alone_read_noise() {
        let (part, inputs) = alone(&program(&[("x", 1), ("y", 1), ("x", 1)]), &named("x"));
        assert_eq!((part.dispatches.len(), part.buffers.len(), inputs.len()), (2, 4, 2));
        assert_eq!(part.inputs, [Some(BufferId(0)), Some(BufferId(2))]);
        assert!(inputs.iter().all(|bytes| bytes.len() == 16));
    }
}
