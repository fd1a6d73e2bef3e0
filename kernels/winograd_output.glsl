#version 450
// y = epilogue(Aᵀ m A): the products of winograd_input's tiles with the weights, back as pixels.
// One invocation makes four channels of a tile.
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
    uint rows;           // tiles of all pictures
    uint rows_per_batch;
    uint channels;
    uvec2 tiles;         // per picture; pairs are height, width
    uvec2 y_size;
};

READS(0, X, x)
WRITES_EITHER(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint quads = channels / 4, tile = item / quads, quad = item - tile * quads;
    uint line = tile / tiles.y, image = line / tiles.x;
    uvec2 at = uvec2(line - image * tiles.x, tile - line * tiles.y) * TILE;

    vec4 m[SIDE * SIDE];
    [[unroll]] for (int i = 0; i < SIDE * SIDE; ++i) m[i] = vec4(x4[(i * rows + tile) * quads + quad]);
    [[unroll]] for (int j = 0; j < SIDE; ++j) PIXELS(m, j, SIDE)
    [[unroll]] for (int i = 0; i < TILE; ++i) PIXELS(m, i * SIDE, 1)

    // The epilogue is long: with a bound that no constant gives, no driver unrolls its loop.
    uvec2 end = min(y_size - at, uvec2(TILE));
    vec4 result[TILE * TILE];
    [[unroll]] for (int i = 0; i < TILE * TILE; ++i) result[i] = m[i / TILE * SIDE + i % TILE];
    for (uint i = 0; i < end.x; ++i) {
        for (uint j = 0; j < end.y; ++j) {
            uint row = (image * y_size.x + at.x + i) * y_size.y + at.y + j;
            EPI_STORE4(row * quads + quad, epilogue(result[i * TILE + j], row, quad * 4));
        }
    }
}
