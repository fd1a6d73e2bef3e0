// Sums of 64 bits as elements of a result of another scale, with the rounding of one of TFLite's sets of kernels.
// src/ir/requantize.rs computes the same.
//
// Before including this, a kernel includes elements.glsl, fixed_point.glsl and wide.glsl, defines SCALES_BINDING, and has push constants
//   y_zero_point     of the result
//   least, most      its bounds
#define ROUNDING_ONCE 0u
#define ROUNDING_WIDE_DOUBLE 1u
#define ROUNDING_NARROW_TWICE 2u

layout(constant_id = 90) const uint ROUNDING = 0;

// For each channel what its sums begin with, in two words, and two words of its scaling.
layout(std430, set = 0, binding = SCALES_BINDING) readonly buffer Scales { uvec4 scales[]; };

// x · multiplier · 2^-shift, halves up; shift is from 8 to 46, and the product has 64 bits.
int wide_fixed_product(uvec2 x, uint multiplier, uint shift) {
    x = wide_multiply(x, uvec2(multiplier, 0u));
    x = wide_add(x, wide_left(uvec2(1u, 0u), shift - 1u));
    if (shift >= 32u) return int(x.y) >> (shift - 32u);
    return int(x.x >> shift | x.y << (32u - shift));
}

// round(double(x) · m · 2^-s), halves away from zero, for |x| below 2⁵³: `low` and the lower 21 bits of `high` are m,
// the next 7 are s, at least 22. Large products become ±(2³¹ - 1).
int wide_double_product(uvec2 x, uint low, uint high) {
    bool negative = wide_negative_sign(x);
    x = wide_magnitude(x);
    uint s = high >> 21, q[5], carry;
    high &= 0x1fffffu;
    umulExtended(x.x, low, q[1], q[0]);
    umulExtended(x.y, high, q[3], q[2]);
    q[4] = 0u;
    uint a_low, a_high, b_low, b_high;
    umulExtended(x.x, high, a_high, a_low);
    umulExtended(x.y, low, b_high, b_low);
    q[1] = uaddCarry(q[1], a_low, carry);
    q[2] = uaddCarry(q[2], a_high + carry, carry);
    q[3] += carry;
    q[1] = uaddCarry(q[1], b_low, carry);
    q[2] = uaddCarry(q[2], b_high + carry, carry);
    q[3] += carry;
    int top = -1;
    for (int i = 3; i >= 0 && top < 0; --i) if (q[i] != 0u) top = 32 * i + findMSB(q[i]);
    if (top < 0) return 0;
    // What is nearer to a half from below than half of the last bit becomes that half before it is rounded.
    for (int pass = top >= 53 ? 0 : 1; pass < 2; ++pass) {
        uint n = pass == 0 ? uint(top - 53) : s - 1u;
        carry = 0u;
        for (uint i = n >> 5; i < 4u; ++i) {
            uint own;
            q[i] = uaddCarry(q[i], i == n >> 5 ? 1u << (n & 31u) : carry, own);
            carry = own;
        }
    }
    uint words = s >> 5, n = s & 31u;
    bool beyond = q[words + 1u] >> n != 0u;
    for (uint i = words + 2u; i < 4u; ++i) beyond = beyond || q[i] != 0u;
    uint product = n == 0u ? q[words] : q[words] >> n | q[words + 1u] << (32u - n);
    if (beyond || product > 0x3fffffffu) product = 0x40000000u;
    return negative ? -int(product) : int(product);
}

// The element that a sum of a channel becomes, scales[channel].xy included.
int wide_element(uvec2 sum, uint channel) {
    uvec4 scale = scales[channel];
    int product;
    if (ROUNDING == ROUNDING_ONCE) product = wide_fixed_product(sum, scale.z, scale.w);
    else if (ROUNDING == ROUNDING_WIDE_DOUBLE) product = wide_double_product(sum, scale.z, scale.w);
    else product = fixed_product(int(sum.x), int(scale.z), int(scale.w));
    return clamp(product + y_zero_point, least, most);
}
