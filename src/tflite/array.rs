//! TFLite's length-prefixed arrays.

use super::sys;

/// The numbers of a host's array; empty if it is NULL or its size is negative.
///
/// # Safety
/// `array` is NULL, or an array of the host's that neither changes nor is freed during `'a`.
pub unsafe fn ints<'a>(array: *const sys::TfLiteIntArray) -> &'a [i32] {
    // SAFETY: as the caller promises; the numbers lie behind `size`.
    unsafe {
        let Some(size) = array.as_ref().and_then(|a| usize::try_from(a.size).ok()) else { return &[] };
        std::slice::from_raw_parts((&raw const (*array).data).cast(), size)
    }
}

/// As [`ints`].
///
/// # Safety
/// As for [`ints`].
pub unsafe fn floats<'a>(array: *const sys::TfLiteFloatArray) -> &'a [f32] {
    // SAFETY: as the caller promises; the numbers lie behind `size`.
    unsafe {
        let Some(size) = array.as_ref().and_then(|a| usize::try_from(a.size).ok()) else { return &[] };
        std::slice::from_raw_parts((&raw const (*array).data).cast(), size)
    }
}

/// An array of our own in TFLite's form, to be lent to the host.
pub struct IntArray(Vec<i32>);

impl IntArray {
    /// A copy of `data`.
    pub fn new(data: &[i32]) -> Self {
        Self(std::iter::once(data.len() as i32).chain(data.iter().copied()).collect())
    }

    /// Valid as long as `self`.
    pub fn as_ptr(&self) -> *const sys::TfLiteIntArray {
        self.0.as_ptr().cast()
    }

    /// A copy that the host may free with `free()`; NULL if memory is exhausted.
    pub fn to_host(&self) -> *mut sys::TfLiteIntArray {
        let bytes = std::mem::size_of_val(self.0.as_slice());
        // SAFETY: the block is as large as what is copied into it.
        unsafe {
            let copy = libc::malloc(bytes);
            if !copy.is_null() {
                copy.copy_from_nonoverlapping(self.0.as_ptr().cast(), bytes);
            }
            copy.cast()
        }
    }
}
