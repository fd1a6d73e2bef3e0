//! The interface that decides choices.

use crate::program::TacticKey;

/// Picks a candidate for each choice of a node.
pub trait Tactics {
    /// The index of the candidate to take; `candidates` are names, at least one.
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
