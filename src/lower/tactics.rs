//! Who decides choices.

use crate::program::TacticKey;

/// Decides choices.
pub trait Tactics {
    /// The place of the candidate to take; `candidates` are names, never none.
    fn choose(&self, key: &TacticKey, candidates: &[String]) -> usize;
}

impl<F: Fn(&TacticKey, &[String]) -> usize> Tactics for F {
    fn choose(&self, key: &TacticKey, candidates: &[String]) -> usize {
        self(key, candidates)
    }
}

/// Takes the first candidate of every choice.
pub fn heuristic(_key: &TacticKey, _candidates: &[String]) -> usize {
    0
}
