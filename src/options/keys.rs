//! The keys that set options, and what they said so far.

use std::fmt::Write;

use super::gpu_delegate::GpuDelegateKeys;
use super::values::{Integers, Options, Precision, Tune};

/// A key that users may set.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The values that it takes, for people.
    pub values: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Takes the value over; `None` if it is none of `values`.
    pub(super) set: fn(&mut Parsing, &str) -> Option<()>,
}

/// Every key.
pub static KEYS: &[Key] = &[
    Key {
        name: "precision",
        values: "fp32|fp16|fp16-fast",
        help: "how activations and weights are stored; fp16-fast also has short sums in 16 bits",
        set: |p, value| precision(value).map(|x| p.precision = Some(x)),
    },
    Key {
        name: "integers",
        values: "reference|reference-2.14|xnnpack",
        help: "which of TFLite's kernels quantised models equal bit by bit; reference-2.14: of runtimes up to 2.19",
        set: |p, value| integers(value).map(|x| p.options.integers = x),
    },
    Key {
        name: "device",
        values: "<index>|<part of the name>|<uuid>",
        help: "which Vulkan device to use; without it the best one",
        set: |p, value| {
            p.options.device = text(value);
            Some(())
        },
    },
    Key {
        name: "allow_software",
        values: "0|1",
        help: "also take a device that is a software implementation on the CPU",
        set: |p, value| boolean(value).map(|x| p.options.allow_software = x),
    },
    Key {
        name: "require_device",
        values: "0|1",
        help: "fail when no device can be used, instead of leaving the whole model to the CPU",
        set: |p, value| boolean(value).map(|x| p.options.require_device = x),
    },
    Key {
        name: "max_delegated_partitions",
        values: "<number>",
        help: "take at most this many parts of the graph, the largest; 0 means no limit",
        set: |p, value| value.parse().ok().map(|x| p.options.max_delegated_partitions = x),
    },
    Key {
        name: "log_level",
        values: "off|error|warn|info|debug|trace",
        help: "what to log; debug tells every node's fate, trace prints the compiled programs",
        set: |p, value| value.parse().ok().map(|x| p.options.log_level = x),
    },
    Key {
        name: "profile",
        values: "0|1|<path prefix>",
        help: "time every node on the device: a table in the log, with a prefix JSON and a trace as well",
        set: |p, value| {
            p.options.profile = profile(value);
            Some(())
        },
    },
    Key {
        name: "cache_dir",
        values: "<directory>",
        help: "keep what was compiled and found out there for the next start; it is created if need be",
        set: |p, value| {
            p.cache_dir = text(value);
            Some(())
        },
    },
    Key {
        name: "serialization_dir",
        values: "<directory>",
        help: "TFLite's own name for cache_dir",
        set: |p, value| {
            p.serialization_dir = text(value);
            Some(())
        },
    },
    Key {
        name: "model_token",
        values: "<name>",
        help: "TFLite's own key: gives the model a cache file of its own in cache_dir",
        set: |p, value| {
            p.options.model_token = text(value);
            Some(())
        },
    },
    Key {
        name: "tune",
        values: "off|fast|full",
        help: "time several ways of computing each node and take the fastest; cache_dir keeps what was found",
        set: |p, value| tune(value).map(|x| p.tune = Some(x)),
    },
    Key {
        name: "is_precision_loss_allowed",
        values: "-1|0|1",
        help: "TFLite's own key: 1 means precision=fp16 unless precision says otherwise; -1 leaves it to priorities",
        set: |p, value| loss_allowed(value).map(|x| p.loss_allowed = x),
    },
    Key {
        name: "inference_priority1",
        values: "0|1|2|3",
        help: "TFLite's own key: automatic, precision, latency, memory; precision first means fp32, else fp16",
        set: |p, value| p.gpu.priority(0, value),
    },
    Key {
        name: "inference_priority2",
        values: "0|1|2|3",
        help: "TFLite's own key: what matters next",
        set: |p, value| p.gpu.priority(1, value),
    },
    Key {
        name: "inference_priority3",
        values: "0|1|2|3",
        help: "TFLite's own key: what matters least",
        set: |p, value| p.gpu.priority(2, value),
    },
    Key {
        name: "inference_preference",
        values: "0|1|2",
        help: "TFLite's own key: a fast single answer, sustained speed, balanced; 1 means tune=fast",
        set: |p, value| p.gpu.preference(value),
    },
    Key {
        name: "first_delegate_node_index",
        values: "<number>",
        help: "TFLite's own key: nodes of a smaller index stay on the CPU",
        set: |p, value| p.gpu.first_node(value),
    },
    Key {
        name: "last_delegate_node_index",
        values: "<number>",
        help: "TFLite's own key: nodes of a larger index stay on the CPU",
        set: |p, value| p.gpu.last_node(value),
    },
    Key {
        name: "experimental_flags",
        values: "<number>",
        help: "TFLite's own key: quantised models (1) and serialisation (8) are on anyway, the rest is ignored",
        set: |p, value| p.gpu.flags(value),
    },
    Key {
        name: "enable_quantized_inference",
        values: "0|1",
        help: "TFLite's own key: 1 is what happens anyway, 0 is ignored",
        set: |p, value| p.gpu.quantized("enable_quantized_inference", value),
    },
    Key {
        name: "enable_quantization",
        values: "0|1",
        help: "the same in TFLite's Metal delegate",
        set: |p, value| p.gpu.quantized("enable_quantization", value),
    },
    Key {
        name: "allow_precision_loss",
        values: "-1|0|1",
        help: "is_precision_loss_allowed in TFLite's Metal delegate",
        set: |p, value| loss_allowed(value).map(|x| p.loss_allowed = x),
    },
    Key {
        name: "wait_type",
        values: "<any>",
        help: "a key of TFLite's Metal delegate, ignored",
        set: |p, value| p.gpu.ignore("wait_type", value),
    },
];

/// What the keys said so far.
#[derive(Default)]
pub(super) struct Parsing {
    /// What needs no second look.
    pub options: Options,
    /// `precision`.
    pub precision: Option<Precision>,
    /// `is_precision_loss_allowed`.
    pub loss_allowed: Option<bool>,
    /// `tune`.
    pub tune: Option<Tune>,
    /// `cache_dir`.
    pub cache_dir: Option<String>,
    /// `serialization_dir`.
    pub serialization_dir: Option<String>,
    /// What else TFLite's own delegate takes.
    pub gpu: GpuDelegateKeys,
}

/// The keys with their values and meaning, one a line.
pub fn help() -> String {
    KEYS.iter().fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "  {}={}  {}", key.name, key.values, key.help);
        text
    })
}

fn precision(value: &str) -> Option<Precision> {
    match value {
        "fp32" => Some(Precision::Fp32),
        "fp16" => Some(Precision::Fp16),
        "fp16-fast" => Some(Precision::Fp16Fast),
        _ => None,
    }
}

fn integers(value: &str) -> Option<Integers> {
    match value {
        "reference" => Some(Integers::Reference),
        "reference-2.14" => Some(Integers::Reference214),
        "xnnpack" => Some(Integers::Xnnpack),
        _ => None,
    }
}

fn tune(value: &str) -> Option<Tune> {
    match value {
        "off" => Some(Tune::Off),
        "fast" => Some(Tune::Fast),
        "full" => Some(Tune::Full),
        _ => None,
    }
}

/// What `profile` asks for.
pub fn profile(value: &str) -> Option<String> {
    match boolean(value) {
        Some(on) => on.then(String::new),
        None => text(value),
    }
}

/// An empty text is none.
fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.into())
}

/// As TFLite's own delegate means it: `None` for -1, which leaves the answer to the priorities.
fn loss_allowed(value: &str) -> Option<Option<bool>> {
    if value == "-1" { Some(None) } else { boolean(value).map(Some) }
}

/// Hosts write what their own language calls true: Python `True`, a command line `true`.
fn boolean(value: &str) -> Option<bool> {
    let is = |digit: &str, word: &str| value == digit || value.eq_ignore_ascii_case(word);
    if is("1", "true") { Some(true) } else { is("0", "false").then_some(false) }
}
