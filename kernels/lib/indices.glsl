// A buffer of indices in 16, 32 or 64 bits, at binding 1.
layout(constant_id = 10) const uint INDEX_BITS = 32;
layout(std430, set = 0, binding = 1) readonly buffer Index { uint index[]; };

// Index i into a dimension of `size`. One that is negative or beyond the end is an error on the CPU; here it must only
// not leave the buffer.
uint index_at(uint i, uint size) {
    uint at = index[INDEX_BITS == 16 ? i / 2 : INDEX_BITS == 64 ? 2 * i : i];
    if (INDEX_BITS == 16) at = bitfieldExtract(at, int(i % 2 * 16), 16);
    if (INDEX_BITS == 64 && index[2 * i + 1] != 0) at = ~0u;
    return min(at, size - 1);
}
