// 1 / d for a positive integer, in fixed point as TFLite's kernels have it (gemmlowp): by Newton's method.
//
// Before including this, a kernel includes fixed_point.glsl.

// The upper half of 2ab, rounded, halves up, for operands of any sign.
int signed_high_product(int a, int b) {
    return b < 0 ? rounding_high_product(-a, -b) : rounding_high_product(a, b);
}

int saturating_left(int x, int n) {
    int most = 0x7fffffff >> n;
    return x > most ? 0x7fffffff : x < ~most ? int(0x80000000u) : x << n;
}

// The reciprocal of d / 2^integer_digits, which is from 1 to 2, with 31 bits behind the point.
int reciprocal(int d, out int integer_digits) {
    integer_digits = findMSB(d);
    // The part behind the point; then half of 1 and it, rounded.
    uint fraction = uint(d) << (31 - integer_digits) & 0x7fffffffu;
    int denominator = int((fraction + 0x80000000u) >> 1);
    // Two bits before the point: 48/17, -32/17.
    int x = 1515870810 + signed_high_product(denominator, -1010580540);
    for (int i = 0; i < 3; ++i) {
        int rest = 0x20000000 - signed_high_product(denominator, x);
        x += saturating_left(signed_high_product(x, rest), 2);
    }
    return saturating_left(x, 1);
}
