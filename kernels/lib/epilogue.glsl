// The fused elementwise steps: up to six, applied to a result before it is stored.
//
// Before including this, a kernel includes types.glsl, declares y by WRITES_EITHER, and defines
//   EPI_BINDING         the first of three binding numbers for the operands
//   EPI_CHANNELS        the channels of the result (its last dimension)
//   EPI_ROWS_PER_BATCH  rows of the result per row of a Batch operand
//   EPI_ALL             optionally: every function, not only the common ones; functions.glsl is included next
//   EPI_START           optionally: its sums begin with epilogue_start(c), which is the bias if the
//                       first step is one, and epilogue() then begins behind it
//   EPI_HOLD            optionally: epilogue_hold(c) loads the operands that a vec4's channels alone decide,
//                       and epilogue() uses them for all rows until it is called again
// and calls epilogue(v, row, c) with the result's row and (first) channel. A vec4 needs
// channels that are a multiple of four. EPI_STORE(i, v) and EPI_STORE4(i, v) then store one element of y, or four.
//
// Where floats are stored in 16 bits, y and each operand may be 32-bit ones all the same.

#include "lib/nan.glsl"

READS(EPI_BINDING, E0, e0_)
READS(EPI_BINDING + 1, E1, e1_)
READS(EPI_BINDING + 2, E2, e2_)
#ifdef STORE_F16
READS_AS(EPI_BINDING, E0F, e0f_, float, vec4)
READS_AS(EPI_BINDING + 1, E1F, e1f_, float, vec4)
READS_AS(EPI_BINDING + 2, E2F, e2f_, float, vec4)
#endif

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

// What a step computes: StepOp in src/ir/step.rs. 0 is no step; functions.glsl has the other numbers.
#define STEP_ADD 1u
#define STEP_SUB 2u
#define STEP_MUL 3u
#define STEP_PRELU 8u
#define STEP_CLAMP 9u
#define STEP_LEAKY_RELU 10u
#define STEP_LOGISTIC 12u
#define STEP_TANH 13u
#define STEP_HARD_SWISH 14u

// Where the parts of EPI_OP begin, behind the step: how the operand is found, which of the three it is,
// whether it changes places with the value, and its channels if it is padded.
const int EPI_KIND_AT = 8;
const int EPI_SLOT_AT = 12;
const int EPI_SWAPPED_AT = 16;
const int EPI_CHANNELS_AT = 17;
#ifdef STORE_F16
// Whether that operand is one of 32-bit floats; in EPI_OP_0 the same of y, in EPI_OP_1 of the operand of the
// kernel `elementwise`.
const int EPI_F32_AT = 14;
const int EPI_RESULT_F32_AT = 15;
#define EPI_SLOT(op) ((op) >> EPI_SLOT_AT & 7u)
#else
#define EPI_SLOT(op) ((op) >> EPI_SLOT_AT & 15u)
#endif

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

float epi_load_stored(uint slot, uint i) {
    if (slot == 0) return float(e0_[i]);
    if (slot == 1) return float(e1_[i]);
    return float(e2_[i]);
}

vec4 epi_load4_stored(uint slot, uint i) {
    if (slot == 0) return vec4(e0_4[i]);
    if (slot == 1) return vec4(e1_4[i]);
    return vec4(e2_4[i]);
}

#ifdef STORE_F16
float epi_load(uint slot, uint i) {
    if (slot == 4) return e0f_[i];
    if (slot == 5) return e1f_[i];
    if (slot == 6) return e2f_[i];
    return epi_load_stored(slot, i);
}

vec4 epi_load4(uint slot, uint i) {
    if (slot == 4) return e0f_4[i];
    if (slot == 5) return e1f_4[i];
    if (slot == 6) return e2f_4[i];
    return epi_load4_stored(slot, i);
}
#else
#define epi_load epi_load_stored
#define epi_load4 epi_load4_stored
#endif

// Channel c of a row of n channels, 0 behind them. They are stored as the kernel's own.
float epi_padded(uint slot, uint n, uint row, uint c) {
    return mix(0.0, epi_load_stored(slot, row * n + min(c, n - 1)), c < n);
}

#ifdef EPI_HOLD
// What epilogue_hold() loads for each step, and its first channel and all channels in vectors.
vec4 epi_held[6];
uint epi_quad, epi_quads;
#endif

float epi_operand(float v, uint op, float a, uint row, uint c, int step) {
    uint kind = (op >> EPI_KIND_AT) & 15u;
    uint slot = EPI_SLOT(op);
    if (kind == EPI_SCALAR) return a;
    if (kind == EPI_PADDED) return epi_padded(slot, op >> EPI_CHANNELS_AT, row, c);
    return epi_load(slot, epi_index(kind, row, c));
}

vec4 epi_operand(vec4 v, uint op, float a, uint row, uint c, int step) {
    uint kind = (op >> EPI_KIND_AT) & 15u;
    uint slot = EPI_SLOT(op);
    if (kind == EPI_SCALAR) return vec4(a);
    if (kind == EPI_PADDED) {
        uint n = op >> EPI_CHANNELS_AT;
        if ((n & 3u) == 0u) {
#ifdef EPI_HOLD
            uint i = row * (n >> 2) + min(epi_quad, (n >> 2) - 1);
            return mix(vec4(0), epi_load4_stored(slot, i), bvec4(c < n));
#endif
            return mix(vec4(0), epi_load4_stored(slot, (row * n + min(c, n - 4)) >> 2), bvec4(c < n));
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

// tanh that does not overflow, and is x for what is near 0 or NaN: the built-in one may compute inf/inf, and
// its error need not shrink with x.
const uint EPI_TANH_NEAR = 0x39800000u;   // bits of 2⁻¹²
bool epi_tanh_is(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) - EPI_TANH_NEAR > uint(NAN_ABOVE) - EPI_TANH_NEAR;
}
float epi_tanh(float x) { return epi_tanh_is(x) ? x : tanh(clamp(x, -15.0, 15.0)); }
vec4 epi_tanh(vec4 x) {
    bvec4 near = bvec4(epi_tanh_is(x.x), epi_tanh_is(x.y), epi_tanh_is(x.z), epi_tanh_is(x.w));
    return mix(tanh(clamp(x, -15.0, 15.0)), x, near);
}

bool lessThan(float x, float y) { return x < y; }

#define EPI_COMMON(T) \
    if (f == STEP_ADD) return v + e; \
    if (f == STEP_SUB) return v - e; \
    if (f == STEP_MUL) return v * e; \
    if (f == STEP_PRELU) return mix(v, e * v, lessThan(v, T(0))); \
    if (f == STEP_CLAMP) return nan_or(v, min(max(v, T(a)), T(b))); \
    if (f == STEP_LEAKY_RELU) return mix(v, a * v, lessThan(v, T(0))); \
    if (f == STEP_LOGISTIC) return nan_or(v, T(1) / (T(1) + exp(-v))); \
    if (f == STEP_TANH) return epi_tanh(v); \
    if (f == STEP_HARD_SWISH) return v * clamp(v + 3.0, 0.0, 6.0) * (1.0 / 6.0);

#ifdef STORE_F16
const bool EPI_RESULT_F32 = (EPI_OP_0 >> EPI_RESULT_F32_AT & 1u) != 0u;
void epi_store(uint i, float v) {
    if (EPI_RESULT_F32) yf[i] = v;
    else y[i] = S1(v);
}
void epi_store(uint i, vec4 v) {
    if (EPI_RESULT_F32) yf4[i] = v;
    else y4[i] = S4(v);
}
#define EPI_STORE(i, v) epi_store(i, v)
#define EPI_STORE4(i, v) epi_store(i, v)
#else
#define EPI_STORE(i, v) y[i] = S1(v)
#define EPI_STORE4(i, v) y4[i] = S4(v)
#endif

// Whether the first step adds a vector of one element per channel, and the kernel does that at the start.
#ifdef EPI_START
#ifdef STORE_F16
const bool EPI_STARTED = (EPI_OP_0 & (0xfffu | 1u << EPI_F32_AT)) == (EPI_CHANNEL << EPI_KIND_AT | STEP_ADD);
#else
const bool EPI_STARTED = (EPI_OP_0 & 0xfffu) == (EPI_CHANNEL << EPI_KIND_AT | STEP_ADD);
#endif

vec4 epilogue_start4(uint c) {
    if (EPI_STARTED) return epi_load4_stored(EPI_SLOT(EPI_OP_0), c >> 2);
    return vec4(0);
}

float epilogue_start(uint c) {
    if (EPI_STARTED) return epi_load_stored(EPI_SLOT(EPI_OP_0), c);
    return 0.0;
}
#else
const bool EPI_STARTED = false;
#endif

#ifdef EPI_HOLD
void epi_hold(uint op, uint c, int step) {
    if ((op >> EPI_KIND_AT & 15u) == EPI_CHANNEL) epi_held[step] = epi_load4(EPI_SLOT(op), c >> 2);
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
#ifndef EPI_ALL
#define EPI_OTHER(T)
EPI_STEP(float)
EPI_STEP(vec4)
#endif
