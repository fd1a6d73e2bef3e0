// Sums of products as elements of a result of another scale, with the rounding of one of TFLite's sets of kernels.
// src/ir/requantize.rs computes the same.
//
// Before including this, a kernel includes fixed_point.glsl, defines REQUANTIZE_BINDING, and has push constants
//   y_zero_point     of the result
//   least, most      its bounds
// and, if it defines FOLLOWER_BINDING, includes followers.glsl next.
#define ROUNDING_TWICE 0u
#define ROUNDING_FLOAT 1u
#define ROUNDING_DOUBLE 2u

layout(constant_id = 90) const uint ROUNDING = 0;

// Three vectors for each quad of channels: what sums begin with, multipliers and shifts. With ROUNDING_FLOAT a
// multiplier is the bits of a float, and there are no shifts; with ROUNDING_DOUBLE both hold a double. In front of
// them lies what followers.glsl reads, if there is a follower.
#ifdef FOLLOWER_BINDING
layout(constant_id = 91) const uint FOLLOWERS = 0;
#define SCALES_AT (FOLLOWERS != 0u ? 36u : 0u)
#else
#define SCALES_AT 0u
#endif
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

// round(double(x) · factor), halves away from zero: the product becomes a double, and that an integer. In integers,
// since few devices have doubles. The factor is m · 2^-s: `low` and the lower 21 bits of `high` are m, the next 7 are s, at least 22. Large products become
// ±2³⁰.
int double_product(int x, uint low, uint high) {
    uint s = high >> 21, q[3], middle, carry;
    uint magnitude = x < 0 ? 0u - uint(x) : uint(x);
    umulExtended(magnitude, low, middle, q[0]);
    umulExtended(magnitude, high & 0x1fffffu, q[2], q[1]);
    q[1] = uaddCarry(q[1], middle, carry);
    q[2] += carry;
    if ((q[1] | q[2]) == 0u || s > 95u) return 0;
    // What is nearer to a half from below than half of the last bit becomes that half before it is rounded.
    int top = q[2] != 0u ? 64 + findMSB(q[2]) : 32 + findMSB(q[1]);
    if (top >= 53) {
        uint n = uint(top - 53);
        q[0] = uaddCarry(q[0], 1u << n, carry);
        q[1] = uaddCarry(q[1], carry, carry);
        q[2] += carry;
    }
    uint half_at = s - 1u, bit = 1u << (half_at & 31u);
    if (half_at < 32u) {
        q[0] = uaddCarry(q[0], bit, carry);
        q[1] = uaddCarry(q[1], carry, carry);
        q[2] += carry;
    } else if (half_at < 64u) {
        q[1] = uaddCarry(q[1], bit, carry);
        q[2] += carry;
    } else {
        q[2] += bit;
    }
    uint words = s >> 5, n = s & 31u;
    uint last = words == 2u ? q[2] : words == 1u ? q[1] : q[0];
    uint next = words == 2u ? 0u : words == 1u ? q[2] : q[1];
    bool beyond = words == 0u && q[2] != 0u || next >> n != 0u;
    uint product = n == 0u ? last : last >> n | next << (32u - n);
    if (beyond || product > 0x40000000u) product = 0x40000000u;
    return x < 0 ? -int(product) : int(product);
}

// What the sums of a quad of channels begin with.
ivec4 sums_of(uint quad) { return scales[SCALES_AT + 3u * quad]; }

int requantized(int sum, int multiplier, int shift) {
    int product;
    if (ROUNDING == ROUNDING_FLOAT) product = float_product(sum, uint(multiplier));
    else if (ROUNDING == ROUNDING_DOUBLE) product = double_product(sum, uint(multiplier), uint(shift));
    else product = fixed_product(sum, multiplier, shift);
    return clamp(product + y_zero_point, least, most);
}

// Multipliers and shifts of a quad of channels.
struct Scaling {
    ivec4 multiplier;
    ivec4 shift;
};

Scaling scaling_of(uint quad) { return Scaling(scales[SCALES_AT + 3u * quad + 1u], scales[SCALES_AT + 3u * quad + 2u]); }

// The elements that the sums of a quad of channels become.
ivec4 requantized(ivec4 sum, Scaling by) {
    ivec4 v;
    for (int i = 0; i < 4; ++i) v[i] = requantized(sum[i], by.multiplier[i], by.shift[i]);
    return v;
}

ivec4 requantized(ivec4 sum, uint quad) { return requantized(sum, scaling_of(quad)); }

// What the sum of a channel begins with, and the element that it becomes.
int sum_of(uint channel) { return scales[SCALES_AT + 3u * (channel >> 2)][channel & 3u]; }
int requantized(int sum, uint channel) {
    uint at = SCALES_AT + 3u * (channel >> 2), lane = channel & 3u;
    return requantized(sum, scales[at + 1u][lane], scales[at + 2u][lane]);
}
