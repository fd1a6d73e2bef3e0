//! What a pass tells of its work.

use std::fmt;

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The pass.
    pub pass: &'static str,
    /// How often it applied.
    pub applied: usize,
    /// Where it could have applied but did not, with the reason.
    pub declined: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} applied", self.pass, self.applied)?;
        self.declined.iter().try_for_each(|why| write!(f, "\n  declined: {why}"))
    }
}
