//! Which candidate each choice in a partition takes.

use std::collections::HashMap;

use crate::lower::Tactics;
use crate::program::{Program, TacticKey};
use crate::tune::Winners;

/// The candidates that the first shapes of a partition have taken, by class of key. Other shapes take them
/// too, because their pipelines exist.
#[derive(Debug, Default)]
pub struct Taken(HashMap<TacticKey, Vec<String>>);

impl Taken {
    /// Whether the program has a choice of a class that is not known yet.
    pub fn lacks(&self, program: &Program) -> bool {
        program.choices.iter().any(|choice| !self.0.contains_key(&choice.key.class()))
    }

    /// Remembers a program's candidates for classes that are not known yet.
    pub fn learn(&mut self, program: &Program) {
        let mut first: HashMap<TacticKey, Vec<String>> = HashMap::new();
        for choice in &program.choices {
            let name = choice.candidates[choice.taken].clone();
            first.entry(choice.key.class()).or_default().push(name);
        }
        for (class, names) in first {
            self.0.entry(class).or_insert(names);
        }
    }

    fn place(&self, key: &TacticKey, candidates: &[String]) -> Option<usize> {
        let taken = self.0.get(&key.class())?;
        candidates.iter().position(|name| taken.contains(name))
    }
}

/// Takes the first shapes' candidate, else the tuner's winner, else the first candidate.
pub struct PartitionTactics<'a> {
    /// Candidates of the first shapes.
    pub taken: &'a Taken,
    /// The tuner's winners.
    pub winners: &'a Winners,
    /// A key, and the candidate that its choices take in any case.
    pub forced: Option<(&'a TacticKey, usize)>,
}

impl Tactics for PartitionTactics<'_> {
    fn choose(&self, key: &TacticKey, candidates: &[String]) -> usize {
        match self.forced {
            Some((forced, place)) if forced == key => place,
            _ => self.taken.place(key, candidates).unwrap_or_else(|| self.winners.place(key, candidates)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Choice;
    use crate::program::Store;

    fn program(key: TacticKey, taken: usize) -> Program {
        let choice = Choice { key, candidates: candidates(), taken, dispatches: 0..0 };
        Program { choices: vec![choice], ..Program::default() }
    }

    fn candidates() -> Vec<String> {
        ["a", "b", "c"].map(String::from).to_vec()
    }

    #[test]
    fn other_shapes_take_what_the_first_took() {
        let key = |rows| TacticKey::new("matrix", Store::F32).rows(rows);
        let (mut taken, winners) = (Taken::default(), Winners::default());
        winners.learn(&key(7), "c");
        let choose = |taken: &Taken, rows| {
            PartitionTactics { taken, winners: &winners, forced: None }.choose(&key(rows), &candidates())
        };
        assert_eq!([choose(&taken, 7), choose(&taken, 8)], [2, 0]);
        assert!(taken.lacks(&program(key(8), 1)));
        taken.learn(&program(key(8), 1));
        taken.learn(&program(key(9), 0));
        assert!(!taken.lacks(&program(key(9), 0)));
        assert_eq!([choose(&taken, 7), choose(&taken, 8)], [1, 1]);
    }

    #[test]
    fn a_forced_candidate_comes_first_for_its_key_only() {
        let key = TacticKey::new("matrix", Store::F32);
        let (mut taken, winners) = (Taken::default(), Winners::default());
        taken.learn(&program(key.clone(), 1));
        let tactics = PartitionTactics { taken: &taken, winners: &winners, forced: Some((&key, 2)) };
        assert_eq!(tactics.choose(&key, &candidates()), 2);
        assert_eq!(tactics.choose(&key.clone().rows(3), &candidates()), 1);
    }
}
