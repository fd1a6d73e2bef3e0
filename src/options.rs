//! What a user may ask of the delegate: the options as data, and the keys that set them.

use std::fmt::{self, Write};

use crate::error::{Error, Result};

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
    /// What was asked for that has no effect, see [`WITHOUT_EFFECT`].
    pub ignored: Vec<&'static str>,
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
            profile: None,
            cache_dir: None,
            model_token: None,
            tune: Tune::Off,
            ignored: Vec::new(),
        }
    }
}

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
    set: fn(&mut Parsing, &str) -> Option<()>,
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
        set: |p, value| tune(value).map(|x| p.options.tune = x),
    },
    Key {
        name: "is_precision_loss_allowed",
        values: "0|1",
        help: "TFLite's own key: 1 means precision=fp16 unless precision says otherwise",
        set: |p, value| boolean(value).map(|x| p.loss_allowed = Some(x)),
    },
];

/// Keys of TensorFlow Lite's own GPU delegate that choose between ways of its own, or leave nodes to the CPU: the
/// results are the same without. Any value is accepted.
pub const WITHOUT_EFFECT: &[&str] = &[
    "enable_quantized_inference",
    "experimental_flags",
    "first_delegate_node_index",
    "inference_preference",
    "inference_priority1",
    "inference_priority2",
    "inference_priority3",
    "last_delegate_node_index",
];

/// What the keys said so far.
#[derive(Default)]
struct Parsing {
    options: Options,
    precision: Option<Precision>,
    loss_allowed: Option<bool>,
    cache_dir: Option<String>,
    serialization_dir: Option<String>,
}

impl Options {
    /// Reads key and value pairs in any order; of a key that is given twice the last value counts.
    ///
    /// # Errors
    /// [`Error::Option`] names an unknown key and lists those that are known, names a bad value and lists
    /// what its key takes, or says which two values contradict each other.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut parsing = Parsing::default();
        for (name, value) in pairs {
            if let Some(name) = WITHOUT_EFFECT.iter().find(|known| **known == name) {
                parsing.options.ignored.push(name);
                continue;
            }
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                return Err(Error::Option(format!("unknown option '{name}'; known are:\n{}", help())));
            };
            if (key.set)(&mut parsing, value).is_none() {
                return Err(Error::Option(format!("option {name}='{value}': must be {}", key.values)));
            }
        }
        let Parsing { options, precision, loss_allowed, cache_dir, serialization_dir } = parsing;
        let precision = match (precision, loss_allowed) {
            (Some(precision @ (Precision::Fp16 | Precision::Fp16Fast)), Some(false)) => {
                return Err(Error::Option(format!(
                    "precision={precision} contradicts is_precision_loss_allowed=0"
                )));
            }
            (Some(precision), _) => precision,
            (None, Some(true)) => Precision::Fp16,
            (None, _) => Precision::Fp32,
        };
        let cache_dir = match (cache_dir, serialization_dir) {
            (Some(a), Some(b)) if a != b => {
                return Err(Error::Option(format!("cache_dir={a} contradicts serialization_dir={b}")));
            }
            (a, b) => a.or(b),
        };
        Ok(Self { precision, cache_dir, ..options })
    }
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

/// Hosts write what their own language calls true: Python `True`, a command line `true`.
fn boolean(value: &str) -> Option<bool> {
    let is = |digit: &str, word: &str| value == digit || value.eq_ignore_ascii_case(word);
    if is("1", "true") { Some(true) } else { is("0", "false").then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_sets_its_field() {
        let base = Options::default;
        let cases: &[(&[(&str, &str)], Options)] = &[
            (&[], base()),
            (&[("precision", "fp16")], Options { precision: Precision::Fp16, ..base() }),
            (&[("device", "NVIDIA")], Options { device: Some("NVIDIA".into()), ..base() }),
            (&[("device", "")], base()),
            (&[("allow_software", "1")], Options { allow_software: true, ..base() }),
            (&[("require_device", "true")], Options { require_device: true, ..base() }),
            (&[("max_delegated_partitions", "3")], Options { max_delegated_partitions: 3, ..base() }),
            (&[("log_level", "off")], Options { log_level: log::LevelFilter::Off, ..base() }),
            (&[("profile", "1")], Options { profile: Some(String::new()), ..base() }),
            (&[("profile", "a/b")], Options { profile: Some("a/b".into()), ..base() }),
            (&[("profile", "1"), ("profile", "0")], base()),
            (&[("cache_dir", "a")], Options { cache_dir: Some("a".into()), ..base() }),
            (&[("serialization_dir", "a")], Options { cache_dir: Some("a".into()), ..base() }),
            (
                &[("serialization_dir", "a"), ("cache_dir", "a"), ("model_token", "m")],
                Options { cache_dir: Some("a".into()), model_token: Some("m".into()), ..base() },
            ),
            (&[("cache_dir", ""), ("model_token", "")], base()),
            (&[("tune", "fast")], Options { tune: Tune::Fast, ..base() }),
            (&[("tune", "full"), ("tune", "off")], base()),
            (&[("is_precision_loss_allowed", "1")], Options { precision: Precision::Fp16, ..base() }),
            (&[("is_precision_loss_allowed", "0")], base()),
            (&[("is_precision_loss_allowed", "1"), ("precision", "fp32")], base()),
            (&[("precision", "fp32"), ("is_precision_loss_allowed", "1")], base()),
            (&[("allow_software", "1"), ("allow_software", "0")], base()),
        ];
        for (pairs, want) in cases {
            assert_eq!(Options::parse(pairs.iter().copied()).as_ref(), Ok(want), "{pairs:?}");
        }
    }

    #[test]
    fn booleans_are_words_in_any_case() {
        for (value, want) in [("1", true), ("true", true), ("True", true), ("TRUE", true), ("False", false)] {
            for key in ["allow_software", "require_device", "is_precision_loss_allowed", "profile"] {
                let digit = if want { "1" } else { "0" };
                assert_eq!(Options::parse([(key, value)]), Options::parse([(key, digit)]), "{key}={value}");
            }
            assert_eq!(Options::parse([("allow_software", value)]).map(|o| o.allow_software), Ok(want));
        }
        for value in ["yes", " 1", "", "tru", "truee"] {
            assert!(Options::parse([("allow_software", value)]).is_err(), "{value}");
        }
        assert_eq!(profile("Truth"), Some("Truth".into()));
    }

    #[test]
    fn errors_name_the_culprit_and_list_what_is_known() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("presicion", "fp16")], "unknown option 'presicion'"),
            (&[("", "")], "unknown option ''"),
            (&[("precision", "int8")], "precision='int8': must be fp32|fp16"),
            (&[("precision", "FP16")], "precision='FP16'"),
            (&[("tune", "1")], "tune='1': must be off|fast|full"),
            (&[("allow_software", "2")], "allow_software='2': must be 0|1"),
            (&[("max_delegated_partitions", "-1")], "max_delegated_partitions='-1'"),
            (&[("max_delegated_partitions", "99999999999999999999")], "max_delegated_partitions"),
            (&[("log_level", "loud")], "log_level='loud': must be off|error|warn|info|debug|trace"),
        ];
        for (pairs, want) in cases {
            let error = Options::parse(pairs.iter().copied()).unwrap_err().to_string();
            assert!(error.contains(want), "{pairs:?}: {error}");
            // Every key once, or the values of one.
            let known = |key: &Key| error.matches(&format!("  {}=", key.name)).count();
            let times = usize::from(error.starts_with("unknown"));
            assert!(KEYS.iter().all(|key| known(key) == times), "{pairs:?}: {error}");
            assert_eq!(error.lines().count(), 1 + times * KEYS.len(), "{error}");
        }
    }

    #[test]
    fn forbidding_the_loss_and_asking_for_it_is_an_error() {
        let pairs = [("is_precision_loss_allowed", "0"), ("precision", "fp16")];
        let error = Options::parse(pairs).unwrap_err().to_string();
        assert_eq!(error, "precision=fp16 contradicts is_precision_loss_allowed=0");
    }

    #[test]
    fn keys_of_other_delegates_are_no_errors() {
        for name in WITHOUT_EFFECT {
            let want = Options { ignored: vec![name], ..Options::default() };
            assert_eq!(Options::parse([(*name, "1")]), Ok(want));
        }
    }

    #[test]
    fn two_places_for_the_cache_are_an_error() {
        let pairs = [("cache_dir", "a"), ("serialization_dir", "b")];
        let error = Options::parse(pairs).unwrap_err().to_string();
        assert_eq!(error, "cache_dir=a contradicts serialization_dir=b");
    }
}
