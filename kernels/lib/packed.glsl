// Words of four signed 8-bit integers, the first one lowest.
#ifdef DOT_PACKED
#extension GL_EXT_integer_dot_product : require
#endif

// The sum of the products of two words' elements.
int packed_dot(uint a, uint b) {
#ifdef DOT_PACKED
    return dotPacked4x8EXT(int(a), int(b));
#else
    int sum = 0;
    for (int n = 0; n < 32; n += 8) sum += bitfieldExtract(int(a), n, 8) * bitfieldExtract(int(b), n, 8);
    return sum;
#endif
}

uint packed(ivec4 v) {
    uvec4 u = uvec4(v) & 0xffu;
    return u.x | u.y << 8 | u.z << 16 | u.w << 24;
}

// Word n of the result holds element n of each operand.
uvec4 packed_transpose(uvec4 w) {
    uvec2 low = w.xz & 0x00ff00ffu | (w.yw & 0x00ff00ffu) << 8;
    uvec2 high = w.xz >> 8 & 0x00ff00ffu | w.yw & 0xff00ff00u;
    return uvec4(
        low.x & 0xffffu | low.y << 16, high.x & 0xffffu | high.y << 16,
        low.x >> 16 | low.y & 0xffff0000u, high.x >> 16 | high.y & 0xffff0000u
    );
}
