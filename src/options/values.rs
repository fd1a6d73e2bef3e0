//! The options as data.

use std::fmt;

/// How numbers are stored and computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats throughout: matches the CPU to about 1e-4 of the output's range.
    #[default]
    Fp32,
    /// Activations and weights stored as 16-bit floats, sums in 32 bits.
    Fp16,
    /// As [`Fp16`](Self::Fp16), but convolutions and matrix products multiply and add up to 32 products in 16
    /// bits, where the device can.
    Fp16Fast,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Fp16Fast => "fp16-fast",
        })
    }
}

/// Which of TFLite's kernels integer results equal bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Integers {
    /// The reference kernels (`BUILTIN_REF`) of runtimes from 2.20 on.
    #[default]
    Reference,
    /// The reference kernels of runtimes up to 2.19, whose FULLY_CONNECTED rounds twice.
    Reference214,
    /// XNNPACK for operators that it takes, else the reference kernels.
    Xnnpack,
}

/// Which candidates (kernels and tilings) are timed to find the fastest for each node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tune {
    /// None: the usual one for devices of this kind is taken.
    #[default]
    Off,
    /// A few, for the nodes that take nine tenths of the time.
    Fast,
    /// All, for every node.
    Full,
}

/// The delegate's options after parsing; see `include/tflite_vulkan.h` for their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `precision`, or `is_precision_loss_allowed`.
    pub precision: Precision,
    /// `integers`.
    pub integers: Integers,
    /// `device`: an index, a part of the name or a UUID; `None` picks the best.
    pub device: Option<String>,
    /// `allow_software`: take a device of type CPU as well.
    pub allow_software: bool,
    /// `require_device`: fail to create the delegate when no device can be used.
    pub require_device: bool,
    /// `max_delegated_partitions`; 0 means no limit.
    pub max_delegated_partitions: usize,
    /// `log_level`.
    pub log_level: log::LevelFilter,
    /// `profile`: `None` is off, an empty prefix goes to the log only.
    pub profile: Option<String>,
    /// `cache_dir` or `serialization_dir`; `None` keeps nothing on disk.
    pub cache_dir: Option<String>,
    /// `model_token`.
    pub model_token: Option<String>,
    /// `tune`.
    pub tune: Tune,
    /// `first_delegate_node_index`: nodes of a smaller index stay on the CPU.
    pub first_delegate_node_index: usize,
    /// `last_delegate_node_index`: nodes of a larger index stay on the CPU.
    pub last_delegate_node_index: usize,
    /// Keys of TFLite's own delegate that have no effect here, as `name=value`.
    pub ignored: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: Precision::Fp32,
            integers: Integers::Reference,
            device: None,
            allow_software: false,
            require_device: false,
            max_delegated_partitions: 0,
            log_level: log::LevelFilter::Info,
            profile: None,
            cache_dir: None,
            model_token: None,
            tune: Tune::Off,
            first_delegate_node_index: 0,
            last_delegate_node_index: usize::MAX,
            ignored: Vec::new(),
        }
    }
}
