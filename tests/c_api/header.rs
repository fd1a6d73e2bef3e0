//! The header, as C and C++ compilers see it, and the library agree.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo puts the shared library.
pub fn library_folder() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.ancestors().find(|folder| folder.join("libtflite_vulkan.so").exists());
    folder.expect("cargo builds the shared library before its tests").to_owned()
}

/// `header.c` fails if a field of the options is not where the library expects it.
#[test]
fn c_and_cpp_programs_agree_with_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = library_folder();
    for (compiler, language, standard) in
        [("cc", "c", "c99"), ("cc", "c", "c11"), ("c++", "c++", "c++11"), ("c++", "c++", "c++17")]
    {
        let program = folder.join(format!("header_{standard}"));
        let mut compile = Command::new(compiler);
        compile.args([
            "-x",
            language,
            &format!("-std={standard}"),
            "-pedantic",
            "-Wall",
            "-Wextra",
            "-Werror",
        ]);
        compile
            .arg(root.join("tests/c_api/header.c"))
            .args(["-x", "none"])
            .arg("-I")
            .arg(root.join("include"));
        compile.arg("-L").arg(&folder).arg("-ltflite_vulkan");
        compile.arg(format!("-Wl,-rpath,{}", folder.display())).arg("-o").arg(&program);
        assert!(compile.status().unwrap().success(), "{standard}");
        assert!(Command::new(&program).status().unwrap().success(), "{standard}");
        std::fs::remove_file(program).unwrap();
    }
}
