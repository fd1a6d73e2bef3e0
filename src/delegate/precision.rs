//! Which precision a partition runs in, and why.
//!
//! fp16 rounds every layer's result to 11 bits. Most networks tolerate that; numerically sensitive ones
//! magnify it to a large part of the output's range, and numbers beyond 65504 become infinite. So a partition for
//! which fp16 is asked runs on random inputs and on its first real ones in both precisions. If the outputs differ
//! too much, it is tried again with a part of its values in fp32, and stays in fp32 if that does not help. The
//! verdict is cached.

use std::collections::BTreeSet;
use std::fmt;

use crate::cache::{self, Facts};
use crate::caps::Caps;
use crate::graph::{Graph, Mix, ValueId};
use crate::logging::timed;
use crate::options::Precision;
use crate::program::Store;

/// The result of trying fp16 in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No output moves by more than the limit.
    Holds,
    /// It holds if these values stay in fp32; the text says what fp16 moves otherwise.
    Mixed(BTreeSet<ValueId>, String),
    /// fp16 moves an output by more than the limit; the text says which one, on which inputs, by how much.
    Moves(String),
}

impl Verdict {
    const HOLDS: &str = "fp16";
    const MIXED: &str = "mixed ";

    /// As one line, for [`from_text`](Self::from_text).
    fn text(&self) -> String {
        match self {
            Self::Holds => Self::HOLDS.into(),
            Self::Mixed(wide, why) => {
                let wide: Vec<String> = wide.iter().map(|id| id.0.to_string()).collect();
                format!("{}{}: {why}", Self::MIXED, wide.join(" "))
            }
            Self::Moves(what) => what.clone(),
        }
    }

    fn from_text(text: String) -> Self {
        let mixed = || {
            let (wide, why) = text.strip_prefix(Self::MIXED)?.split_once(": ")?;
            let wide: Option<_> = wide.split(' ').map(|id| id.parse().ok().map(ValueId)).collect();
            Some(Self::Mixed(wide?, why.to_owned()))
        };
        match text == Self::HOLDS {
            true => Self::Holds,
            false => mixed().unwrap_or(Self::Moves(text)),
        }
    }
}

/// The verdicts on all partitions that were tried, in this process or, with a file, an earlier one.
#[derive(Debug, Default)]
pub struct Verdicts(Facts);

impl Verdicts {
    /// What is known already.
    pub fn new(known: Facts) -> Self {
        Self(known)
    }

    /// The verdict on a partition like this; `None` if none was tried.
    pub fn get(&self, trial: &Trial) -> Option<Verdict> {
        self.0.get(&trial.name).map(Verdict::from_text)
    }

    /// Remembers a verdict.
    pub fn learn(&self, trial: &Trial, verdict: &Verdict) {
        self.0.learn([(trial.name.clone(), verdict.text())]);
    }
}

/// The trial of fp16 that a partition needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The precision to try, `Fp16` or `Fp16Fast`.
    pub asked: Precision,
    /// The key of its verdict: the same in every process for partitions that are equal, weights included.
    name: String,
}

impl Trial {
    /// The trial that `graph` needs; `None` if this device stores it in fp32 anyway.
    pub fn needed(graph: &Graph, asked: Precision, caps: &Caps) -> Option<Self> {
        if Mix::of(asked).store(caps) == Store::F32 {
            return None;
        }
        let hash = timed("weights hashed", || fingerprint(graph));
        Some(Self { asked, name: format!("{hash:016x}-{asked}") })
    }
}

/// A hash of the graph's text and of all its constants.
fn fingerprint(graph: &Graph) -> u64 {
    let mut hash = cache::hash(graph.to_string().as_bytes());
    for constant in graph.values().filter_map(|(_, value)| value.constant.as_ref()) {
        if let Some(sparsity) = &constant.sparsity {
            hash = cache::continued(hash, format!("{sparsity:?}").as_bytes());
        }
        hash = cache::continued(hash, (*constant.bytes).as_ref());
    }
    hash
}

/// The precision that was asked for, the one in which the partition runs, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePrecision {
    asked: Precision,
    mix: Mix,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// It runs as asked, without a trial.
    Asked,
    /// The device cannot store fp16.
    CannotStore,
    /// fp16 was tried.
    Tried(Verdict),
    /// fp16 could not be compiled or run.
    Failed(String),
}

impl EffectivePrecision {
    /// The precision without a trial.
    pub fn untried(asked: Precision, caps: &Caps) -> Self {
        match Mix::of(asked).store(caps) {
            Store::F32 if asked != Precision::Fp32 => {
                Self { asked, mix: Precision::Fp32.into(), why: Why::CannotStore }
            }
            _ => Self { asked, mix: asked.into(), why: Why::Asked },
        }
    }

    /// The precision after a trial. Logs a warning if fp16 has failed it.
    pub fn tried(asked: Precision, verdict: Verdict) -> Self {
        let mix = match &verdict {
            Verdict::Holds => asked.into(),
            Verdict::Mixed(wide, _) => Mix { asked, wide: wide.clone() },
            Verdict::Moves(_) => Precision::Fp32.into(),
        };
        Self { asked, mix, why: Why::Tried(verdict) }.announced()
    }

    /// fp32, after a trial that ended in an error. Logs the reason `why`.
    pub fn failed(asked: Precision, why: String) -> Self {
        Self { asked, mix: Precision::Fp32.into(), why: Why::Failed(why) }.announced()
    }

    /// The precision of each value.
    pub fn mix(&self) -> &Mix {
        &self.mix
    }

    fn announced(self) -> Self {
        log::debug!("this partition: {self}");
        if self.mix.asked != self.asked {
            log::warn!("{}: this partition runs in {}", self.why, self.mix.asked);
        } else if !self.mix.wide.is_empty() {
            log::info!("this partition: {self}");
        }
        self
    }
}

/// As `fp32 instead of fp16: fp16 moves output y by 3.00 % of its range`.
impl fmt::Display for EffectivePrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mix.asked == self.asked, self.mix.wide.len()) {
            (true, 0) => write!(f, "{}: {}", self.asked, self.why),
            (true, wide) => write!(f, "{} but for {wide} values in fp32: {}", self.asked, self.why),
            (false, _) => write!(f, "{} instead of {}: {}", self.mix.asked, self.asked, self.why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("as asked"),
            Self::CannotStore => f.write_str("the device cannot store fp16"),
            Self::Tried(Verdict::Holds) => f.write_str("it has held in its trial"),
            Self::Tried(Verdict::Mixed(_, why)) => write!(f, "else {why}"),
            Self::Tried(Verdict::Moves(why)) | Self::Failed(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Features;
    use crate::ir::{Constant, TensorType};

    fn graph(x: f32) -> Graph {
        let mut graph = Graph::default();
        let constant = Constant::from_f32([2], &[1.0, x]);
        graph.add_value("w", TensorType::f32([2]), Some(constant));
        graph
    }

    fn with_fp16() -> Caps {
        let caps = Caps::minimum();
        Caps { features: caps.features.with(Features::STORAGE_16), ..caps }
    }

    #[test]
    fn fingerprints_tell_weights_apart() {
        assert_eq!(fingerprint(&graph(1.0)), fingerprint(&graph(1.0)));
        assert_ne!(fingerprint(&graph(1.0)), fingerprint(&graph(2.0)));
    }

    #[test]
    fn verdicts_are_remembered_by_partition_and_precision() {
        let trial = |x, asked| Trial::needed(&graph(x), asked, &with_fp16()).unwrap();
        let verdicts = Verdicts::default();
        let moves = || "fp16 moves output x: by 3 %".to_owned();
        let wide = BTreeSet::from([ValueId(3), ValueId(14)]);
        for verdict in [Verdict::Holds, Verdict::Mixed(wide, moves()), Verdict::Moves(moves())] {
            verdicts.learn(&trial(1.0, Precision::Fp16), &verdict);
            assert_eq!(verdicts.get(&trial(1.0, Precision::Fp16)), Some(verdict));
        }
        assert_eq!(verdicts.get(&trial(1.0, Precision::Fp16Fast)), None);
        assert_eq!(verdicts.get(&trial(2.0, Precision::Fp16)), None);
    }

    #[test]
    fn only_fp16_on_a_device_that_stores_it_is_tried() {
        let (with, without) = (with_fp16(), Caps::minimum());
        assert_eq!(Trial::needed(&graph(1.0), Precision::Fp32, &with), None);
        assert_eq!(Trial::needed(&graph(1.0), Precision::Fp16, &without), None);
        let precision = |asked, caps| EffectivePrecision::untried(asked, caps).to_string();
        assert_eq!(precision(Precision::Fp32, &with), "fp32: as asked");
        let text = "fp32 instead of fp16-fast: the device cannot store fp16";
        assert_eq!(precision(Precision::Fp16Fast, &without), text);
    }

    #[test]
    fn a_lost_trial_means_fp32() {
        let held = EffectivePrecision::tried(Precision::Fp16, Verdict::Holds);
        assert_eq!(
            (held.mix(), held.to_string().as_str()),
            (&Mix::of(Precision::Fp16), "fp16: it has held in its trial")
        );
        let moves =
            EffectivePrecision::tried(Precision::Fp16, Verdict::Moves("fp16 moves output y by 3 %".into()));
        assert_eq!(*moves.mix(), Mix::of(Precision::Fp32));
        assert_eq!(moves.to_string(), "fp32 instead of fp16: fp16 moves output y by 3 %");
        let wide = BTreeSet::from([ValueId(3), ValueId(14)]);
        let verdict = Verdict::Mixed(wide.clone(), "fp16 moves output y by 3 %".into());
        let mixed = EffectivePrecision::tried(Precision::Fp16, verdict);
        assert_eq!(*mixed.mix(), Mix { asked: Precision::Fp16, wide });
        let text = "fp16 but for 2 values in fp32: else fp16 moves output y by 3 %";
        assert_eq!(mixed.to_string(), text);
        let failed = EffectivePrecision::failed(Precision::Fp16, "out of memory".into());
        assert_eq!(failed.to_string(), "fp32 instead of fp16: out of memory");
    }
}
