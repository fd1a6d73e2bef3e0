//! Lines `key=value` as options; what is accepted must be accepted again as the struct says it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tflite_vulkan::options::{KEYS, Options};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // A digit in the place of the key picks one that is known.
    let key = |name: &str| -> String {
        let known =
            name.bytes().next().filter(|_| name.len() == 1).and_then(|b| KEYS.get(usize::from(b) % 16));
        known.map_or(name, |key| key.name).to_owned()
    };
    let pairs: Vec<(String, &str)> = text
        .lines()
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(k, v)| (key(k), v))
        .collect();
    let parsed = Options::parse(pairs.iter().map(|(k, v)| (k.as_str(), *v)));
    match parsed {
        Ok(options) => {
            let precision = options.precision.to_string();
            let again = Options::parse([("precision", precision.as_str())]).expect("its own word");
            assert_eq!(again.precision, options.precision);
            assert!(options.cache_dir.is_none_or(|dir| !dir.is_empty()));
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
});
