//! Where long programs are split into several submissions.

use crate::caps::Submission;
use crate::program::{Dispatch, Peaks, Program};

/// The expected time of a dispatch over its roofline time.
const SLACK: f64 = 4.0;

/// The fixed cost of a dispatch in seconds.
const LAUNCH: f64 = 10e-6;

/// The numbers of the dispatches that begin a new submission; none if all fits in one. What a device
/// reaches is `peaks`, what one submission should hold is `most`.
pub fn submissions(program: &Program, peaks: &Peaks, most: Submission) -> Vec<usize> {
    let (mut seconds, mut dispatches) = (0.0, 0);
    let mut starts = Vec::new();
    for (i, dispatch) in program.dispatches.iter().enumerate() {
        let time = seconds_of(dispatch, peaks);
        if dispatches > 0 && (seconds + time > most.seconds || dispatches >= most.dispatches) {
            starts.push(i);
            (seconds, dispatches) = (0.0, 0);
        }
        seconds += time;
        dispatches += 1;
    }
    starts
}

/// The time in seconds that a run is expected to take.
pub fn expected_seconds(program: &Program, peaks: &Peaks) -> f64 {
    program.dispatches.iter().map(|dispatch| seconds_of(dispatch, peaks)).sum()
}

fn seconds_of(dispatch: &Dispatch, peaks: &Peaks) -> f64 {
    LAUNCH + SLACK * peaks.estimate(dispatch.cost, dispatch.kernel.needs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Features;
    use crate::program::{Cost, Kernel, Launch};

    static ANY: Kernel = Kernel {
        name: "any",
        packed: &[],
        bindings: &[],
        spec: &[],
        push_bytes: 0,
        needs: Features::NONE,
        hash: 0,
    };

    const PEAKS: Peaks = Peaks { bytes_per_s: 1e9, fp32: 1e9, fp16: None };

    /// A program of dispatches of so many milliseconds.
    fn program(millis: &[u64]) -> Program {
        let dispatch = |ms: &u64| {
            let cost = Cost { ops: ms * 1_000_000 / SLACK as u64, bytes: 0 };
            Dispatch::new(Launch::new(&ANY, vec![], vec![], vec![], [1; 3]), "", [], cost)
        };
        Program { dispatches: millis.iter().map(dispatch).collect(), ..Program::default() }
    }

    #[test]
    fn long_work_is_cut_and_short_work_is_not() {
        let cases: &[(&[u64], f64, usize, &[usize])] = &[
            (&[], 0.1, 24, &[]),
            (&[10, 20, 30], 0.1, 24, &[]),
            (&[60, 60, 60], 0.1, 24, &[1, 2]),
            (&[40, 40, 40, 40], 0.1, 24, &[2]),
            // Longer than it should be, but a dispatch cannot be split.
            (&[900, 900, 1], 0.1, 24, &[1, 2]),
            (&[0; 10], 0.1, 4, &[4, 8]),
            (&[900; 3], f64::INFINITY, usize::MAX, &[]),
        ];
        for (millis, seconds, dispatches, want) in cases {
            let most = Submission { seconds: *seconds, dispatches: *dispatches };
            assert_eq!(submissions(&program(millis), &PEAKS, most), *want, "{millis:?}");
            let (all, expected) = (millis.iter().sum::<u64>(), expected_seconds(&program(millis), &PEAKS));
            assert!((expected * 1e3 - all as f64).abs() < 1.0, "{expected} s");
        }
    }
}
