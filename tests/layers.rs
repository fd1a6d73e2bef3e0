//! Arrows go down: reads the imports of `src/` and fails on one that runs up.
//!
//! Two rules, without exceptions:
//!
//! * A room (a file or folder directly below `src/`) names only rooms that stand before it in [`ROOMS`].
//! * Within a room, what files take from each other forms no circle. A re-export stands for the file that it
//!   re-exports from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the ground up.
const ROOMS: &[&str] = &[
    "error",
    "logging",
    "options",
    "cache",
    "halves",
    "codes",
    "caps",
    "ir",
    "program",
    "noise",
    "plan",
    "spirv",
    "kernel",
    "tflite",
    "lower",
    "op",
    "graph",
    "ops",
    "passes",
    "compile",
    "reference",
    "profile",
    "vk",
    "runtime",
    "tune",
    "delegate",
    "ffi",
];

/// A module: its path below the crate, as `["lower", "grid"]`, and its text without comments.
struct Module {
    path: Vec<String>,
    text: String,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.sort();
    let module = |file: &PathBuf| {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let path = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        Module { path, text: without_comments(&fs::read_to_string(file).unwrap()) }
    };
    found.iter().map(module).filter(|module| module.path != ["lib"]).collect()
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(code).collect()
}

/// The first name behind the crate, if a path as seen from `module` begins there.
fn from_root<'a>(module: &[String], path: &'a [String]) -> Option<&'a str> {
    let up = path.iter().take_while(|part| *part == "super").count();
    let crates = path.first().is_some_and(|part| part == "crate");
    path.get(if crates { 1 } else { up }).filter(|_| crates || up >= module.len()).map(String::as_str)
}

#[test]
fn rooms_name_lower_rooms_only() {
    let floor = |room: &str| ROOMS.iter().position(|other| *other == room);
    let mut wrong = Vec::new();
    for module in modules() {
        let file = module.path.join("/");
        let Some(own) = floor(&module.path[0]) else {
            wrong.push(format!("src/{file}.rs is in no room of ROOMS"));
            continue;
        };
        let imported = uses(&module.text).into_iter().flat_map(|(_, paths)| paths);
        for path in imported.chain(written_out(&without_uses(&module.text))) {
            let Some(name) = from_root(&module.path, &path) else { continue };
            match floor(name) {
                Some(other) if other > own => {
                    wrong.push(format!("src/{file}.rs names {name}, which is above"))
                }
                // What is no room is a macro or an item of lib.rs.
                _ => {}
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The paths of one use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let tree = tree.split(" as ").next().unwrap_or_default();
        return vec![tree.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let head: Vec<String> =
        head.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| paths(part)).map(|path| [head.clone(), path].concat()).collect()
}

/// The `use` statements of a text: whether it re-exports, and its paths.
fn uses(text: &str) -> Vec<(bool, Vec<Vec<String>>)> {
    let statement = |statement: &str| {
        let (before, tree) = statement.rsplit_once("use ")?;
        let public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        Some((public, paths(tree)))
    };
    text.split(';').filter(|s| s.contains("use ")).filter_map(statement).collect()
}

/// The paths that code writes out, as `super::types::Shape`: those that begin with `crate` or `super`.
fn written_out(code: &str) -> Vec<Vec<String>> {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .map(|path| path.trim_matches(':').split("::").map(str::to_owned).collect::<Vec<_>>())
        .filter(|path| path.len() > 1 && (path[0] == "crate" || path[0] == "super"))
        .collect()
}

/// The modules of one room and how their names resolve.
struct Room<'a> {
    modules: BTreeMap<&'a [String], &'a str>,
}

impl Room<'_> {
    /// A path as seen from `module`, from the crate on; `None` if it leads out of the room.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => (rest.first() == module.first()).then(|| rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let (_, parent) = module.split_last()?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.absolute(parent, rest),
                    _ if parent.is_empty() => None,
                    _ => Some([parent, rest].concat()),
                }
            }
            _ => {
                let child = [module, std::slice::from_ref(first)].concat();
                self.modules.contains_key(&child[..]).then(|| [module, path].concat())
            }
        }
    }

    /// The file that defines what an absolute path names.
    fn file(&self, path: &[String]) -> Option<Vec<String>> {
        let length = (1..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n]))?;
        let module = &path[..length];
        let Some(name) = path.get(length).filter(|name| *name != "self") else {
            return Some(module.to_vec());
        };
        let exported = uses(self.modules[module]).into_iter().filter(|(public, _)| *public);
        let from = exported.flat_map(|(_, paths)| paths).find(|path| path.last() == Some(name));
        match from.and_then(|from| self.absolute(module, &from)) {
            Some(from) if from != path => self.file(&from),
            _ => Some(module.to_vec()),
        }
    }

    /// The other files of the room that `module` takes something from.
    fn arrows(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let text = self.modules[module];
        let code = without_uses(text);
        let mut targets: Vec<Vec<String>> = Vec::new();
        for (public, paths) in uses(text) {
            // A re-export hands on; it counts if the module itself uses the name.
            let used = |path: &Vec<String>| !public || path.last().is_some_and(|name| has_word(&code, name));
            targets.extend(
                paths.iter().filter(|path| used(path)).filter_map(|path| self.absolute(module, path)),
            );
        }
        targets.extend(written_out(&code).iter().filter_map(|path| self.absolute(module, path)));
        // Children are in scope without an import.
        let children =
            self.modules.keys().filter(|path| path.len() == module.len() + 1 && path.starts_with(module));
        targets.extend(
            children.filter(|path| code.contains(&format!("{}::", path[module.len()]))).map(|p| p.to_vec()),
        );
        targets.iter().filter_map(|path| self.file(path)).filter(|file| file != module).collect()
    }
}

fn without_uses(text: &str) -> String {
    let code = |statement: &str| match statement.rfind("use ") {
        Some(at) => statement[..at].to_owned(),
        None => statement.to_owned(),
    };
    text.split(';').map(code).collect::<Vec<_>>().join(";")
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|other| other == word)
}

/// A circle of arrows, if there is one.
fn circle(arrows: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Option<Vec<String>> {
    fn visit(
        at: &Vec<String>,
        arrows: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
        road: &mut Vec<Vec<String>>,
        done: &mut BTreeSet<Vec<String>>,
    ) -> Option<Vec<String>> {
        if let Some(start) = road.iter().position(|other| other == at) {
            return Some(road[start..].iter().chain([at]).map(|path| path.join("/")).collect());
        }
        if done.contains(at) {
            return None;
        }
        road.push(at.clone());
        let found = arrows.get(at).into_iter().flatten().find_map(|next| visit(next, arrows, road, done));
        road.pop();
        done.insert(at.clone());
        found
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|at| visit(at, arrows, &mut Vec::new(), &mut done))
}

#[test]
fn files_of_a_room_form_no_circle() {
    let modules = modules();
    let mut wrong = Vec::new();
    for room in ROOMS {
        let own = modules.iter().filter(|module| module.path[0] == *room);
        let without_tests =
            |module: &Module| module.text.split("#[cfg(test)]\nmod tests").next().map(str::to_owned);
        let texts: Vec<(&[String], String)> =
            own.map(|module| (&module.path[..], without_tests(module).unwrap_or_default())).collect();
        let room = Room { modules: texts.iter().map(|(path, text)| (*path, text.as_str())).collect() };
        let arrows = room.modules.keys().map(|path| (path.to_vec(), room.arrows(path))).collect();
        wrong.extend(circle(&arrows).map(|circle| circle.join(" -> ")));
    }
    assert!(wrong.is_empty(), "circles:\n{}", wrong.join("\n"));
}
