// NaN by its bits: comparisons, min, max, clamp and exp need not see one, nor what compilers make of them.
#ifndef NAN_GLSL
#define NAN_GLSL

const int NAN_ABOVE = 0x7f800000;   // bits of infinity
bool is_nan(float x) { return (floatBitsToInt(x) & 0x7fffffff) > NAN_ABOVE; }
bvec4 is_nan(vec4 x) { return greaterThan(floatBitsToInt(x) & 0x7fffffff, ivec4(NAN_ABOVE)); }

// x where it is NaN, else y.
float nan_or(float x, float y) { return is_nan(x) ? x : y; }
vec4 nan_or(vec4 x, vec4 y) { return mix(y, x, is_nan(x)); }

// x, or `nothing` where x is NaN.
float unless_nan(float x, float nothing) { return is_nan(x) ? nothing : x; }
vec4 unless_nan(vec4 x, vec4 nothing) { return mix(x, nothing, is_nan(x)); }
#endif
