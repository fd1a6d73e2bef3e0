// Elements of any size in storage buffers, read from and written to the 32-bit words that they lie in: that needs no
// optional feature. Who writes a word writes all elements in it. Include it behind workgroup.glsl.

layout(constant_id = 3) const uint ELEMENT = 0;
// Element in src/program/element.rs.
const uint I32 = 0;
const uint I64 = 1;
const uint I16 = 2;
const uint I8 = 3;
const uint U8 = 4;
const uint F32 = 5;
const uint F16 = 6;

// Elements in a word, and the bits of each; of 64 bits the halves count.
const uint LANES = ELEMENT == I8 || ELEMENT == U8 ? 4 : ELEMENT == I16 || ELEMENT == F16 ? 2 : 1;
const uint LANE_BITS = 32 / LANES;

// Integer number `lane` of a word.
int lane_of(uint word, uint lane) {
    int at = int(lane * LANE_BITS);
    if (ELEMENT == I8) return bitfieldExtract(int(word), at, 8);
    if (ELEMENT == U8) return int(bitfieldExtract(word, at, 8));
    if (ELEMENT == I16) return bitfieldExtract(int(word), at, 16);
    return int(word);
}

// A word with nothing but integer number `lane`.
uint in_lane(int v, uint lane) {
    if (LANES == 1) return uint(v);
    return (uint(v) & (1u << LANE_BITS) - 1u) << lane * LANE_BITS;
}

// All integers of a word; behind the last one anything.
ivec4 lanes_of(uint word) {
    if (LANES == 1) return ivec4(word);
    if (LANES == 2) return ivec4(lane_of(word, 0), lane_of(word, 1), 0, 0);
    return ivec4(lane_of(word, 0), lane_of(word, 1), lane_of(word, 2), lane_of(word, 3));
}

// The word that holds these integers.
uint in_lanes(ivec4 v) {
    if (LANES == 1) return uint(v.x);
    uint word = in_lane(v.x, 0) | in_lane(v.y, 1);
    return LANES == 2 ? word : word | in_lane(v.z, 2) | in_lane(v.w, 3);
}
