// Multiplication by a real number in fixed point, as TFLite's kernels have it (gemmlowp): a multiplier of 31
// bits and a power of two, with two roundings.

// The upper half of 2ab, rounded, halves up; b is not negative.
int rounding_high_product(int a, int b) {
    uint high, low, carry;
    umulExtended(uint(abs(a)), uint(b), high, low);
    low = uaddCarry(low, a < 0 ? 0x3fffffffu : 0x40000000u, carry);
    int product = int((high + carry) << 1 | low >> 31);
    return a < 0 ? -product : product;
}

// x / 2ⁿ, rounded, halves away from zero; n is below 32.
int rounding_right(int x, int n) {
    int mask = int((1u << n) - 1u);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}

// x · multiplier · 2^(shift - 31).
int fixed_product(int x, int multiplier, int shift) {
    return rounding_right(rounding_high_product(x << max(shift, 0), multiplier), max(-shift, 0));
}
