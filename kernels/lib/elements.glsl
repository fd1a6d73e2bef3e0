// Elements of every type in buffers of 32-bit words, so that no device feature is needed. An integer is a
// 64-bit one in two words, the lower one first; a float is the bits of a 32-bit one in the first word.
//
// The form of elements, Element in src/program/element.rs, is a specialisation constant of the kernel.

#define FORM_F32 0u
#define FORM_F16 1u
#define FORM_I64 2u
#define FORM_I32 3u
#define FORM_I16 4u
#define FORM_I8 5u
#define FORM_U8 6u

const uint SIGN_BIT = 0x80000000u;
const uint INFINITY_BITS = 0x7f800000u;
const uint HALF_INFINITY = 0x7c00u;

// Bits of an element in a word.
uint form_width(uint form) {
    if (form == FORM_I8 || form == FORM_U8) return 8u;
    return form == FORM_F16 || form == FORM_I16 ? 16u : 32u;
}

// Elements that one word holds, at least 1.
uint form_count(uint form) { return 32u / form_width(form); }

uvec2 extended(uint x) { return uvec2(x, uint(int(x) >> 31)); }
uvec2 extended(int x) { return uvec2(uint(x), uint(x >> 31)); }

// The 32-bit float of a 16-bit one, exactly.
uint float_of_half(uint half_bits) {
    uint sign = (half_bits & 0x8000u) << 16, exponent = half_bits >> 10 & 31u, mantissa = half_bits & 0x3ffu;
    if (exponent == 31u) return sign | INFINITY_BITS | mantissa << 13;
    if (exponent != 0u) return sign | (exponent + 112u) << 23 | mantissa << 13;
    if (mantissa == 0u) return sign;
    uint top = uint(findMSB(mantissa));
    // A normal number's leading digit adds 1 to the exponent.
    return sign | ((top + 102u) << 23) + (mantissa << (23u - top));
}

// The 16-bit float nearest to a 32-bit one, ties to even.
uint half_of_float(uint bits) {
    uint sign = bits >> 16 & 0x8000u, x = bits & ~SIGN_BIT;
    if (x > INFINITY_BITS) return sign | 0x7e00u;
    if (x >= 0x477ff000u) return sign | HALF_INFINITY;
    if (x >= 0x38800000u) return sign | (x - 0x38000000u + 0xfffu + (x >> 13 & 1u)) >> 13;
    uint shift = 126u - (x >> 23), mantissa = (x & 0x007fffffu) | 0x00800000u;
    if (shift > 24u) return sign;
    return sign | (mantissa + (1u << (shift - 1u)) - 1u + (mantissa >> shift & 1u)) >> shift;
}

// Element i of words where `width` bits of `word` begin with it.
uvec2 form_read(uint form, uint word, uint at) {
    if (form == FORM_F16) return uvec2(float_of_half(bitfieldExtract(word, int(at), 16)), 0u);
    if (form == FORM_I16) return extended(bitfieldExtract(int(word), int(at), 16));
    if (form == FORM_I8) return extended(bitfieldExtract(int(word), int(at), 8));
    if (form == FORM_U8) return uvec2(bitfieldExtract(word, int(at), 8), 0u);
    return form == FORM_I32 ? extended(word) : uvec2(word, 0u);
}

// A storage buffer of elements, and load_name(form, i).
#define READS_ELEMENTS(n, Block, name) \
    layout(std430, set = 0, binding = n) readonly buffer Block { uint name[]; }; \
    uvec2 load_##name(uint form, uint i) { \
        if (form == FORM_I64) return uvec2(name[2u * i], name[2u * i + 1u]); \
        uint count = form_count(form); \
        return form_read(form, name[i / count], i % count * form_width(form)); \
    }

// A storage buffer for elements. One invocation computes the elements of one word, or one of 64 bits, by
// value(i), and stores them by store_elements: a word is written as a whole, also what lies behind the last
// element.
#define WRITES_ELEMENTS(n, Block, name) \
    layout(std430, set = 0, binding = n) writeonly buffer Block { uint name[]; }; \
    void store_elements(uint form, uint item, uint elements) { \
        if (form == FORM_I64) { \
            uvec2 v = value(item); \
            name[2u * item] = v.x; \
            name[2u * item + 1u] = v.y; \
            return; \
        } \
        uint word = 0u, count = form_count(form), width = form_width(form); \
        for (uint k = 0u; k < count; ++k) { \
            uint i = item * count + k; \
            if (i >= elements) break; \
            uint v = value(i).x; \
            if (form == FORM_F16) v = half_of_float(v); \
            word |= (v & 0xffffffffu >> (32u - width)) << (k * width); \
        } \
        name[item] = word; \
    }

// An integer without the bits that a type cannot hold; the type is the form that it has for the host.
uvec2 wrapped(uint type, uvec2 v) {
    if (type == FORM_I64) return v;
    return form_read(type, v.x, 0u);
}
