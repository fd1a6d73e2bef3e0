// Sums of products as elements of a result of another scale, with the rounding of one of TFLite's sets of kernels.
// src/ir/requantize.rs computes the same.
//
// Before including this, a kernel includes fixed_point.glsl, defines REQUANTIZE_BINDING, and has push constants
//   y_zero_point     of the result
//   least, most      its bounds
#define ROUNDING_TWICE 0u
#define ROUNDING_FLOAT 1u

layout(constant_id = 90) const uint ROUNDING = 0;

// Three vectors for each quad of channels: what sums begin with, multipliers and shifts. With ROUNDING_FLOAT a
// multiplier is the bits of a float, and there are no shifts.
layout(std430, set = 0, binding = REQUANTIZE_BINDING) readonly buffer Scales { ivec4 scales[]; };

// x / 2ⁿ, rounded, ties to even.
uint rounding_even(uint x, uint n) {
    if (n == 0u) return x;
    if (n > 32u) return 0u;
    uint low = x << (32u - n), high = n == 32u ? 0u : x >> n;
    return high + (low > 0x80000000u || low == 0x80000000u && (high & 1u) != 0u ? 1u : 0u);
}

// float(x) · factor, rounded to a float, and that to an integer, ties to even; large ones become ±2³⁰.
// In integers, since a device may round a sum of more than 24 bits in its own way.
int float_product(int x, uint factor) {
    uint m = uint(abs(x)), high, low;
    if (m == 0u) return 0;
    int drop = max(findMSB(m) - 23, 0);
    int exponent = int(factor >> 23) - 150 + drop;
    umulExtended(rounding_even(m, uint(drop)), (factor & 0x7fffffu) | 0x800000u, high, low);
    int top = high != 0u ? 32 + findMSB(high) : findMSB(low);
    drop = max(top - 23, 0);
    // Only what lies between the first 32 bits and the last one has to be known of the rest.
    if (high != 0u) {
        int n = findMSB(high) + 1;
        uint rest = low << (32 - n);
        low = high << (32 - n) | low >> n | (rest != 0u ? 1u : 0u);
        exponent += n;
        drop -= n;
    }
    uint digits = rounding_even(low, uint(drop));
    exponent += drop;
    int product = 1 << 30;
    if (exponent < 0) product = int(rounding_even(digits, uint(-exponent)));
    else if (exponent + findMSB(digits) < 30) product = int(digits << exponent);
    return x < 0 ? -product : product;
}

// What the sums of a quad of channels begin with.
ivec4 sums_of(uint quad) { return scales[3u * quad]; }

int requantized(int sum, int multiplier, int shift) {
    int product = ROUNDING == ROUNDING_FLOAT ? float_product(sum, uint(multiplier)) : fixed_product(sum, multiplier, shift);
    return clamp(product + y_zero_point, least, most);
}

// Multipliers and shifts of a quad of channels.
struct Scaling {
    ivec4 multiplier;
    ivec4 shift;
};

Scaling scaling_of(uint quad) { return Scaling(scales[3u * quad + 1u], scales[3u * quad + 2u]); }

// The elements that the sums of a quad of channels become.
ivec4 requantized(ivec4 sum, Scaling by) {
    ivec4 v;
    for (int i = 0; i < 4; ++i) v[i] = requantized(sum[i], by.multiplier[i], by.shift[i]);
    return v;
}

ivec4 requantized(ivec4 sum, uint quad) { return requantized(sum, scaling_of(quad)); }
