//! Sizes that a model gives: reads `src/` and fails on an allocation that could abort, or a product that could wrap.
//!
//! A model's sizes go through `ir::bounded`, which refuses what is too large, and through `Shape::elements` and
//! `Shape::slice`, which saturate.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms where sizes of a model occur.
const ROOMS: &[&str] = &["compile", "delegate", "graph", "ir", "lower", "op", "ops", "passes", "reference"];

/// What may be the length of a plain `vec![x; n]`: ranks, and counts of what exists already.
const LENGTHS: &[&str] = &["graph.values.len()", "shape.len()", "x.len()", "i.len()", "rank", "levels"];

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| files(&entry.unwrap().path(), found));
    } else if path.extension().is_some_and(|ending| ending == "rs") {
        found.push(path.to_owned());
    }
}

/// What is wrong in a line of code, if anything.
fn fault(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    if let Some((_, rest)) = code.split_once("vec![")
        && let Some((_, length)) = rest.split_once("; ")
    {
        let length = length.split(']').next().unwrap_or_default();
        if length.parse::<usize>().is_err() && !LENGTHS.contains(&length) {
            return Some("vec![_; n] aborts when memory runs out: use bounded::filled");
        }
    }
    if code.contains("with_capacity(") || code.contains(".reserve(") {
        return Some("it aborts when memory runs out: use bounded::collected");
    }
    if code.contains(".product::<u32>()") {
        return Some("the product wraps: use Shape::slice");
    }
    None
}

#[test]
fn sizes_of_a_model_neither_abort_nor_wrap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for room in ROOMS {
        files(&root.join(room), &mut found);
        files(&root.join(format!("{room}.rs")), &mut found);
    }
    assert!(found.len() > 60, "{} files", found.len());
    let mut wrong = Vec::new();
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(code.lines()) {
            if let Some(why) = fault(line) {
                wrong.push(format!("{}:{number}: {why}", file.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_are_seen() {
    assert!(fault("let x = vec![0; n];").is_some());
    assert!(fault("let x = vec![0u8; bytes(id)];").is_some());
    assert!(fault("Vec::with_capacity(n)").is_some());
    assert!(fault("dims.iter().product::<u32>()").is_some());
    assert!(fault("let x = vec![0; 3]; // vec![0; n]").is_none());
    assert!(fault("let x = vec![false; x.len()];").is_none());
}
