// The fused elementwise steps: up to six, applied to a result before it is stored.
//
// Before including this, a kernel includes types.glsl and defines
//   EPI_BINDING         the first of three binding numbers for the operands
//   EPI_CHANNELS        the channels of the result (its last dimension)
//   EPI_ROWS_PER_BATCH  rows of the result per row of a Batch operand
//   EPI_ALL             optionally: every function, not only the common ones
//   EPI_START           optionally: its sums begin with epilogue_start(c), which is the bias if the
//                       first step is one, and epilogue() then begins behind it
//   EPI_HOLD            optionally: epilogue_hold(c) loads the operands that a vec4's channels alone decide,
//                       and epilogue() uses them for all rows until it is called again
// and calls epilogue(v, row, c) with the result's row and (first) channel. A vec4 needs
// channels that are a multiple of four.

READS(EPI_BINDING, E0, e0_)
READS(EPI_BINDING + 1, E1, e1_)
READS(EPI_BINDING + 2, E2, e2_)

layout(constant_id = 100) const uint EPI_OP_0 = 0;
layout(constant_id = 101) const uint EPI_OP_1 = 0;
layout(constant_id = 102) const uint EPI_OP_2 = 0;
layout(constant_id = 103) const uint EPI_OP_3 = 0;
layout(constant_id = 104) const uint EPI_OP_4 = 0;
layout(constant_id = 105) const uint EPI_OP_5 = 0;
layout(constant_id = 110) const float EPI_A_0 = 0;
layout(constant_id = 111) const float EPI_A_1 = 0;
layout(constant_id = 112) const float EPI_A_2 = 0;
layout(constant_id = 113) const float EPI_A_3 = 0;
layout(constant_id = 114) const float EPI_A_4 = 0;
layout(constant_id = 115) const float EPI_A_5 = 0;
layout(constant_id = 120) const float EPI_B_0 = 0;
layout(constant_id = 121) const float EPI_B_1 = 0;
layout(constant_id = 122) const float EPI_B_2 = 0;
layout(constant_id = 123) const float EPI_B_3 = 0;
layout(constant_id = 124) const float EPI_B_4 = 0;
layout(constant_id = 125) const float EPI_B_5 = 0;

// What a step computes: StepOp in src/ir/step.rs. 0 is no step.
#define STEP_ADD 1u
#define STEP_SUB 2u
#define STEP_MUL 3u
#define STEP_DIV 4u
#define STEP_MAXIMUM 5u
#define STEP_MINIMUM 6u
#define STEP_SQUARED_DIFFERENCE 7u
#define STEP_PRELU 8u
#define STEP_CLAMP 9u
#define STEP_LEAKY_RELU 10u
#define STEP_ELU 11u
#define STEP_LOGISTIC 12u
#define STEP_TANH 13u
#define STEP_HARD_SWISH 14u
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

// Where the parts of EPI_OP begin, behind the step: how the operand is found, which of the three it is,
// whether it changes places with the value, and its channels if it is padded.
const int EPI_KIND_AT = 8;
const int EPI_SLOT_AT = 12;
const int EPI_SWAPPED_AT = 16;
const int EPI_CHANNELS_AT = 17;

// How an operand is found: a scalar is the parameter itself; the others are Broadcast in src/ir/broadcast.rs.
const uint EPI_SCALAR = 1;
const uint EPI_FULL = 2;
const uint EPI_CHANNEL = 3;
const uint EPI_ROW = 4;
const uint EPI_BATCH = 5;
#define EPI_ONE 6u  // the first element: no kind that is asked for
const uint EPI_PADDED = 7;

uint epi_index(uint kind, uint row, uint c) {
    if (kind == EPI_FULL) return row * (EPI_CHANNELS) + c;
    if (kind == EPI_CHANNEL) return c;
    if (kind == EPI_ROW) return row;
    if (kind == EPI_BATCH) return row / (EPI_ROWS_PER_BATCH) * (EPI_CHANNELS) + c;
    return 0;
}

float epi_load(uint slot, uint i) {
    if (slot == 0) return float(e0_[i]);
    if (slot == 1) return float(e1_[i]);
    return float(e2_[i]);
}

vec4 epi_load4(uint slot, uint i) {
    if (slot == 0) return vec4(e0_4[i]);
    if (slot == 1) return vec4(e1_4[i]);
    return vec4(e2_4[i]);
}

// Channel c of a row of n channels, 0 behind them.
float epi_padded(uint slot, uint n, uint row, uint c) {
    return mix(0.0, epi_load(slot, row * n + min(c, n - 1)), c < n);
}

#ifdef EPI_HOLD
// What epilogue_hold() loads for each step, and its first channel and all channels in vectors.
vec4 epi_held[6];
uint epi_quad, epi_quads;
#endif

float epi_operand(float v, uint op, float a, uint row, uint c, int step) {
    uint kind = (op >> EPI_KIND_AT) & 15u;
    uint slot = (op >> EPI_SLOT_AT) & 15u;
    if (kind == EPI_SCALAR) return a;
    if (kind == EPI_PADDED) return epi_padded(slot, op >> EPI_CHANNELS_AT, row, c);
    return epi_load(slot, epi_index(kind, row, c));
}

vec4 epi_operand(vec4 v, uint op, float a, uint row, uint c, int step) {
    uint kind = (op >> EPI_KIND_AT) & 15u;
    uint slot = (op >> EPI_SLOT_AT) & 15u;
    if (kind == EPI_SCALAR) return vec4(a);
    if (kind == EPI_PADDED) {
        uint n = op >> EPI_CHANNELS_AT;
        if ((n & 3u) == 0u) {
#ifdef EPI_HOLD
            uint i = row * (n >> 2) + min(epi_quad, (n >> 2) - 1);
            return mix(vec4(0), epi_load4(slot, i), bvec4(c < n));
#endif
            return mix(vec4(0), epi_load4(slot, (row * n + min(c, n - 4)) >> 2), bvec4(c < n));
        }
        return vec4(epi_padded(slot, n, row, c), epi_padded(slot, n, row, c + 1),
                    epi_padded(slot, n, row, c + 2), epi_padded(slot, n, row, c + 3));
    }
#ifdef EPI_HOLD
    if (kind == EPI_CHANNEL) return epi_held[step];
    if (kind == EPI_FULL) return epi_load4(slot, row * epi_quads + epi_quad);
#endif
    if (kind == EPI_FULL || kind == EPI_CHANNEL || kind == EPI_BATCH)
        return epi_load4(slot, epi_index(kind, row, c) >> 2);
    return vec4(epi_load(slot, epi_index(kind, row, c)));
}

#ifdef EPI_ALL
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
#endif

#ifdef EPI_ALL
// floor(x / y) where the division of a device may be off by a little: an exact quotient stays.
float epi_floor_div(float x, float y) {
    float whole = roundEven(x / y);
    return whole * y == x ? whole : floor(x / y);
}
vec4 epi_floor_div(vec4 x, vec4 y) {
    vec4 whole = roundEven(x / y);
    return mix(floor(x / y), whole, equal(whole * y, x));
}
#endif

// tanh that does not overflow: the built-in one may compute inf/inf.
#define EPI_TANH(x) tanh(clamp(x, -15.0, 15.0))

#define EPI_COMMON(T) \
    if (f == STEP_ADD) return v + e; \
    if (f == STEP_SUB) return v - e; \
    if (f == STEP_MUL) return v * e; \
    if (f == STEP_PRELU) return max(v, T(0)) + e * min(v, T(0)); \
    if (f == STEP_CLAMP) return min(max(v, T(a)), T(b)); \
    if (f == STEP_LEAKY_RELU) return max(v, T(0)) + a * min(v, T(0)); \
    if (f == STEP_LOGISTIC) return T(1) / (T(1) + exp(-v)); \
    if (f == STEP_TANH) return EPI_TANH(v); \
    if (f == STEP_HARD_SWISH) return v * clamp(v + 3.0, 0.0, 6.0) * (1.0 / 6.0);

#ifdef EPI_ALL
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
bool lessThan(float x, float y) { return x < y; }
#else
#define EPI_OTHER(T)
#endif

// Whether the first step adds a vector of one element per channel, and the kernel does that at the start.
#ifdef EPI_START
const bool EPI_STARTED = (EPI_OP_0 & 0xfffu) == (EPI_CHANNEL << EPI_KIND_AT | STEP_ADD);

vec4 epilogue_start4(uint c) {
    if (EPI_STARTED) return epi_load4(EPI_OP_0 >> EPI_SLOT_AT & 15u, c >> 2);
    return vec4(0);
}

float epilogue_start(uint c) {
    if (EPI_STARTED) return epi_load(EPI_OP_0 >> EPI_SLOT_AT & 15u, c);
    return 0.0;
}
#else
const bool EPI_STARTED = false;
#endif

#ifdef EPI_HOLD
void epi_hold(uint op, uint c, int step) {
    if ((op >> EPI_KIND_AT & 15u) == EPI_CHANNEL) epi_held[step] = epi_load4(op >> EPI_SLOT_AT & 15u, c >> 2);
}

void epilogue_hold(uint c) {
    epi_quad = c >> 2;
    epi_quads = (EPI_CHANNELS) >> 2;
    if (!EPI_STARTED) epi_hold(EPI_OP_0, c, 0);
    epi_hold(EPI_OP_1, c, 1);
    epi_hold(EPI_OP_2, c, 2);
    epi_hold(EPI_OP_3, c, 3);
    epi_hold(EPI_OP_4, c, 4);
    epi_hold(EPI_OP_5, c, 5);
}
#endif

#define EPI_STEP(T) \
    T epi_step(T v, uint op, float a, float b, uint row, uint c, int step) { \
        uint f = op & 255u; \
        T e = T(0); \
        if ((op >> EPI_KIND_AT & 15u) != 0u) { \
            e = epi_operand(v, op, a, row, c, step); \
            if ((op >> EPI_SWAPPED_AT & 1u) != 0u) { T t = v; v = e; e = t; } \
        } \
        EPI_COMMON(T) \
        EPI_OTHER(T) \
        return v; \
    } \
    T epilogue(T v, uint row, uint c) { \
        if (EPI_OP_0 != 0u && !EPI_STARTED) v = epi_step(v, EPI_OP_0, EPI_A_0, EPI_B_0, row, c, 0); \
        if (EPI_OP_1 != 0u) v = epi_step(v, EPI_OP_1, EPI_A_1, EPI_B_1, row, c, 1); \
        if (EPI_OP_2 != 0u) v = epi_step(v, EPI_OP_2, EPI_A_2, EPI_B_2, row, c, 2); \
        if (EPI_OP_3 != 0u) v = epi_step(v, EPI_OP_3, EPI_A_3, EPI_B_3, row, c, 3); \
        if (EPI_OP_4 != 0u) v = epi_step(v, EPI_OP_4, EPI_A_4, EPI_B_4, row, c, 4); \
        if (EPI_OP_5 != 0u) v = epi_step(v, EPI_OP_5, EPI_A_5, EPI_B_5, row, c, 5); \
        return v; \
    }
EPI_STEP(float)
EPI_STEP(vec4)
