//! The table of operators in docs/operators.md is that of the library.

use std::collections::BTreeMap;
use std::path::Path;

use tflite_vulkan::ir::DType;
use tflite_vulkan::ops;

const HEAD: &str = "# Operators

What the delegate takes, and up to which version of TensorFlow Lite's operator. The type is that of the operand that
is computed with: the data of GATHER, the condition's alternatives of SELECT. Where a node asks for more than its
operator's file in `src/ops` says, it stays on the CPU, with the reason in the log. Sums of convolutions beyond the range
of floats become infinity, where some of TensorFlow Lite's kernels give ±3.4e38.

`UPDATE_SNAPSHOTS=1 cargo test --release --test compile` writes this file.

| operator | element types | version |
|---|---|--:|
";

/// TFLite's word for an element type.
fn word(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float32",
        DType::F16 => "float16",
        DType::I64 => "int64",
        DType::I32 => "int32",
        DType::I16 => "int16",
        DType::I8 => "int8",
        DType::U8 => "uint8",
        DType::Bool => "bool",
    }
}

/// A row for each operator and version.
fn table() -> String {
    let mut rows: BTreeMap<(&str, i32), Vec<&str>> = BTreeMap::new();
    for def in ops::ALL.iter().copied().flatten() {
        for (dtype, version) in def.takes {
            rows.entry((def.name, *version)).or_default().push(word(*dtype));
        }
    }
    let row = |((name, version), types): (&(&str, i32), &Vec<&str>)| {
        format!("| {name} | {} | {version} |\n", types.join(", "))
    };
    rows.iter().map(row).collect()
}

#[test]
fn the_table_of_operators_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md");
    let text = HEAD.to_owned() + &table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, text).expect("the folder can be written");
        return;
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stored, text, "docs/operators.md: UPDATE_SNAPSHOTS=1 writes it anew");
}
