//! Keys that apps give to TFLite's own GPU delegate (`TfLiteGpuDelegateOptionsV2`, in its Metal form
//! `TFLGpuDelegateOptions`). Those with a counterpart here mean what they mean there. The rest, and values that mean
//! nothing, are remembered as ignored: an app that works with that delegate must not fail with this one.

/// `TfLiteGpuInferencePriority`, in its order; `AUTO` is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Priority {
    Precision,
    Latency,
    Memory,
}

/// `TFLITE_GPU_INFERENCE_PREFERENCE_SUSTAINED_SPEED`.
const SUSTAINED_SPEED: u32 = 1;

/// `TFLITE_GPU_EXPERIMENTAL_FLAGS_ENABLE_QUANT` and `…_ENABLE_SERIALIZATION`: both are on anyway.
const FLAGS_MET: u64 = 1 | 1 << 3;

/// What the keys said.
#[derive(Debug, Default)]
pub(super) struct GpuDelegateKeys {
    priorities: [Option<Priority>; 3],
    preference: u32,
    first_node: usize,
    last_node: Option<usize>,
    ignored: Vec<(&'static str, String)>,
}

/// Each setter takes its key over, or remembers it as ignored; neither is an error.
impl GpuDelegateKeys {
    /// `inference_priority1` to `3`, as `rank` 0 to 2.
    pub fn priority(&mut self, rank: usize, value: &str) -> Option<()> {
        let name = ["inference_priority1", "inference_priority2", "inference_priority3"][rank];
        let known = match value {
            "0" => None,
            "1" => Some(Priority::Precision),
            "2" => Some(Priority::Latency),
            "3" => Some(Priority::Memory),
            _ => return self.ignore(name, value),
        };
        self.priorities[rank] = known;
        self.obey(name)
    }

    /// `inference_preference`.
    pub fn preference(&mut self, value: &str) -> Option<()> {
        match value.parse() {
            Ok(preference @ 0..=2) => self.preference = preference,
            _ => return self.ignore("inference_preference", value),
        }
        self.obey("inference_preference")
    }

    /// `first_delegate_node_index`.
    pub fn first_node(&mut self, value: &str) -> Option<()> {
        match value.parse() {
            Ok(index) => self.first_node = index,
            Err(_) => return self.ignore("first_delegate_node_index", value),
        }
        self.obey("first_delegate_node_index")
    }

    /// `last_delegate_node_index`.
    pub fn last_node(&mut self, value: &str) -> Option<()> {
        match value.parse() {
            Ok(index) => self.last_node = Some(index),
            Err(_) => return self.ignore("last_delegate_node_index", value),
        }
        self.obey("last_delegate_node_index")
    }

    /// `experimental_flags`.
    pub fn flags(&mut self, value: &str) -> Option<()> {
        match value.parse::<u64>() {
            Ok(flags) if flags & !FLAGS_MET == 0 => self.obey("experimental_flags"),
            _ => self.ignore("experimental_flags", value),
        }
    }

    /// Whether quantised models may be taken, by either of its names: they are anyway.
    pub fn quantized(&mut self, name: &'static str, value: &str) -> Option<()> {
        if value == "1" || value.eq_ignore_ascii_case("true") {
            return self.obey(name);
        }
        self.ignore(name, value)
    }

    /// A key that has no meaning here.
    pub fn ignore(&mut self, name: &'static str, value: &str) -> Option<()> {
        self.obey(name)?;
        self.ignored.push((name, value.into()));
        Some(())
    }

    /// Of a key that is given twice the last value counts.
    fn obey(&mut self, name: &'static str) -> Option<()> {
        self.ignored.retain(|(ignored, _)| *ignored != name);
        Some(())
    }

    /// Whether no other priority comes before that of precision; so it is by default.
    pub fn precision_matters_most(&self) -> bool {
        self.priorities[0].is_none_or(|first| first == Priority::Precision)
    }

    /// Whether a longer start is welcome if it makes the rest faster.
    pub fn wants_sustained_speed(&self) -> bool {
        self.preference == SUSTAINED_SPEED
    }

    /// The first place of the execution plan that may be delegated.
    pub fn first_node_index(&self) -> usize {
        self.first_node
    }

    /// The last one.
    pub fn last_node_index(&self) -> usize {
        self.last_node.unwrap_or(usize::MAX)
    }

    /// What had no effect, as `name=value`.
    pub fn into_ignored(self) -> Vec<String> {
        self.ignored.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}
