//! The C structures and codes of TensorFlow Lite, bound from `include/tflite_abi.h`.
//!
//! The header says what the fields mean; it asserts the sizes and places that hosts were measured
//! to have, and so do the constants below for the Rust side of them.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "generated from C, with C's names and all of its items"
)]

include!(concat!(env!("OUT_DIR"), "/tflite.rs"));

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<TfLiteContext>() == 200);
    assert!(size_of::<TfLiteTensor>() == 112);
    assert!(size_of::<TfLiteNode>() == 80);
    assert!(size_of::<TfLiteDelegateParams>() == 32);
    assert!(size_of::<TfLiteDelegate>() == 56);
    assert!(size_of::<TfLiteRegistration>() == 88);
    assert!(size_of::<TfLiteAffineQuantization>() == 24);
    assert!(size_of::<TfLiteSparsity>() == 32);
};
