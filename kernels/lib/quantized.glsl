// Sums and products of quantised integers, which are less their zero points, in the scale of the result. A factor is a
// multiplier and a shift, as fixed_point.glsl has them, which a kernel includes before.

// x · 2^left in the scale of sums; the factor is below 1.
int quantized_term(int x, int left, int multiplier, int shift) {
    return rounding_right(rounding_high_product(x << left, multiplier), -shift);
}

int quantized_product(int x, int e, int multiplier, int shift) { return fixed_product(x * e, multiplier, shift); }

// XNNPACK's; the factor is the bits of a float.
int xnnpack_product(int x, int e, int factor) { return int(roundEven(float(x * e) * intBitsToFloat(factor))); }

// XNNPACK's, of terms with multipliers of a few bits.
int xnnpack_sum(int terms, int shift) { return (terms + (1 << (shift - 1))) >> shift; }
