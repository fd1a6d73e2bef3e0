//! Key-value pairs, kept in memory and, with a file, across processes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Cache;

/// Keys and values; each is a single line of text.
#[derive(Debug, Default)]
pub struct Facts {
    facts: Mutex<BTreeMap<String, String>>,
    file: Option<Cache>,
}

impl Facts {
    /// The pairs that `file` holds. Without a file the table starts empty and ends with the process.
    pub fn new(file: Option<Cache>) -> Self {
        let facts = file.as_ref().map(read).unwrap_or_default();
        Self { facts: Mutex::new(facts), file }
    }

    /// The value of the key `name`.
    pub fn get(&self, name: &str) -> Option<String> {
        self.facts().get(name).cloned()
    }

    /// Adds pairs, and writes them to the file beside those that other processes added meanwhile. A file that
    /// cannot be written is logged; the pairs stay in memory.
    pub fn learn(&self, new: impl IntoIterator<Item = (String, String)>) {
        let mut facts = self.facts();
        let line = |text: String| text.replace(['\n', '\t'], " ");
        facts.extend(new.into_iter().map(|(name, fact)| (line(name), line(fact))));
        let Some(file) = &self.file else { return };
        for (name, fact) in read(file) {
            facts.entry(name).or_insert(fact);
        }
        let text: String = facts.iter().map(|(name, fact)| format!("{name}\t{fact}\n")).collect();
        if let Err(e) = file.store(text.as_bytes()) {
            log::warn!("what was learned cannot be kept in {}: {e}", file.path().display());
        }
    }

    fn facts(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Cache) -> BTreeMap<String, String> {
    let text = String::from_utf8(file.load().unwrap_or_default()).unwrap_or_default();
    let fact = |line: &str| line.split_once('\t').map(|(name, fact)| (name.to_owned(), fact.to_owned()));
    text.lines().filter_map(fact).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{FileKind, Identity};
    use super::*;
    use std::fs;

    const IDENTITY: Identity =
        Identity { device: [7; 16], ids: [1, 2], driver: 9, compiler: [3; 16], library: 5 };

    fn fact(name: &str, fact: &str) -> [(String, String); 1] {
        [(name.into(), fact.into())]
    }

    #[test]
    fn facts_of_one_file_learn_from_each_other_and_survive_its_damage() {
        let directory = std::env::temp_dir().join(format!("tflite-vulkan-{}-facts", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let file = || Cache::new(&directory, None, IDENTITY, FileKind::Precision);
        let known = || Facts::new(Some(file()));
        let (a, b) = (known(), known());
        a.learn(fact("x", "1"));
        b.learn(fact("y\t", "two\nlines"));
        a.learn(fact("x", "3"));
        assert_eq!((a.get("x"), b.get("x")), (Some("3".into()), Some("1".into())));
        assert_eq!((known().get("x"), known().get("y ")), (Some("3".into()), Some("two lines".into())));
        let whole = fs::read(file().path()).unwrap();
        for length in 0..whole.len() {
            fs::write(file().path(), &whole[..length]).unwrap();
            assert_eq!(known().get("x"), None, "{length} bytes");
        }
        a.learn(fact("z", ""));
        assert_eq!((known().get("x"), known().get("z")), (Some("3".into()), Some(String::new())));
        let foreign = Identity { driver: 8, ..IDENTITY };
        let other = Facts::new(Some(Cache::new(&directory, None, foreign, FileKind::Precision)));
        assert_eq!(other.get("x"), None);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn without_a_file_they_last_as_long_as_the_process() {
        let facts = Facts::default();
        assert_eq!(facts.get("x"), None);
        facts.learn(fact("x", "1"));
        assert_eq!(facts.get("x"), Some("1".into()));
    }
}
