//! Renews the archives of compiled kernels: `kernel-compiler`, `kernel-compiler --all`, or only compares
//! them with what the compiler makes: `kernel-compiler --check`.

use std::path::Path;
use std::process::ExitCode;

use kernel_compiler::{Mode, run};

/// The folders of kernels: the library's, and those of the tests.
const FOLDERS: &[&str] = &["kernels", "tests/kernel_build", "tests/runtime/kernels"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Mode::Renew,
        ["--all"] => Mode::All,
        ["--check"] => Mode::Check,
        _ => {
            eprintln!("usage: kernel-compiler [--all | --check]");
            return ExitCode::FAILURE;
        }
    };
    // Messages name files as seen from the repository.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let repository = Path::new(&own).join("../..");
    std::env::set_current_dir(repository).expect("this crate lies in the repository");
    let (mut code, mut done) = (ExitCode::SUCCESS, false);
    for folder in FOLDERS {
        match run(Path::new(folder), mode) {
            Ok(lines) => {
                done |= !lines.is_empty();
                lines.iter().for_each(|line| println!("{line}"));
            }
            Err(errors) => {
                errors.iter().for_each(|error| eprintln!("{error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    if code == ExitCode::SUCCESS && !done {
        println!("every archive is of its sources: nothing to compile");
    }
    code
}
