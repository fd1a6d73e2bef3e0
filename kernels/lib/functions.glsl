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

// sin and cos to a few units in the last place; the built-in ones may be off by 2^-11. The angle is
// reduced to a quarter turn in three steps, and the series are those of Cephes (sinf.c, cosf.c).
float epi_turned(float x, int quarters) {
    float k = roundEven(x * 0.63661977);
    precise float r = ((x - k * 1.5703125) - k * 4.837512969970703125e-4) - k * 7.54978995489188216e-8;
    float z = r * r;
    float s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
    float c = 1.0 - 0.5 * z + z * z * (4.166664568e-2 + z * (-1.388731625e-3 + z * 2.443315711e-5));
    int q = int(k) + quarters;
    float v = (q & 1) != 0 ? c : s;
    return (q & 2) != 0 ? -v : v;
}
vec4 epi_turned(vec4 x, int quarters) {
    return vec4(epi_turned(x.x, quarters), epi_turned(x.y, quarters), epi_turned(x.z, quarters),
                epi_turned(x.w, quarters));
}

// pow as C has it for a negative base and a whole exponent.
float epi_pow(float x, float y) {
    if (y == 0.0) return 1.0;
    if (x == 0.0) return y > 0.0 ? 0.0 : 1.0 / x;
    float p = exp2(y * log2(abs(x)));
    bool odd = abs(y - 2.0 * floor(y * 0.5)) == 1.0;
    return x < 0.0 && odd ? -p : x < 0.0 && floor(y) != y ? 0.0 / 0.0 : p;
}
vec4 epi_pow(vec4 x, vec4 y) {
    return vec4(epi_pow(x.x, y.x), epi_pow(x.y, y.y), epi_pow(x.z, y.z), epi_pow(x.w, y.w));
}

// floor(x / y) where the division of a device may be off by a little: an exact quotient stays.
float epi_floor_div(float x, float y) {
    float whole = roundEven(x / y);
    return whole * y == x ? whole : floor(x / y);
}
vec4 epi_floor_div(vec4 x, vec4 y) {
    vec4 whole = roundEven(x / y);
    return mix(floor(x / y), whole, equal(whole * y, x));
}

bool lessThan(float x, float y) { return x < y; }

// f is the number, v the value, e the operand, a and b the parameters.
#define EPI_OTHER(T) \
    if (f == STEP_DIV) return v / e; \
    if (f == STEP_MAXIMUM) return max(v, e); \
    if (f == STEP_MINIMUM) return min(v, e); \
    if (f == STEP_SQUARED_DIFFERENCE) return (v - e) * (v - e); \
    if (f == STEP_ELU) return mix(v, epi_expm1(v), lessThan(v, T(0))); \
    if (f == STEP_GELU) return 0.5 * v * (T(1) + epi_erf(v * 0.70710678)); \
    if (f == STEP_GELU_APPROXIMATE) return 0.5 * v * (T(1) + EPI_TANH(0.79788456 * (v + 0.044715 * v * v * v))); \
    if (f == STEP_ABS) return abs(v); \
    if (f == STEP_NEG) return -v; \
    if (f == STEP_EXP) return exp(v); \
    if (f == STEP_LOG) return log(v); \
    if (f == STEP_SQRT) return sqrt(v); \
    if (f == STEP_RSQRT) return inversesqrt(v); \
    if (f == STEP_SQUARE) return v * v; \
    if (f == STEP_SIN) return epi_turned(v, 0); \
    if (f == STEP_COS) return epi_turned(v, 1); \
    if (f == STEP_FLOOR) return floor(v); \
    if (f == STEP_CEIL) return ceil(v); \
    if (f == STEP_ROUND) return roundEven(v); \
    if (f == STEP_SIGN) return sign(v); \
    if (f == STEP_POW) return epi_pow(v, e); \
    if (f == STEP_FLOOR_DIV) return epi_floor_div(v, e); \
    if (f == STEP_FLOOR_MOD) return v - e * epi_floor_div(v, e);

EPI_STEP(float)
EPI_STEP(vec4)
