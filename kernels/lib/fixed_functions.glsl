// Functions of numbers in fixed point, as TFLite's kernels have them (gemmlowp). Qm.n is an integer that stands for
// x / 2ⁿ and has m bits in front of the point.
//
// Before including this, a kernel includes fixed_point.glsl.

// The upper half of 2ab, rounded, halves up; not for two times -2³¹.
int signed_high_product(int a, int b) {
    uint high, low, carry;
    bool negative = (a ^ b) < 0;
    umulExtended(a < 0 ? 0u - uint(a) : uint(a), b < 0 ? 0u - uint(b) : uint(b), high, low);
    low = uaddCarry(low, negative ? 0x3fffffffu : 0x40000000u, carry);
    int product = int((high + carry) << 1 | low >> 31);
    return negative ? -product : product;
}

// x · 2ⁿ between the ends of 32 bits; n is from 0 to 30.
int saturating_left(int x, int n) {
    int most = int(0x7fffffffu >> n);
    return x > most ? 0x7fffffff : x < -most ? int(0x80000000u) : x << n;
}

int leading_zeros(int x) { return 31 - findMSB(uint(x)); }

// 1 / (1 + a) of a Q0.31 that is not negative.
int one_over_one_plus(int a) {
    int divisor = int((uint(a) + 0x80000000u) >> 1);
    int x = 1515870810 + signed_high_product(divisor, -1010580540);
    for (int i = 0; i < 3; ++i) {
        int rest = (1 << 29) - signed_high_product(divisor, x);
        x += saturating_left(signed_high_product(x, rest), 2);
    }
    return saturating_left(x, 1);
}

// The reciprocal of a positive Q12.19: a Q0.31, and by how many bits it is to be moved right.
int reciprocal(int x, out int right) {
    int room = min(leading_zeros(x), 31);
    right = 12 - room;
    return one_over_one_plus(int((uint(x) << room) - 0x80000000u));
}

int saturating_add(int a, int b) {
    int sum = a + b;
    if (b > 0 && sum < a) return 0x7fffffff;
    return b < 0 && sum > a ? int(0x80000000u) : sum;
}

// The logarithm, in Q5.26, of a Q12.19 that is 1 or more.
int fixed_log(int x) {
    const int ROOT_OF_HALF = 1518500250, FOURTH_ROOT_OF_HALF = 1805811301, QUARTER = 1 << 23;
    int a_room = max(leading_zeros(x), 1);
    int a = saturating_left(signed_high_product(saturating_left(x, a_room - 1), ROOT_OF_HALF), 1);
    int a_power = saturating_add(saturating_left(12 - a_room, 25), QUARTER);
    int b_room = max(leading_zeros(signed_high_product(x, ROOT_OF_HALF)) - 1, 0);
    int b = saturating_left(x, b_room);
    int b_power = saturating_add(saturating_left(12 - b_room, 25), -QUARTER);
    int r = min(a, b);
    int mean = int((uint(r) + uint(FOURTH_ROOT_OF_HALF) + 1u) >> 1);
    int q = (r - FOURTH_ROOT_OF_HALF) * 2;
    int square = signed_high_product(q, q);
    int numerator = signed_high_product(q, r) + signed_high_product(signed_high_product(q, square), 117049297);
    int inner = 1057819769 + q + signed_high_product(127690142, square);
    int divisor = signed_high_product(mean, inner) + signed_high_product(638450708, q);
    int quotient = signed_high_product(rounding_right(numerator, 6), one_over_one_plus(divisor));
    return saturating_left(signed_high_product(max(a_power, b_power), 1488522236) + quotient, 1);
}

// 1 / √x of an integer that is not negative: a multiplier, and the power of two of fixed_product. 0 counts as 1.
int inverse_root(int x, out int shift) {
    shift = 0;
    if (x <= 1) return 0x7fffffff;
    int right = 11;
    while (x >= 1 << 29) {
        x /= 4;
        ++right;
    }
    int pairs = (leading_zeros(x) - 1) / 2 - 1;
    right -= pairs;
    x <<= 2 * pairs;
    int half_input = rounding_right(x >> 1, 1), y = 1 << 28;
    for (int i = 0; i < 5; ++i) {
        int cube = saturating_left(signed_high_product(signed_high_product(y, y), y), 6);
        y = saturating_left(signed_high_product((1 << 28) + (1 << 27), y) - signed_high_product(half_input, cube), 3);
    }
    y = signed_high_product(y, 1518500250);
    shift = min(-right, 0);
    return y << max(-right, 0);
}
