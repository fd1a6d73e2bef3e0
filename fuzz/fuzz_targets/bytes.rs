//! Numbers from the fuzzer's bytes; zeros behind their end.

/// The bytes that are left.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub fn bit(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub fn word(&mut self) -> i32 {
        i32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A small number, mostly not negative, or any.
    pub fn size(&mut self) -> i32 {
        match self.byte() {
            byte @ 0..=199 => i32::from(byte % 12),
            byte @ 200..=239 => i32::from(byte as i8) / 8,
            240..=247 => [0, i32::MAX, i32::MIN, 65536, 1 << 24, 100, 255, 257][self.below(8)],
            _ => self.word(),
        }
    }
}
