//! Which part of a partition has to stay in fp32 so that fp16 holds in the rest.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::graph::{Graph, ValueId};

/// A part of a partition, in order of its nodes as imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The inputs, and the results of so many nodes.
    Prefix(usize),
    /// The results of so many of the last nodes.
    Suffix(usize),
}

impl Part {
    /// Its values.
    pub fn values(self, graph: &Graph) -> BTreeSet<ValueId> {
        let results = |(_, node): (_, &crate::graph::Node)| node.outputs.clone();
        match self {
            Self::Prefix(count) => {
                graph.inputs().iter().copied().chain(graph.nodes().take(count).flat_map(results)).collect()
            }
            Self::Suffix(count) => graph.nodes().rev().take(count).flat_map(results).collect(),
        }
    }
}

/// What became of a partition of which a part stays in fp32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attempt {
    /// It was not run, since too little arithmetic would be in fp16.
    Useless,
    /// fp16 moves an output.
    Moves,
    /// fp16 holds, with this share of the arithmetic.
    Holds(f64),
}

/// The most attempts that run, for each end of a partition.
const TRIALS: usize = 6;
/// The least share of the arithmetic in fp16 that is worth the conversions between both.
const LEAST: f64 = 0.2;

/// The prefix or suffix of `nodes` nodes with which fp16 holds that leaves the largest share of the arithmetic
/// in fp16; `None` if that share is hardly worth it. `attempt` gets a part and the share above which it is
/// useful. At most twelve attempts run.
///
/// # Errors
/// Those of `attempt`.
pub fn search(nodes: usize, mut attempt: impl FnMut(Part, f64) -> Result<Attempt>) -> Result<Option<Part>> {
    let (mut best, mut most) = (None, LEAST);
    for (part, shortest) in [(Part::Prefix as fn(usize) -> Part, 0), (Part::Suffix, 1)] {
        // Shorter ones move outputs; that of length `end` holds, or is no better than what is found already.
        let (mut start, mut end) = (shortest, nodes);
        let mut trials = 0;
        while start < end && trials < TRIALS {
            let middle = start.midpoint(end);
            match attempt(part(middle), most)? {
                Attempt::Useless => end = middle,
                Attempt::Moves => (start, trials) = (middle + 1, trials + 1),
                Attempt::Holds(share) => {
                    (end, trials) = (middle, trials + 1);
                    (best, most) = (Some(part(middle)), share);
                }
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 100 nodes with equal arithmetic, fp16 holds with a prefix and with a suffix of at least so many.
    fn found(prefix: usize, suffix: usize) -> (Option<Part>, usize) {
        let mut runs = 0;
        let part = search(100, |part, least| {
            let (count, needed) = match part {
                Part::Prefix(count) => (count, prefix),
                Part::Suffix(count) => (count, suffix),
            };
            let share = (100 - count) as f64 / 100.0;
            if share <= least {
                return Ok(Attempt::Useless);
            }
            runs += 1;
            Ok(if count >= needed { Attempt::Holds(share) } else { Attempt::Moves })
        });
        (part.unwrap(), runs)
    }

    #[test]
    fn the_shortest_end_is_found_with_few_trials() {
        for (prefix, suffix, expected) in [
            (0, 100, Some(true)),
            (100, 1, Some(false)),
            (30, 60, Some(true)),
            (60, 30, Some(false)),
            (100, 100, None),
        ] {
            let (part, runs) = found(prefix, suffix);
            assert!(runs <= 2 * TRIALS, "{runs} runs");
            let needed = prefix.min(suffix);
            match part {
                Some(Part::Prefix(count)) => {
                    assert!(expected == Some(true) && (needed..=needed + 2).contains(&count), "{part:?}");
                }
                Some(Part::Suffix(count)) => {
                    assert!(expected == Some(false) && (needed..=needed + 2).contains(&count), "{part:?}");
                }
                None => assert_eq!(expected, None),
            }
        }
    }
}
