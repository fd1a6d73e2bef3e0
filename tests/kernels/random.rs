//! Random numbers, the same in each run.

/// Numbers between -1 and 1 that fp16 holds exactly, so that it is the kernel that is measured.
pub struct Random(pub u64);

impl Random {
    /// A multiple of 1/512 from -1 to 1.
    pub fn next(&mut self) -> f32 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % 1025) as f32 / 512.0 - 1.0
    }
}
