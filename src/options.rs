//! What a user may ask of the delegate, as plain data.

/// How numbers are stored and computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats throughout: matches the CPU to about 1e-4 of the output's range.
    #[default]
    Fp32,
    /// Activations and weights stored as 16-bit floats, sums in 32 bits.
    Fp16,
}

/// The delegate's options after parsing; see `include/tflite_vulkan.h` for their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `precision`, or `is_precision_loss_allowed`.
    pub precision: Precision,
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: Precision::Fp32,
            device: None,
            allow_software: false,
            require_device: false,
            max_delegated_partitions: 0,
            log_level: log::LevelFilter::Info,
        }
    }
}
