// Cooperative matrices of MM × MN × MK, fp16 × fp16 → fp32, that subgroups load from shared memory.
layout(constant_id = 20) const uint SUBGROUP = 32;
layout(constant_id = 21) const uint MM = 16;
layout(constant_id = 22) const uint MN = 16;
layout(constant_id = 23) const uint MK = 16;

#define MATRIX_A coopmat<float16_t, gl_ScopeSubgroup, MM, MK, gl_MatrixUseA>
#define MATRIX_B coopmat<float16_t, gl_ScopeSubgroup, MK, MN, gl_MatrixUseB>
#define MATRIX_C coopmat<float, gl_ScopeSubgroup, MM, MN, gl_MatrixUseAccumulator>
#define MATRIX_H coopmat<float16_t, gl_ScopeSubgroup, MM, MN, gl_MatrixUseAccumulator>

// Weights come as whole matrices, those of one block of channels behind each other along the depth, each with
// its columns in a row (`matrices` in src/ops/conv_2d/cooperative.rs). In units of 16 bytes, which every matrix
// and row of one starts at: eight halves. In shared memory rows are a unit longer than needed: no two land on
// the same banks.
const uint W_ROW = MK / 8;
const uint W_SIZE = MN * W_ROW;
const uint B_ROW = W_ROW + 1;
const uint B_MATRIX = MN * B_ROW;

uvec2 pack(f16vec4 v) {
    return uvec2(packFloat2x16(v.xy), packFloat2x16(v.zw));
}

vec4 unpack(uvec2 v) {
    return vec4(f16vec4(unpackFloat2x16(v.x), unpackFloat2x16(v.y)));
}
