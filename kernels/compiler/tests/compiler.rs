//! What the compiler makes of kernel files, and what it says about wrong ones.

use std::fs;
use std::path::{Path, PathBuf};

use kernel_compiler::compile::source::Source;
use kernel_compiler::compile::{Kernel, table};
use kernel_compiler::{Mode, validate};

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiler").join(name);
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
    let result = kernel_compiler::compile(&Source::all(&folder.join("kernels")).unwrap())
        .and_then(|kernels| table::rust(&kernels).map(|_| kernels));
    result.map_err(|errors| errors.iter().map(|error| error.replace(&prefix, "")).collect())
}

/// A kernel with `head` before and `body` in `main`.
fn kernel(head: &str, body: &str) -> String {
    format!("#version 450\n{head}\nlayout(local_size_x = 64) in;\nvoid main() {{ {body} }}\n")
}

const X: &str = "layout(std430, set = 0, binding = 0) buffer X { uint x[]; };";

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
    let error = validate::validate(&[0x0723_0203, 0x1_0300, 0, 1, 0]).unwrap_err();
    assert!(error.contains("Missing required OpMemoryModel"), "{error}");
}

#[test]
fn only_stale_archives_are_renewed() {
    let folder = folder("renew");
    let library = |value: u32| format!("uint f() {{ return {value}; }}\n");
    let user = kernel(
        &format!(
            "//! variant N = 1 | 2\n#extension GL_GOOGLE_include_directive : require\n#include \"lib/f.glsl\"\n{X}"
        ),
        "x[0] = f() * N;",
    );
    let alone = |value: u32| kernel(X, &format!("x[0] = {value};"));
    let kernels = folder.join("kernels");
    let run = |mode: Mode, files: &[(&str, &str)]| -> Result<Vec<String>, Vec<String>> {
        write(&folder, files);
        let short = |line: &String| {
            let line = line.replace(&format!("{}/compiled/", kernels.display()), "");
            line.split(',').next().unwrap_or_default().to_owned()
        };
        let lines = kernel_compiler::run(&kernels, mode);
        lines.map(|l| l.iter().map(short).collect()).map_err(|l| l.iter().map(short).collect())
    };
    let bytes = |name: &str| fs::read(kernels.join("compiled").join(name)).unwrap();
    let ok = |lines: &[&str]| Ok(lines.iter().map(|line| line.to_string()).collect::<Vec<_>>());
    let (user_made, alone_made) = ("user.lzma: 2 variants", "alone.lzma: 1 variants");

    let files = [("lib/f.glsl", library(1)), ("user.glsl", user), ("alone.glsl", alone(1))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(run(Mode::Renew, &files), ok(&[alone_made, user_made]));
    assert_eq!(run(Mode::Renew, &[]), ok(&[]));
    assert_eq!(run(Mode::Check, &[]), ok(&[alone_made, user_made]));
    let first = bytes("user.lzma");
    assert_eq!(run(Mode::All, &[]), ok(&[alone_made, user_made]));
    assert_eq!(bytes("user.lzma"), first, "the same sources make the same bytes");
    assert_eq!(run(Mode::Renew, &[("alone.glsl", &alone(2))]), ok(&[alone_made]));
    assert_eq!(run(Mode::Renew, &[("lib/f.glsl", &library(2))]), ok(&[user_made]));

    // A module that the key does not know to be wrong.
    let (stale, good) = (bytes("user.lzma"), bytes("alone.lzma"));
    fs::write(kernels.join("compiled/alone.lzma"), &stale).unwrap();
    let wrong = ["alone.lzma: not what the compiler makes: run `make kernels ALL=1`".to_owned()];
    assert_eq!(run(Mode::Check, &[]), Err(wrong.to_vec()));
    fs::write(kernels.join("compiled/alone.lzma"), &good[..good.len() - 1]).unwrap();
    assert_eq!(run(Mode::Renew, &[]), ok(&[alone_made]));
    assert_eq!(bytes("alone.lzma"), good);

    fs::remove_file(kernels.join("alone.glsl")).unwrap();
    assert_eq!(
        run(Mode::Check, &[]),
        Err(vec!["alone.lzma: there is no such kernel: run `make kernels`".to_owned()])
    );
    assert_eq!(run(Mode::Renew, &[]), ok(&["alone.lzma: removed"]));
    let archives = fs::read_dir(kernels.join("compiled")).unwrap();
    assert_eq!(archives.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["user.lzma"]);
}
