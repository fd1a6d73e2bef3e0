#version 450
// v[i, tile, c] = (Bᵀ d B)[i]: tiles of x, with the border that the windows of a tile of y reach, in the basis in
// which a 3×3 convolution is a product per element (Winograd's F(TILE×TILE, 3×3)).
// One invocation transforms four channels of a tile.
//! variant TILE = 4 | 2
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TILE
#define TILE 4
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"
#include "lib/winograd.glsl"

layout(push_constant) uniform Push {
    uint items;          // invocations that have work
    uint row_items;      // invocations per row of the grid
    uint quads;          // of channels
    uint rows;           // tiles of all pictures
    uvec2 tiles;         // per picture; pairs are height, width
    uvec2 x_size;
    ivec2 origin;        // where the first window starts in x
};

READS(0, X, x)
WRITES(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint tile = item / quads, quad = item - tile * quads;
    uint line = tile / tiles.y, image = line / tiles.x;
    ivec2 at = ivec2(line - image * tiles.x, tile - line * tiles.y) * TILE + origin;
    ivec2 size = ivec2(x_size);

    vec4 d[SIDE * SIDE];
    [[unroll]] for (int i = 0; i < SIDE; ++i) {
        [[unroll]] for (int j = 0; j < SIDE; ++j) {
            bool inside = uint(at.x + i) < x_size.x && uint(at.y + j) < x_size.y;
            int from = ((int(image) * size.x + at.x + i) * size.y + at.y + j) * int(quads) + int(quad);
            d[i * SIDE + j] = mix(vec4(0), vec4(x4[mix(0, from, inside)]), bvec4(inside));
        }
    }
    [[unroll]] for (int i = 0; i < SIDE; ++i) BASIS(d, i * SIDE, 1)
    [[unroll]] for (int j = 0; j < SIDE; ++j) BASIS(d, j, SIDE)
    [[unroll]] for (int i = 0; i < SIDE * SIDE; ++i) y4[(i * rows + tile) * quads + quad] = S4(d[i]);
}
