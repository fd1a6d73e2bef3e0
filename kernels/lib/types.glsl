// Storage types: how activations and weights lie in device memory. Arithmetic is 32-bit.
// S1 and S4 are one and four stored elements: floats (axis STORE), or what is moved without a look (axis SIZE).
#if defined(SIZE) && SIZE == 8
#extension GL_EXT_shader_8bit_storage : require
#define S1 uint8_t
#define S4 u8vec4
#elif defined(SIZE) && SIZE == 16
#extension GL_EXT_shader_16bit_storage : require
#define S1 uint16_t
#define S4 u16vec4
#elif defined(SIZE)
#define S1 uint
#define S4 uvec4
#elif defined(STORE_F16)
#extension GL_EXT_shader_16bit_storage : require
#define S1 float16_t
#define S4 f16vec4
#else
#define S1 float
#define S4 vec4
#endif

// A storage buffer seen as scalars (name) and as vectors of four (name4).
#define READS(n, Block, name) READS_AS(n, Block, name, S1, S4)
#define READS_AS(n, Block, name, T1, T4) \
    layout(std430, set = 0, binding = n) readonly buffer Block { T1 name[]; }; \
    layout(std430, set = 0, binding = n) readonly buffer Block##4 { T4 name##4[]; };
#define WRITES(n, Block, name) \
    layout(std430, set = 0, binding = n) writeonly buffer Block { S1 name[]; }; \
    layout(std430, set = 0, binding = n) writeonly buffer Block##4 { S4 name##4[]; };

// A result of an epilogue: where floats are stored in 16 bits, also seen as 32-bit ones (namef).
#ifdef STORE_F16
#define WRITES_EITHER(n, Block, name) \
    WRITES(n, Block, name) \
    layout(std430, set = 0, binding = n) writeonly buffer Block##F { float name##f[]; }; \
    layout(std430, set = 0, binding = n) writeonly buffer Block##F4 { vec4 name##f4[]; };
#else
#define WRITES_EITHER(n, Block, name) WRITES(n, Block, name)
#endif
