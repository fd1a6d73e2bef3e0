// round(double(x) · factor) for a factor of 53 bits, as runtimes from 2.20 on scale the sums of FULLY_CONNECTED: the
// product becomes a double, halves of that go away from zero. In integers, since few devices have doubles.
//
// Before including this, a kernel includes requantize.glsl.
#define ROUNDING_DOUBLE 2u

// x · m · 2^-s: `low` and the lower 21 bits of `high` are m, the next 7 are s, at least 22. Large products become
// ±(2³¹ - 1).
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
    if (beyond || product > 0x7fffffffu) product = 0x7fffffffu;
    return x < 0 ? -int(product) : int(product);
}

// The element that a sum becomes; `lane` of a quad of channels.
int scaled_element(int sum, uint quad, uint lane) {
    int multiplier = scales[3u * quad + 1u][lane], shift = scales[3u * quad + 2u][lane];
    if (ROUNDING != ROUNDING_DOUBLE) return requantized(sum, multiplier, shift);
    int product = double_product(sum, uint(multiplier), uint(shift));
    // The zero point would overflow the largest product.
    return clamp(clamp(product, -0x40000000, 0x40000000) + y_zero_point, least, most);
}

// The elements that the sums of a quad of channels become.
ivec4 scaled_elements(ivec4 sum, uint quad) {
    ivec4 v;
    for (uint i = 0u; i < 4u; ++i) v[i] = scaled_element(sum[i], quad, i);
    return v;
}
