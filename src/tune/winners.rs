//! The fastest candidates that were found on a device.

use crate::cache::Facts;
use crate::program::TacticKey;

/// The name of the fastest candidate, by key.
#[derive(Debug, Default)]
pub struct Winners(Facts);

impl Winners {
    /// What is known already; its facts are named by the text of keys.
    pub fn new(known: Facts) -> Self {
        Self(known)
    }

    /// The winner; `None` if the choice was not tuned.
    pub fn get(&self, key: &TacticKey) -> Option<String> {
        self.0.get(&key.to_string())
    }

    /// Remembers the winner.
    pub fn learn(&self, key: &TacticKey, candidate: &str) {
        self.0.learn([(key.to_string(), candidate.to_owned())]);
    }

    /// The winner's index among the candidates; 0 if the choice was not tuned or its winner is none of them.
    pub fn place(&self, key: &TacticKey, candidates: &[String]) -> usize {
        let won = self.get(key);
        won.and_then(|name| candidates.iter().position(|other| *other == name)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Store;

    #[test]
    fn the_first_is_taken_unless_another_has_won() {
        let [x, y] = ["x", "y"].map(|kernel| TacticKey::new(kernel, Store::F32));
        let (winners, candidates) = (Winners::default(), ["a".to_owned(), "b".to_owned()]);
        winners.learn(&y, "b");
        assert_eq!(winners.get(&x), None);
        assert_eq!(winners.place(&y, &candidates), 1);
        assert_eq!(winners.place(&y, &["c".into()]), 0, "a way that is gone");
        assert_eq!(winners.place(&y.rows(3), &candidates), 0);
        assert_eq!(winners.place(&x, &candidates), 0);
    }
}
