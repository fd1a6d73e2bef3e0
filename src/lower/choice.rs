//! Choices that the device's speed decides about.

use std::fmt;

use super::Lower;
use crate::program::Choice;

impl Lower<'_> {
    /// Which of several ways to take: the one that was the fastest on this device if it was tuned, else the
    /// first. `key` names the kernel and all that the choice depends on but batch and size, or `rows` and
    /// their number; where the ways differ each needs a name of its own.
    pub fn choose<T: Clone + fmt::Display>(&mut self, key: &str, candidates: &[T]) -> T {
        let key = format!("{key} {:?}", self.store);
        let names: Vec<String> = candidates.iter().map(T::to_string).collect();
        let taken = (self.tactics)(&key, &names);
        let next = self.program.dispatches.len();
        self.program.choices.push(Choice { key, candidates: names, taken, dispatches: next..next });
        candidates[taken].clone()
    }
}
