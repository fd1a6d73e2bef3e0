//! Choices among candidates whose speed depends on the device.

use std::fmt;

use super::Lower;
use super::context::Decision;
use crate::error::Unsupported;
use crate::program::{Choice, TacticKey};

impl Lower<'_> {
    /// The candidate to use, as the tactics decide: by default the tuner's winner for `key` on this device,
    /// else the first candidate. Candidates must print different names, because winners are kept by name.
    pub fn choose<T: Clone + fmt::Display>(&mut self, key: TacticKey, candidates: &[T]) -> T {
        let names: Vec<String> = candidates.iter().map(T::to_string).collect();
        let taken = self.tactics.choose(&key, &names);
        self.decisions.push(Decision { key, candidates: names, taken });
        candidates[taken].clone()
    }

    /// Ends the node: converts results that are stored otherwise, and adds its choices to the program, with
    /// the dispatches that they led to.
    pub fn finish(mut self) -> Result<(), Unsupported> {
        self.unstage()?;
        let dispatches = self.first..self.program.dispatches.len();
        let choice = |Decision { key, candidates, taken }| Choice {
            key,
            candidates,
            taken,
            dispatches: dispatches.clone(),
        };
        self.program.choices.extend(self.decisions.into_iter().map(choice));
        Ok(())
    }
}
