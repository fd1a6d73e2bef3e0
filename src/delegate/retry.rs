//! When to try again what has failed: at once the first time, then after pauses that double.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(64);
/// After so long without a new attempt, the next failure counts as the first again.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// How often something was tried again, and when.
#[derive(Debug, Default)]
pub struct Retry {
    attempts: u32,
    last: Option<Instant>,
}

impl Retry {
    /// Whether to try again `now`; counts as an attempt if so.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let waited = self.last.map_or(Duration::MAX, |last| now.saturating_duration_since(last));
        if waited > FORGOTTEN {
            self.attempts = 0;
        }
        let doubled = FIRST.saturating_mul(2u32.saturating_pow(self.attempts.saturating_sub(1)));
        if self.attempts > 0 && waited < doubled.min(LONGEST) {
            return false;
        }
        self.attempts += 1;
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_forgotten() {
        let (mut retry, start) = (Retry::default(), Instant::now());
        let mut due_at = |seconds| retry.is_due(start + Duration::from_secs(seconds));
        let due: Vec<u64> = (0..300).filter(|seconds| due_at(*seconds)).collect();
        assert_eq!(due, [0, 1, 3, 7, 15, 31, 63, 127, 191, 255]);
        assert_eq!([555, 556, 557].map(&mut due_at), [true, false, false]);
        assert_eq!([900, 901, 902].map(&mut due_at), [true, true, false]);
    }
}
