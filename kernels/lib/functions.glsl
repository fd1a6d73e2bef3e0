// The elementwise functions that only the kernel `elementwise` computes: StepOp in src/ir/step.rs. Those that
// every epilogue computes, and the numbers missing here, are in epilogue.glsl.
//
// Before including this, a kernel includes epilogue.glsl with EPI_ALL.

#define STEP_DIV 4u
#define STEP_MAXIMUM 5u
#define STEP_MINIMUM 6u
#define STEP_SQUARED_DIFFERENCE 7u
#define STEP_ELU 11u
#define STEP_GELU 15u
#define STEP_GELU_APPROXIMATE 16u
#define STEP_ABS 17u
#define STEP_NEG 18u
#define STEP_EXP 19u
#define STEP_LOG 20u
#define STEP_SQRT 21u
#define STEP_RSQRT 22u
#define STEP_SQUARE 23u
#define STEP_SIN 24u
#define STEP_COS 25u
#define STEP_FLOOR 26u
#define STEP_CEIL 27u
#define STEP_ROUND 28u
#define STEP_SIGN 29u
#define STEP_POW 30u
#define STEP_FLOOR_DIV 31u
#define STEP_FLOOR_MOD 32u

// Fractional error below 1.2e-7: the Chebyshev series `erfcc` of Numerical Recipes.
float epi_erf(float x) {
    float z = abs(x);
    float t = 1.0 / (1.0 + 0.5 * z);
    float p = t * (-0.82215223 + t * 0.17087277);
    p = t * (-1.13520398 + t * (1.48851587 + p));
    p = t * (-0.18628806 + t * (0.27886807 + p));
    p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + p)));
    float c = t * exp(-z * z + p);
    return x < 0.0 ? c - 1.0 : 1.0 - c;
}
vec4 epi_erf(vec4 x) { return vec4(epi_erf(x.x), epi_erf(x.y), epi_erf(x.z), epi_erf(x.w)); }

// exp(x) - 1 without cancellation near 0.
float epi_expm1(float x) {
    if (abs(x) < 0.05) return x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0))));
    return exp(x) - 1.0;
}
vec4 epi_expm1(vec4 x) { return vec4(epi_expm1(x.x), epi_expm1(x.y), epi_expm1(x.z), epi_expm1(x.w)); }

// Numbers by their bits, since comparisons, min and max need not see a NaN, and a device may take
// denormal numbers for 0.
const uint EPI_SIGN_BIT = 0x80000000u;
const uint EPI_INFINITY = 0x7f800000u;
const uint EPI_ONE_BITS = 0x3f800000u;
const uint EPI_SMALLEST_NORMAL = 0x00800000u;
uint epi_bits(float x) { return floatBitsToUint(x) & ~EPI_SIGN_BIT; }
float epi_signed(uint bits, uint sign) { return uintBitsToFloat(bits | sign); }
float epi_nan() { return uintBitsToFloat(0x7fc00000u); }

#define EPI_EACH(name) \
    vec4 name(vec4 x) { return vec4(name(x.x), name(x.y), name(x.z), name(x.w)); }
#define EPI_EACH_PAIR(name) \
    vec4 name(vec4 x, vec4 y) { \
        return vec4(name(x.x, y.x), name(x.y, y.y), name(x.z, y.z), name(x.w, y.w)); \
    }

float epi_exp(float x) { return epi_bits(x) > EPI_INFINITY ? epi_nan() : exp(x); }
EPI_EACH(epi_exp)

bool epi_either_nan(float x, float y) { return epi_bits(x) > EPI_INFINITY || epi_bits(y) > EPI_INFINITY; }

// x > y ? x : y, as TFLite has it: the second operand where one is NaN.
float epi_maximum(float x, float y) { return epi_either_nan(x, y) ? y : max(x, y); }
EPI_EACH_PAIR(epi_maximum)

float epi_minimum(float x, float y) { return epi_either_nan(x, y) ? y : min(x, y); }
EPI_EACH_PAIR(epi_minimum)

float epi_sign(float x) {
    uint bits = epi_bits(x);
    if (bits > EPI_INFINITY) return epi_nan();
    return bits == 0u ? 0.0 : epi_signed(EPI_ONE_BITS, floatBitsToUint(x) & EPI_SIGN_BIT);
}
EPI_EACH(epi_sign)

bool epi_is_denormal(uint bits) { return bits - 1u < EPI_SMALLEST_NORMAL - 1u; }

// A denormal number is its bits · 2⁻¹⁴⁹.
float epi_log(float x) {
    uint bits = epi_bits(x);
    if (bits == 0u) return epi_signed(EPI_INFINITY, EPI_SIGN_BIT);
    if (floatBitsToUint(x) > EPI_INFINITY) return epi_nan();
    if (bits == EPI_INFINITY) return x;
    return epi_is_denormal(bits) ? log(float(bits)) - 103.2789294 : log(x);
}
EPI_EACH(epi_log)

float epi_sqrt(float x) {
    if (!epi_is_denormal(epi_bits(x))) return sqrt(x);
    if (floatBitsToUint(x) > EPI_SIGN_BIT) return epi_nan();
    return sqrt(float(2u * epi_bits(x))) * 2.6469779601696886e-23;
}
EPI_EACH(epi_sqrt)

float epi_rsqrt(float x) {
    if (!epi_is_denormal(epi_bits(x))) return inversesqrt(x);
    if (floatBitsToUint(x) > EPI_SIGN_BIT) return epi_nan();
    return inversesqrt(float(2u * epi_bits(x))) * 3.7778931862957162e22;
}
EPI_EACH(epi_rsqrt)

// The first 192 bits of 2/π by words. No array, which drivers would copy for each invocation.
uint epi_two_over_pi(uint word) {
    uint lower = word == 0u ? 0x28be60dbu : word == 1u ? 0x9391054au : 0x7f09d5f4u;
    uint upper = word == 3u ? 0x7d4d3770u : word == 4u ? 0x36d8a566u : 0x4f10e410u;
    return word < 3u ? lower : upper;
}

// x in quarter turns, modulo 4 and rounded, and the angle left: |x| ≥ 1, by the digits of 2/π that
// matter (Payne and Hanek).
float epi_reduced(float x, out int quarters) {
    uint bits = epi_bits(x), mantissa = bits << 8 | EPI_SIGN_BIT, from = (bits >> 23) - 126u;
    uint word = from >> 5, shift = from & 31u, back = 31u - shift;
    uint first = word > 0u ? epi_two_over_pi(word - 1u) : 0u;
    uint second = epi_two_over_pi(word), third = epi_two_over_pi(word + 1u);
    uint high = first << shift | second >> 1 >> back;
    uint middle = second << shift | third >> 1 >> back;
    uint low = third << shift | epi_two_over_pi(word + 2u) >> 1 >> back;
    uint carry, low_product, middle_low, middle_high;
    umulExtended(mantissa, low, low_product, carry);
    umulExtended(mantissa, middle, middle_high, middle_low);
    uint turn = middle_high + mantissa * high + (middle_low + low_product < middle_low ? 1u : 0u);
    // The upper two bits count quarters; the others are the fraction.
    quarters = int((turn + 0x20000000u) >> 30);
    float angle = float(int(turn << 2) >> 2) * 1.4629180792671596e-9;
    if ((floatBitsToUint(x) & EPI_SIGN_BIT) == 0u) return angle;
    quarters = -quarters;
    return -angle;
}

// sin and cos to a few units in the last place; the built-in ones may be off by 2^-11. The angle is
// reduced to a quarter turn in three steps, or exactly if it is large; the series are those of Cephes
// (sinf.c, cosf.c).
float epi_turned(float x, int quarters) {
    if (epi_bits(x) >= EPI_INFINITY) return epi_nan();
    float k = roundEven(x * 0.63661977);
    precise float r = ((x - k * 1.5703125) - k * 4.837512969970703125e-4) - k * 7.54978995489188216e-8;
    int q = int(k);
    if (abs(x) > 8192.0) r = epi_reduced(x, q);
    float z = r * r;
    float s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
    float c = 1.0 - 0.5 * z + z * z * (4.166664568e-2 + z * (-1.388731625e-3 + z * 2.443315711e-5));
    q += quarters;
    float v = (q & 1) != 0 ? c : s;
    return (q & 2) != 0 ? -v : v;
}
vec4 epi_turned(vec4 x, int quarters) {
    return vec4(epi_turned(x.x, quarters), epi_turned(x.y, quarters), epi_turned(x.z, quarters),
                epi_turned(x.w, quarters));
}

// Whole exponents by squaring, so that what can be represented comes out exactly.
float epi_power(float x, uint n) {
    float p = 1.0;
    for (;; x *= x) {
        if ((n & 1u) != 0u) p *= x;
        n >>= 1;
        if (n == 0u) return p;
    }
}

// pow of C.
float epi_pow(float x, float y) {
    uint xs = epi_bits(x), ys = epi_bits(y);
    if (ys == 0u || floatBitsToUint(x) == EPI_ONE_BITS) return 1.0;
    if (epi_either_nan(x, y)) return epi_nan();
    bool grows = (floatBitsToUint(y) & EPI_SIGN_BIT) == 0u;
    if (ys == EPI_INFINITY) {
        if (xs == EPI_ONE_BITS) return 1.0;
        return uintBitsToFloat((xs > EPI_ONE_BITS) == grows ? EPI_INFINITY : 0u);
    }
    float exponent = abs(y);
    bool whole = ys >= EPI_ONE_BITS && floor(exponent) == exponent;
    bool odd = whole && exponent < 16777216.0 && (uint(exponent) & 1u) != 0u;
    uint sign = odd ? floatBitsToUint(x) & EPI_SIGN_BIT : 0u;
    if (xs == 0u || xs == EPI_INFINITY) return epi_signed((xs == 0u) == grows ? 0u : EPI_INFINITY, sign);
    if (!whole && floatBitsToUint(x) > EPI_SIGN_BIT) return epi_nan();
    if (grows && ys == EPI_ONE_BITS) return x;
    float base = uintBitsToFloat(xs);
    if (whole && exponent <= 256.0 && !epi_is_denormal(xs)) {
        float p = epi_power(base, uint(exponent));
        if (grows) return epi_signed(floatBitsToUint(p), sign);
        if (p >= uintBitsToFloat(EPI_SMALLEST_NORMAL)) return epi_signed(floatBitsToUint(1.0 / p), sign);
    }
    float logarithm = epi_is_denormal(xs) ? log2(float(xs)) - 149.0 : log2(base);
    return epi_signed(floatBitsToUint(exp2(y * logarithm)), sign);
}
EPI_EACH_PAIR(epi_pow)

// A positive finite number is mantissa · 2^(exponent - 150), the mantissa one of 24 bits.
void epi_split(uint bits, out uint mantissa, out int exponent) {
    int shift = bits < EPI_SMALLEST_NORMAL ? 23 - findMSB(bits) : 0;
    exponent = max(int(bits >> 23), 1) - shift;
    mantissa = shift > 0 ? bits << shift : (bits & 0x007fffffu) | EPI_SMALLEST_NORMAL;
}

float epi_joined(uint mantissa, int exponent, uint sign) {
    if (mantissa == 0u) return uintBitsToFloat(sign);
    int shift = min(23 - findMSB(mantissa), exponent - 1);
    mantissa = shift < 0 ? mantissa >> -shift : mantissa << shift;
    // A normal number's leading digit adds 1 to the exponent.
    uint bits = mantissa < EPI_SMALLEST_NORMAL ? 0u : uint(exponent - shift - 1) << 23;
    return epi_signed(bits + mantissa, sign);
}

// The next binary digits, at most 6, of the quotient of a rest and a larger divisor of 24 bits.
uint epi_digits(inout uint rest, uint divisor, int count) {
    // The division of floats may be off by one.
    int digits = int(float(int(rest << count)) / float(int(divisor)));
    int left = int(rest << count) - digits * int(divisor);
    int change = left < 0 ? -1 : left >= int(divisor) ? 1 : 0;
    rest = uint(left - change * int(divisor));
    return uint(digits + change);
}

// floor(x / y) of the exact quotient, by long division. TFLite divides in 64 bits.
float epi_floor_div(float x, float y) {
    uint xs = epi_bits(x), ys = epi_bits(y);
    uint sign = (floatBitsToUint(x) ^ floatBitsToUint(y)) & EPI_SIGN_BIT;
    if (epi_either_nan(x, y) || xs == ys && (xs == 0u || xs == EPI_INFINITY)) return epi_nan();
    if (xs == EPI_INFINITY || ys == 0u) return epi_signed(EPI_INFINITY, sign);
    if (xs == 0u || ys == EPI_INFINITY) return uintBitsToFloat(sign);
    if (xs < ys) return sign == 0u ? 0.0 : -1.0;
    uint rest, divisor;
    int left, exponent;
    epi_split(xs, rest, left);
    epi_split(ys, divisor, exponent);
    left -= exponent;
    uint quotient = rest < divisor ? 0u : 1u;
    rest -= quotient * divisor;
    // Up to 26 to 31 digits: two more at least than a result has.
    while (left > 0 && quotient < 0x02000000u) {
        int digits = min(left, 6);
        quotient = quotient << digits | epi_digits(rest, divisor, digits);
        left -= digits;
    }
    if (left == 0) return sign == 0u ? float(int(quotient)) : -float(int(quotient + (rest == 0u ? 0u : 1u)));
    // The last digit tells of a rest, which decides where the digits are right between two results.
    float whole = float(int(quotient | (rest == 0u ? 0u : 1u)));
    for (; left > 0; left -= 64) whole *= uintBitsToFloat(uint(127 + min(left, 64)) << 23);
    return sign == 0u ? whole : -whole;
}
EPI_EACH_PAIR(epi_floor_div)

// x - y · floor(x / y), exactly.
float epi_floor_mod(float x, float y) {
    uint xs = epi_bits(x), ys = epi_bits(y), sign = floatBitsToUint(x) & EPI_SIGN_BIT;
    bool apart = sign != (floatBitsToUint(y) & EPI_SIGN_BIT);
    if (xs >= EPI_INFINITY || ys > EPI_INFINITY || ys == 0u) return epi_nan();
    if (xs == 0u || xs < ys && !apart) return x;
    if (ys == EPI_INFINITY) return y;
    uint rest, divisor;
    int left, exponent;
    epi_split(xs, rest, left);
    epi_split(ys, divisor, exponent);
    left -= exponent;
    if (left < 0) return x + y;
    if (rest >= divisor) rest -= divisor;
    for (; left > 0 && rest != 0u; left -= 6) epi_digits(rest, divisor, min(left, 6));
    if (rest != 0u && apart) {
        rest = divisor - rest;
        sign ^= EPI_SIGN_BIT;
    }
    return epi_joined(rest, exponent, sign);
}
EPI_EACH_PAIR(epi_floor_mod)

// f is the number, v the value, e the operand, a and b the parameters.
#define EPI_OTHER(T) \
    if (f == STEP_DIV) return v / e; \
    if (f == STEP_MAXIMUM) return epi_maximum(v, e); \
    if (f == STEP_MINIMUM) return epi_minimum(v, e); \
    if (f == STEP_SQUARED_DIFFERENCE) return (v - e) * (v - e); \
    if (f == STEP_ELU) return mix(v, epi_expm1(v), lessThan(v, T(0))); \
    if (f == STEP_GELU) return 0.5 * v * (T(1) + epi_erf(v * 0.70710678)); \
    if (f == STEP_GELU_APPROXIMATE) return 0.5 * v * (T(1) + epi_tanh(0.79788456 * (v + 0.044715 * v * v * v))); \
    if (f == STEP_ABS) return abs(v); \
    if (f == STEP_NEG) return -v; \
    if (f == STEP_EXP) return epi_exp(v); \
    if (f == STEP_LOG) return epi_log(v); \
    if (f == STEP_SQRT) return epi_sqrt(v); \
    if (f == STEP_RSQRT) return epi_rsqrt(v); \
    if (f == STEP_SQUARE) return v * v; \
    if (f == STEP_SIN || f == STEP_COS) return epi_turned(v, int(f == STEP_COS)); \
    if (f == STEP_FLOOR) return floor(v); \
    if (f == STEP_CEIL) return ceil(v); \
    if (f == STEP_ROUND) return roundEven(v); \
    if (f == STEP_SIGN) return epi_sign(v); \
    if (f == STEP_POW) return epi_pow(v, e); \
    if (f == STEP_FLOOR_DIV) return epi_floor_div(v, e); \
    if (f == STEP_FLOOR_MOD) return epi_floor_mod(v, e);

EPI_STEP(float)
EPI_STEP(vec4)
