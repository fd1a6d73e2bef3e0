// Arithmetic of 64-bit integers in two words, the lower one first, and conversion between them and floats. It
// needs no device feature.
//
// Before including this, a kernel includes elements.glsl.

uvec2 wide_add(uvec2 a, uvec2 b) {
    uint carry;
    uint low = uaddCarry(a.x, b.x, carry);
    return uvec2(low, a.y + b.y + carry);
}

uvec2 wide_negative(uvec2 a) { return uvec2(-int(a.x), ~a.y + (a.x == 0u ? 1u : 0u)); }

uvec2 wide_subtract(uvec2 a, uvec2 b) {
    uint borrow;
    uint low = usubBorrow(a.x, b.x, borrow);
    return uvec2(low, a.y - b.y - borrow);
}

uvec2 wide_multiply(uvec2 a, uvec2 b) {
    uint high, low;
    umulExtended(a.x, b.x, high, low);
    return uvec2(low, high + a.x * b.y + a.y * b.x);
}

bool wide_negative_sign(uvec2 a) { return int(a.y) < 0; }
uvec2 wide_magnitude(uvec2 a) { return wide_negative_sign(a) ? wide_negative(a) : a; }
bool wide_is_zero(uvec2 a) { return (a.x | a.y) == 0u; }
bool wide_equal(uvec2 a, uvec2 b) { return a.x == b.x && a.y == b.y; }
bool wide_less(uvec2 a, uvec2 b) { return a.y == b.y ? a.x < b.x : int(a.y) < int(b.y); }
bool wide_less_unsigned(uvec2 a, uvec2 b) { return a.y == b.y ? a.x < b.x : a.y < b.y; }

uvec2 wide_left(uvec2 a, uint n) {
    if (n >= 32u) return uvec2(0u, a.x << (n - 32u));
    return n == 0u ? a : uvec2(a.x << n, a.y << n | a.x >> (32u - n));
}

uvec2 wide_right(uvec2 a, uint n) {
    if (n >= 32u) return uvec2(a.y >> (n - 32u), 0u);
    return n == 0u ? a : uvec2(a.x >> n | a.y << (32u - n), a.y >> n);
}

int wide_top(uvec2 a) { return a.y != 0u ? 32 + findMSB(a.y) : findMSB(a.x); }

// Quotient and rest of unsigned numbers; the divisor is not 0.
uvec2 wide_divide(uvec2 a, uvec2 b, out uvec2 rest) {
    if ((a.y | b.y) == 0u) {
        rest = uvec2(a.x % b.x, 0u);
        return uvec2(a.x / b.x, 0u);
    }
    uvec2 quotient = uvec2(0u);
    rest = a;
    for (int n = wide_top(a) - wide_top(b); n >= 0; --n) {
        uvec2 part = wide_left(b, uint(n));
        if (!wide_less_unsigned(rest, part)) {
            rest = wide_subtract(rest, part);
            quotient = wide_add(quotient, wide_left(uvec2(1u, 0u), uint(n)));
        }
    }
    return quotient;
}

// The float nearest to an integer, ties to even.
uint wide_to_float(uvec2 a) {
    if (wide_is_zero(a)) return 0u;
    uvec2 m = wide_magnitude(a);
    uint top = uint(wide_top(m));
    m = wide_left(m, 63u - top);
    uint digits = m.y >> 8, rest = m.y & 0xffu;
    bool up = rest > 0x80u || rest == 0x80u && (m.x != 0u || (digits & 1u) != 0u);
    // A leading digit adds 1 to the exponent.
    return (a.y & SIGN_BIT) | ((top + 126u) << 23) + digits + (up ? 1u : 0u);
}

// The integer part of a float; -2⁶³ if that has more than 64 bits, and for NaN.
uvec2 wide_from_float(uint bits) {
    uint exponent = bits >> 23 & 255u;
    if (exponent < 127u) return uvec2(0u);
    if (exponent >= 190u) return uvec2(0u, SIGN_BIT);
    uvec2 m = uvec2((bits & 0x007fffffu) | 0x00800000u, 0u);
    m = exponent < 150u ? wide_right(m, 150u - exponent) : wide_left(m, exponent - 150u);
    return (bits & SIGN_BIT) != 0u ? wide_negative(m) : m;
}
