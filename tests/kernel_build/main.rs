//! The build step: archives of compiled kernels to SPIR-V files and the Rust table.

#[path = "../../kernels/compile/mod.rs"]
#[expect(dead_code, reason = "the build step, of which these tests use a part")]
mod compile;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use compile::codes::{self, Code};
use compile::variant::Header;
use tflite_vulkan::caps::Features;
use tflite_vulkan::kernel::table;

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel_build").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn headers() {
    let cases: &[(&str, Result<&[&str], &str>)] = &[
        ("no header", Ok(&[""])),
        ("//! Only prose, with variants and the like.", Ok(&[""])),
        ("//! variant A = x", Ok(&["A_X=1"])),
        ("//! variant A = x | y_z", Ok(&["A_X=1", "A_Y_Z=1"])),
        ("//! variant N = 4|8", Ok(&["N=4", "N=8"])),
        (
            "//! variant A = x | y\n//! variant N = 1 | 2",
            Ok(&["A_X=1 N=1", "A_X=1 N=2", "A_Y=1 N=1", "A_Y=1 N=2"]),
        ),
        (
            "//! skip A=y N=1\n//! variant A = x | y\n//! variant N = 1 | 2",
            Ok(&["A_X=1 N=1", "A_X=1 N=2", "A_Y=1 N=2"]),
        ),
        ("//! variant A = x | y | z\n//! skip A=x|z", Ok(&["A_Y=1"])),
        ("//! variant A", Err("1: error: expected `variant AXIS = a | b`")),
        ("\n//! variant a = x", Err("2: error: axis \"a\" is not an upper-case word")),
        (
            "//! variant A = x | 1",
            Err("1: error: the values of axis A are neither all numbers nor all lower-case words"),
        ),
        (
            "//! variant A = x | ",
            Err("1: error: the values of axis A are neither all numbers nor all lower-case words"),
        ),
        ("//! variant A = x | x", Err("1: error: axis A has the value x twice")),
        ("//! variant A = x\n//! variant A = y", Err("2: error: axis A is declared twice")),
        ("//! variant SPEC = x", Err("1: error: axis SPEC would hide the generated struct of that name")),
        ("//! variant STORE = f32 | f64", Err("1: error: the values of axis STORE are f32 and f16")),
        ("//! variant JOIN = quads", Err("1: error: the values of axis JOIN are memory and subgroups")),
        ("//! variant A = x\n//! skip B=x", Err("2: error: there is no axis B")),
        ("//! variant A = x\n//! skip A=y", Err("2: error: axis A has no value \"y\"")),
        (
            "//! variant A = x\n//! skip everything",
            Err("2: error: expected AXIS=value, found \"everything\""),
        ),
        ("//! variant A = x\n//! skip A=x", Err("1: error: every variant is skipped")),
    ];
    for (text, expected) in cases {
        let defines = |header: Header| -> Vec<String> {
            let pairs =
                |defines: Vec<(String, String)>| defines.into_iter().map(|(name, value)| name + "=" + &value);
            header.variants().into_iter().map(|v| pairs(v.defines).collect::<Vec<_>>().join(" ")).collect()
        };
        let result = Header::parse(text).map(defines);
        let expected =
            expected.map(|defines| defines.iter().map(|d| d.to_string()).collect()).map_err(str::to_owned);
        assert_eq!(result, expected, "{text}");
    }
}

/// What becomes of a file; `None` if it goes.
type Change = fn(Vec<u8>) -> Option<Vec<u8>>;

/// The folder of the sample, copied, after a change to one of its files.
fn changed(name: &str, file: &str, change: Change) -> PathBuf {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel_build"), folder(name));
    for path in ["sample.glsl", "lib/sample.glsl", "compiled/sample.lzma"] {
        fs::create_dir_all(to.join(path).parent().unwrap()).unwrap();
        let bytes = fs::read(from.join(path)).unwrap();
        let bytes = if path == file { change(bytes) } else { Some(bytes) };
        if let Some(bytes) = bytes {
            fs::write(to.join(path), bytes).unwrap();
        }
    }
    to
}

#[test]
fn archives_that_do_not_fit_are_refused() {
    let archive = "compiled/sample.lzma";
    let append = |mut bytes: Vec<u8>| {
        bytes.extend(b"// more\n");
        Some(bytes)
    };
    let same: Change = Some;
    let damage: Change = |mut bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    let cases: &[(&str, &str, Change, &str)] = &[
        ("whole", archive, same, ""),
        ("source", "sample.glsl", append, "was made from other sources"),
        ("library", "lib/sample.glsl", append, "was made from other sources"),
        ("missing", archive, |_| None, "is missing"),
        ("empty", archive, |_| Some(Vec::new()), "is damaged"),
        ("torn", archive, |bytes| Some(bytes[..bytes.len() - 9].to_vec()), "is damaged"),
        ("changed", archive, damage, "is damaged"),
    ];
    for (name, file, change, expected) in cases {
        let folder = changed(name, file, *change);
        let errors = compile::read(&folder).err().unwrap_or_default();
        let (source, archive) = (folder.join("sample.glsl"), folder.join(archive));
        let (source, archive) = (source.display(), archive.display());
        let message = format!("{source}: error: {archive} {expected}: run `make kernels`");
        let expected = if expected.is_empty() { vec![] } else { vec![message] };
        assert_eq!(errors, expected, "{name}");
    }

    let folder = changed("left", "sample.glsl", |_| None);
    let errors = compile::read(&folder).err().unwrap();
    assert!(errors.len() == 1 && errors[0].contains("no such kernel any more"), "{errors:#?}");
}

#[test]
fn a_damaged_archive_is_never_another_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel_build/compiled/sample.lzma");
    let bytes = fs::read(path).unwrap();
    let whole = compile::unpack(&bytes).unwrap();
    for place in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[place] ^= 0x10;
        // Some bits say nothing, as the last ones of the compression.
        let read = compile::unpack(&wrong);
        assert!(read.is_none_or(|read| read.variants == whole.variants), "byte {place}");
        assert!(compile::unpack(&bytes[..place]).is_none(), "{place} bytes");
    }
}

#[test]
fn constants_are_shared() {
    let code = |name: &str, value| Code { name: name.into(), value };
    let text = "const uint A_1 = 7u;  // seven\nconst int B=8;\n#if X\nconst uint A_1 = 7;\n#endif\n\
        #define M 9u  // nine\n#define N 9\n#define F(x) 9u\nconst uint C = A_1 + 1;\n  const uint D = 1;\nconst float E = 1;\nlayout(constant_id = 1) const uint F = 1;\n";
    assert_eq!(codes::parse(text), Ok(vec![code("A_1", 7), code("B", 8), code("M", 9)]));
    let twice = "const uint A = 1;\nconst uint A = 2;\n";
    assert_eq!(codes::parse(twice), Err("2: error: A is 1 and 2".into()));

    let folder = folder("codes");
    fs::create_dir_all(folder.join("lib")).unwrap();
    fs::write(folder.join("lib/other.glsl"), twice).unwrap();
    let error = codes::rust(&folder).unwrap_err();
    assert!(error.ends_with("lib/other.glsl:2: error: A is 1 and 2"), "{error}");
    fs::write(folder.join("lib/other.glsl"), text).unwrap();
    fs::write(folder.join("none.glsl"), "").unwrap();
    let expected = "pub mod other {\n    pub const A_1: u32 = 7;\n    pub const B: u32 = 8;\n    pub const M: u32 = 9;\n}\n";
    assert_eq!(codes::rust(&folder), Ok(expected.into()));
}

#[test]
fn no_kernels_make_an_empty_table() {
    let folder = folder("empty");
    fs::create_dir_all(folder.join("kernels/lib")).unwrap();
    fs::write(folder.join("kernels/lib/unused.glsl"), "").unwrap();
    compile::build(&folder.join("kernels"), &folder).unwrap();
    assert!(fs::read_to_string(folder.join("kernels.rs")).unwrap().contains("pub static ALL"));
}

/// Compiles `tests/kernel_build/host.rs`, after a replacement in its text, against the table of `tests/kernel_build`.
fn host(name: &str, replace: Option<(&str, &str)>) -> Result<PathBuf, String> {
    let out = folder(name);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    compile::build(&tests.join("kernel_build"), &out).unwrap();

    let mut text = fs::read_to_string(tests.join("kernel_build/host.rs")).unwrap();
    text = text.replace("../../src", &tests.join("../src").display().to_string());
    if let Some((from, to)) = replace {
        assert!(text.contains(from));
        text = text.replace(from, to);
    }
    fs::write(out.join("main.rs"), text).unwrap();
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let result = Command::new(rustc)
        .args(["--edition=2024", "-Dwarnings", "-Dunsafe_code", "main.rs", "-o", "host"])
        .current_dir(&out)
        .env("OUT_DIR", &out)
        .output()
        .unwrap();
    if result.status.success() {
        Ok(out.join("host"))
    } else {
        Err(String::from_utf8_lossy(&result.stderr).into())
    }
}

#[test]
fn the_table_works() {
    let program = host("table", None).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(Command::new(program).status().unwrap().success());
}

#[test]
fn misspelt_fields_do_not_compile() {
    for (from, to) in
        [("scale: 2.0", "scael: 2.0"), ("bias: -2", "bais: -2"), ("y: BufferId(8)", "z: BufferId(8)")]
    {
        let errors = host("misspelt", Some((from, to))).expect_err(to);
        assert!(errors.contains("E0560"), "{errors}");
    }
}

/// The device features that a value of an axis declares.
const AXES: &[(&str, &str, Features)] = &[
    ("STORE", "f16", Features::STORAGE_16),
    ("SIZE", "16", Features::STORAGE_16),
    ("SIZE", "8", Features::STORAGE_8),
    ("SUM", "f16", Features::FLOAT_16),
    ("ARITHMETIC", "f16", Features::FLOAT_16),
    ("JOIN", "subgroups", Features::SUBGROUP_BASIC.with(Features::SUBGROUP_ARITHMETIC)),
    ("DOT", "packed", Features::INTEGER_DOT),
    ("STORES", "bytes", Features::STORAGE_8),
];

/// The device features that a kernel declares by the word with which its name ends.
const ENDINGS: &[(&str, Features)] = &[
    ("convert", Features::STORAGE_16),
    ("_quads", Features::SUBGROUP_BASIC.with(Features::SUBGROUP_QUAD)),
    ("conv_2d_cooperative", COOPERATIVE),
    ("inverted_residual", COOPERATIVE),
    ("conv_2d_cooperative_integers", COOPERATIVE_INTEGERS),
];

const COOPERATIVE: Features = Features::COOPERATIVE_MATRIX
    .with(Features::VULKAN_MEMORY_MODEL)
    .with(Features::FLOAT_16)
    .with(Features::STORAGE_16);

const COOPERATIVE_INTEGERS: Features = Features::COOPERATIVE_MATRIX
    .with(Features::VULKAN_MEMORY_MODEL)
    .with(Features::INT_8)
    .with(Features::STORAGE_8);

/// A module that asked for more would keep a kernel from devices that could run it.
#[test]
fn modules_need_only_what_their_axes_declare() {
    let mut unseen = table::ALL.len();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "glsl") {
            continue;
        }
        let file = path.file_stem().unwrap().to_str().unwrap();
        let header = Header::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        for variant in header.variants() {
            let name = [std::slice::from_ref(&file.to_owned()), &variant.values].concat().join("_");
            let kernel =
                table::ALL.iter().find(|kernel| kernel.name == name).unwrap_or_else(|| panic!("{name}"));
            let by_value = header.axes.iter().zip(&variant.values).flat_map(|(axis, value)| {
                AXES.iter()
                    .filter(move |(a, v, _)| *a == axis.name && v == value)
                    .map(|(.., features)| *features)
            });
            let by_name =
                ENDINGS.iter().filter(|(word, _)| file.ends_with(word)).map(|(_, features)| *features);
            let declared = by_value.chain(by_name).fold(Features::NONE, Features::with);
            if !declared.contains(kernel.needs) {
                wrong.push(format!("{name} needs {}, undeclared", kernel.needs.without(declared)));
            }
            unseen -= 1;
        }
    }
    assert_eq!(unseen, 0, "modules of no kernel file");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
