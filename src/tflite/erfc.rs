//! The C library's complementary error function, which TFLite's GELU calls.

unsafe extern "C" {
    /// C's `erfcf`.
    safe fn erfcf(x: f32) -> f32;
}

/// `1 − erf(x)`, to the bits of the C library.
pub fn erfc(x: f32) -> f32 {
    erfcf(x)
}

#[cfg(test)]
mod tests {
    #[test]
    fn corners() {
        assert_eq!([0.0, f32::INFINITY, f32::NEG_INFINITY].map(super::erfc), [1.0, 0.0, 2.0]);
    }
}
