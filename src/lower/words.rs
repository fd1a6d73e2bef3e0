//! Elements that kernels read from and write to whole words (`lib/words.glsl`).

use crate::codes::words as codes;
use crate::program::Element;

/// An element type in the shaders' numbers.
pub fn code(element: Element) -> u32 {
    match element {
        Element::F32 => codes::F32,
        Element::F16 => codes::F16,
        Element::I64 => codes::I64,
        Element::I32 => codes::I32,
        Element::I16 => codes::I16,
        Element::I8 => codes::I8,
        Element::U8 => codes::U8,
    }
}

/// Elements in a word; 1 where one takes more.
pub fn lanes(element: Element) -> u64 {
    (4 / element.bytes()).max(1)
}
