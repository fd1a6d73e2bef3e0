//! Choices that the device's speed decides about.

use std::fmt;

use super::Lower;
use super::context::Decision;
use crate::program::{Choice, TacticKey};

impl Lower<'_> {
    /// Which of several ways to take: the one that was the fastest on this device if it was tuned, else the
    /// first. Ways that differ print different names: winners are kept by name.
    pub fn choose<T: Clone + fmt::Display>(&mut self, key: TacticKey, candidates: &[T]) -> T {
        let names: Vec<String> = candidates.iter().map(T::to_string).collect();
        let taken = self.tactics.choose(&key, &names);
        self.decisions.push(Decision { key, candidates: names, taken });
        candidates[taken].clone()
    }

    /// The node is lowered: its choices go into the program, with the dispatches that they led to.
    pub fn finish(self) {
        let dispatches = self.first..self.program.dispatches.len();
        let choice = |Decision { key, candidates, taken }| Choice {
            key,
            candidates,
            taken,
            dispatches: dispatches.clone(),
        };
        self.program.choices.extend(self.decisions.into_iter().map(choice));
    }
}
