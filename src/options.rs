//! What a user may ask of the delegate: the options as data, and the keys that set them.

mod gpu_delegate;
mod keys;
mod values;

use crate::error::{Error, Result};
use keys::Parsing;
pub use keys::{KEYS, Key, help, profile};
pub use values::{Integers, Options, Precision, Tune};

impl Options {
    /// Reads key and value pairs in any order; of a key that is given twice the last value counts.
    ///
    /// # Errors
    /// [`Error::Option`] names an unknown key and lists those that are known, names a bad value and lists
    /// what its key takes, or says which two values contradict each other.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut parsing = Parsing::default();
        for (name, value) in pairs {
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                return Err(Error::Option(format!("unknown option '{name}'; known are:\n{}", help())));
            };
            if (key.set)(&mut parsing, value).is_none() {
                return Err(Error::Option(format!("option {name}='{value}': must be {}", key.values)));
            }
        }
        let Parsing { options, precision, loss_allowed, tune, cache_dir, serialization_dir, gpu } = parsing;
        let precision = match (precision, loss_allowed) {
            (Some(precision @ (Precision::Fp16 | Precision::Fp16Fast)), Some(false)) => {
                return Err(Error::Option(format!(
                    "precision={precision} contradicts is_precision_loss_allowed=0"
                )));
            }
            (Some(precision), _) => precision,
            (None, Some(true)) => Precision::Fp16,
            (None, Some(false)) => Precision::Fp32,
            (None, None) if gpu.precision_matters_most() => Precision::Fp32,
            (None, None) => Precision::Fp16,
        };
        let sustained = if gpu.wants_sustained_speed() { Tune::Fast } else { Tune::Off };
        let cache_dir = match (cache_dir, serialization_dir) {
            (Some(a), Some(b)) if a != b => {
                return Err(Error::Option(format!("cache_dir={a} contradicts serialization_dir={b}")));
            }
            (a, b) => a.or(b),
        };
        Ok(Self {
            precision,
            cache_dir,
            tune: tune.unwrap_or(sustained),
            first_delegate_node_index: gpu.first_node_index(),
            last_delegate_node_index: gpu.last_node_index(),
            ignored: gpu.into_ignored(),
            ..options
        })
    }
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
            (&[("integers", "reference")], base()),
            (&[("integers", "reference-2.14")], Options { integers: Integers::Reference214, ..base() }),
            (&[("integers", "xnnpack")], Options { integers: Integers::Xnnpack, ..base() }),
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

    /// What apps give to TFLite's own GPU delegates never fails.
    #[test]
    fn keys_of_the_gpu_delegate_mean_the_same_or_are_named() {
        let base = Options::default;
        let fp16 = || Options { precision: Precision::Fp16, ..base() };
        let tuned = || Options { tune: Tune::Fast, ..base() };
        let ignored = |text: &str| Options { ignored: vec![text.into()], ..base() };
        let cases: &[(&[(&str, &str)], Options)] = &[
            (&[("is_precision_loss_allowed", "-1")], base()),
            (&[("allow_precision_loss", "1")], fp16()),
            (&[("inference_priority1", "0")], base()),
            (&[("inference_priority1", "1"), ("inference_priority2", "2")], base()),
            (&[("inference_priority1", "2")], fp16()),
            (&[("inference_priority1", "3"), ("inference_priority2", "1")], fp16()),
            (&[("inference_priority2", "2"), ("inference_priority3", "3")], base()),
            (&[("inference_priority1", "2"), ("is_precision_loss_allowed", "0")], base()),
            (&[("inference_priority1", "2"), ("is_precision_loss_allowed", "-1")], fp16()),
            (&[("inference_priority1", "2"), ("precision", "fp32")], base()),
            (&[("inference_priority1", "MIN_LATENCY")], ignored("inference_priority1=MIN_LATENCY")),
            (&[("inference_preference", "0")], base()),
            (&[("inference_preference", "1")], tuned()),
            (&[("inference_preference", "2")], base()),
            (&[("inference_preference", "1"), ("tune", "off")], base()),
            (&[("inference_preference", "1"), ("tune", "full")], Options { tune: Tune::Full, ..base() }),
            (&[("inference_preference", "3")], ignored("inference_preference=3")),
            (&[("inference_preference", "3"), ("inference_preference", "1")], tuned()),
            (&[("experimental_flags", "1")], base()),
            (&[("experimental_flags", "9")], base()),
            (&[("experimental_flags", "3")], ignored("experimental_flags=3")),
            (&[("experimental_flags", "-1")], ignored("experimental_flags=-1")),
            (&[("enable_quantized_inference", "1")], base()),
            (&[("enable_quantized_inference", "0")], ignored("enable_quantized_inference=0")),
            (&[("enable_quantization", "True")], base()),
            (&[("wait_type", "2")], ignored("wait_type=2")),
            (&[("first_delegate_node_index", "2")], Options { first_delegate_node_index: 2, ..base() }),
            (&[("last_delegate_node_index", "5")], Options { last_delegate_node_index: 5, ..base() }),
            (
                &[("last_delegate_node_index", "2147483647")],
                Options { last_delegate_node_index: 2_147_483_647, ..base() },
            ),
            (&[("last_delegate_node_index", "-1")], ignored("last_delegate_node_index=-1")),
            (&[("first_delegate_node_index", "")], ignored("first_delegate_node_index=")),
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
    fn two_places_for_the_cache_are_an_error() {
        let pairs = [("cache_dir", "a"), ("serialization_dir", "b")];
        let error = Options::parse(pairs).unwrap_err().to_string();
        assert_eq!(error, "cache_dir=a contradicts serialization_dir=b");
    }
}
