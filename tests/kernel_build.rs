//! The build step: kernel files to SPIR-V and the Rust table.

#[path = "../kernels/compile/mod.rs"]
mod compile;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use compile::Kernel;
use compile::variant::Header;

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel_build").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Writes files into `folder/kernels`.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join("kernels").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Compiles these files; errors name files from `kernels/` on.
fn compile(name: &str, files: &[(&str, &str)]) -> Result<Vec<Kernel>, Vec<String>> {
    let folder = folder(name);
    write(&folder, files);
    let prefix = format!("{}/", folder.display());
    let result = compile::compile(&folder.join("kernels"), &folder.join("spirv"))
        .and_then(|kernels| compile::table::rust(&kernels).map(|_| kernels));
    result.map_err(|errors| errors.iter().map(|error| error.replace(&prefix, "")).collect())
}

/// A kernel with `head` before and `body` in `main`.
fn kernel(head: &str, body: &str) -> String {
    format!("#version 450\n{head}\nlayout(local_size_x = 64) in;\nvoid main() {{ {body} }}\n")
}

const X: &str = "layout(std430, set = 0, binding = 0) buffer X { uint x[]; };";

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

#[test]
fn errors_say_what_and_where() {
    let variants = "//! variant STORE = f32 | f16";
    let push = |members: &str| kernel(&format!("layout(push_constant) uniform Push {{ {members} }};"), "");
    let buffer = |layout: &str| kernel(&format!("layout(std430, {layout}) buffer X {{ uint x[]; }};"), "");
    let constants = |text: &str| kernel(text, "");
    let cases: &[(&str, String, &str)] = &[
        (
            "undeclared",
            kernel(variants, "\nnope = 1;"),
            "kernels/a.glsl:5: error: 'nope' : undeclared identifier [a_f32, a_f16]",
        ),
        (
            "in_one_variant",
            kernel(variants, "\n#ifdef STORE_F16\nnope = 1;\n#endif\n"),
            "kernels/a.glsl:6: error: 'nope' : undeclared identifier [a_f16]",
        ),
        (
            "in_include",
            kernel("#extension GL_GOOGLE_include_directive : require\n#include \"lib/l.glsl\"", ""),
            "kernels/lib/l.glsl:2: error: 'nope' : undeclared identifier [a]",
        ),
        (
            "no_include",
            kernel("#extension GL_GOOGLE_include_directive : require\n#include \"lib/m.glsl\"", ""),
            "kernels/a.glsl:3: error: '#include' : kernels/lib/m.glsl: No such file or directory",
        ),
        (
            "include_outside",
            kernel("#extension GL_GOOGLE_include_directive : require\n#include \"../m.glsl\"", ""),
            "kernels/a.glsl:3: error: '#include' : \"../m.glsl\" is not a path below kernels",
        ),
        (
            "header",
            kernel("//! variant a = b", ""),
            "kernels/a.glsl:2: error: axis \"a\" is not an upper-case word",
        ),
        (
            "capability",
            kernel(X, "double d = double(x[0]); x[1] = uint(d * d);"),
            "kernels/a.glsl: error: no device feature is known for the capability Float64 [a]",
        ),
        (
            "push_differs",
            kernel(
                "//! variant N = 1 | 2\nlayout(push_constant) uniform Push {\n#if N == 2\nfloat m;\n#else\nuint m;\n#endif\n};",
                "",
            ),
            "kernels/a.glsl: error: a_1 and a_2 differ in push constant m: U32 at byte 0 against m: F32 at byte 0",
        ),
        (
            "bindings_differ",
            kernel(&format!("//! variant N = 1 | 2\n#if N == 2\n{X}\n#endif"), ""),
            "kernels/a.glsl: error: a_1 and a_2 differ in binding nothing against x",
        ),
        (
            "spec_differs",
            kernel("//! variant N = 1 | 2\nlayout(constant_id = 5) const uint SIZE = N;", ""),
            "kernels/a.glsl: error: a_1 and a_2 differ in specialisation constant size (id 5): U32 = 0x1 \
             against size (id 5): U32 = 0x2",
        ),
        (
            "gap",
            buffer("set = 0, binding = 1"),
            "binding 0 is missing: bindings are numbered from 0 without a gap",
        ),
        ("set", buffer("set = 1, binding = 0"), "binding 0 (X) is not in set 0"),
        (
            "uniform",
            kernel("layout(set = 0, binding = 0) uniform U { uint u; };", ""),
            "binding 0 is not a storage buffer",
        ),
        (
            "push_size",
            push("vec4 v[9];"),
            "144 bytes of push constants: not every device takes more than 128",
        ),
        ("push_type", push("mat4 m;"), "push constant m is not made of 32-bit numbers"),
        (
            "wg_name",
            constants("layout(constant_id = 0) const uint N = 1;"),
            "constant_id 0 is \"n\": ids 0, 1, 2 are",
        ),
        (
            "wg_id",
            constants("layout(constant_id = 4) const uint WG_X = 1;"),
            "constant_id 4 is \"wg_x\": ids 0, 1, 2 are",
        ),
        (
            "wg_unused",
            constants("layout(constant_id = 1) const uint WG_Y = 1;"),
            "WG_Y is not the workgroup size: add local_size_y_id = 1",
        ),
        (
            "spec_array",
            constants(
                "layout(constant_id = 3) const uint A_0 = 1;\nlayout(constant_id = 4) const uint A_2 = 1;",
            ),
            "A_0, A_1, … are not numbered from 0 by id, or not of one type",
        ),
        (
            "spec_twice",
            constants("layout(constant_id = 3) const uint A = 1;\nlayout(constant_id = 4) const uint a = 1;"),
            "two specialisation constants are called \"a\", or one has no name",
        ),
    ];
    let mut failures = Vec::new();
    for (name, text, expected) in cases {
        let files = [("a.glsl", text.as_str()), ("lib/l.glsl", "// A library.\nvoid f() { nope = 1; }\n")];
        let errors = compile(name, &files).map(|_| ()).err().unwrap_or_default();
        if errors.len() != 1 || !errors[0].contains(expected) {
            failures.push(format!("{name}: {errors:#?}\nshould have {expected}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_kernel_is_tried() {
    let errors = compile(
        "every_kernel",
        &[
            ("a.glsl", &kernel("", "nope = 1;")),
            ("b.glsl", &kernel("", "")),
            ("c.glsl", "//! variant a = 1\n"),
        ],
    );
    let errors = errors.map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

#[test]
fn needs_follow_from_capabilities() {
    let bytes = "#extension GL_EXT_shader_8bit_storage : require
        #extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
        layout(std430, set = 0, binding = 0) buffer X { int8_t x[]; };";
    let halves = "#extension GL_EXT_shader_16bit_storage : require
        #extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
        layout(std430, set = 0, binding = 0) buffer X { float16_t x[]; };";
    let subgroups = format!(
        "#extension GL_KHR_shader_subgroup_arithmetic : require
        #extension GL_KHR_shader_subgroup_shuffle : require
        #extension GL_KHR_shader_subgroup_clustered : require\n{X}"
    );
    let wide = format!("#extension GL_EXT_shader_explicit_arithmetic_types : require\n{X}");
    let dot = format!("#extension GL_EXT_integer_dot_product : require\n{X}");
    let matrix = "#extension GL_KHR_memory_scope_semantics : require
        #extension GL_KHR_cooperative_matrix : require
        #extension GL_EXT_shader_16bit_storage : require
        #extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
        #define M(T, use) coopmat<T, gl_ScopeSubgroup, 16, 16, gl_MatrixUse##use>
        layout(std430, set = 0, binding = 0) buffer X { float16_t x[]; };
        layout(std430, set = 0, binding = 1) buffer Y { float y[]; };";
    let multiply = "M(float16_t, A) a; M(float16_t, B) b; M(float, Accumulator) c = M(float, Accumulator)(0);
        coopMatLoad(a, x, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
        coopMatLoad(b, x, 256, 16, gl_CooperativeMatrixLayoutRowMajor);
        coopMatStore(coopMatMulAdd(a, b, c), y, 0, 16, gl_CooperativeMatrixLayoutRowMajor);";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("nothing", X, "x[0] += 1;", &[]),
        ("store_8", bytes, "x[0] = x[1];", &["STORAGE_8"]),
        ("add_8", bytes, "x[0] += x[1];", &["INT_8", "STORAGE_8"]),
        ("store_16", halves, "x[0] = float16_t(float(x[1]) * 2.0);", &["STORAGE_16"]),
        ("add_16", halves, "x[0] += x[1];", &["FLOAT_16", "STORAGE_16"]),
        ("int_16", &wide, "x[0] = uint(uint16_t(x[1]) * uint16_t(x[2]));", &["INT_16"]),
        ("int_64", &wide, "x[0] = uint((uint64_t(x[1]) * x[2]) >> 32);", &["INT_64"]),
        ("reduce", &subgroups, "x[0] = subgroupAdd(x[1]);", &["SUBGROUP_ARITHMETIC", "SUBGROUP_BASIC"]),
        (
            "cluster",
            &subgroups,
            "x[0] = subgroupClusteredAdd(x[1], 4);",
            &["SUBGROUP_ARITHMETIC", "SUBGROUP_BASIC"],
        ),
        (
            "shuffle",
            &subgroups,
            "x[0] = subgroupShuffleXor(x[1], 1);",
            &["SUBGROUP_BASIC", "SUBGROUP_SHUFFLE"],
        ),
        ("dot", &dot, "x[0] = uint(dotPacked4x8AccSatEXT(int(x[1]), int(x[2]), 3));", &["INTEGER_DOT"]),
        (
            "matrix",
            matrix,
            multiply,
            &["COOPERATIVE_MATRIX", "FLOAT_16", "STORAGE_16", "VULKAN_MEMORY_MODEL"],
        ),
    ];
    for (name, head, body, expected) in cases {
        let kernels = compile(&format!("needs_{name}"), &[("a.glsl", &kernel(head, body))]);
        let kernels = kernels.unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        assert_eq!(kernels[0].variants[0].needs, *expected, "{name}");
        assert_eq!(kernels[0].variants[0].words[1], 0x1_0300, "{name} is not SPIR-V 1.3");
    }
}

#[test]
fn invalid_modules_are_refused() {
    let error = compile::validate::validate(&[0x0723_0203, 0x1_0300, 0, 1, 0]).unwrap_err();
    assert!(error.contains("Missing required OpMemoryModel"), "{error}");
}

#[test]
fn only_what_changed_is_compiled() {
    let folder = folder("incremental");
    let library = |value: u32| format!("uint f() {{ return {value}; }}\n");
    let user = kernel(
        &format!(
            "//! variant N = 1 | 2\n#extension GL_GOOGLE_include_directive : require\n#include \"lib/f.glsl\"\n{X}"
        ),
        "x[0] = f() * N;",
    );
    let alone = |value: u32| kernel(X, &format!("x[0] = {value};"));
    let log = |files: &[(&str, &str)]| {
        write(&folder, files);
        compile::build(&folder.join("kernels"), &folder).unwrap();
        fs::read_to_string(folder.join("kernels.log")).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        log(&[("lib/f.glsl", &library(1)), ("user.glsl", &user), ("alone.glsl", &alone(1))]),
        ["compiled alone", "compiled user_1", "compiled user_2"]
    );
    assert_eq!(log(&[("user.glsl", &user)]), ["cached alone", "cached user_1", "cached user_2"]);
    assert_eq!(log(&[("alone.glsl", &alone(2))]), ["compiled alone", "cached user_1", "cached user_2"]);
    assert_eq!(log(&[("lib/f.glsl", &library(2))]), ["cached alone", "compiled user_1", "compiled user_2"]);

    let modules = || fs::read_dir(folder.join("spirv")).unwrap().count();
    assert_eq!(modules(), 6, "modules that are no longer used are removed");
    let torn = fs::read_dir(folder.join("spirv")).unwrap().map(|entry| entry.unwrap().path());
    torn.filter(|path| path.extension().unwrap() == "names").for_each(|path| fs::remove_file(path).unwrap());
    assert_eq!(log(&[]), ["compiled alone", "compiled user_1", "compiled user_2"]);
}

#[test]
fn no_kernels_make_an_empty_table() {
    let folder = folder("empty");
    write(&folder, &[("lib/unused.glsl", "")]);
    compile::build(&folder.join("kernels"), &folder).unwrap();
    assert!(fs::read_to_string(folder.join("kernels.rs")).unwrap().contains("pub static ALL"));
}

/// Compiles `tests/kernels/host/main.rs`, after a replacement in its text, against the table of `tests/kernels`.
fn host(name: &str, replace: Option<(&str, &str)>) -> Result<PathBuf, String> {
    let out = folder(name);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    compile::build(&tests.join("kernels"), &out).unwrap();

    let mut text = fs::read_to_string(tests.join("kernels/host/main.rs")).unwrap();
    text = text.replace("../../../src", &tests.join("../src").display().to_string());
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
