//! What reads a graph's outputs outside of it.

/// How an output is read outside, as far as that decides how exact it has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// A small difference stays small.
    #[default]
    Any,
    /// It is rounded to few steps: the smallest difference can become a whole one.
    Rounds,
    /// Its elements are ranked in each row, and so many of the largest are chosen.
    Picks(u32),
}
