#version 450
// y[n,oy,ox,c] = x[n,h,w,c] for the pixel of x that is nearest to that of y.
// One invocation copies one element, or four if c allows it (wide); channels then count fours.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    uint channels;
    uvec2 x_size;        // height, width
    uvec2 y_size;
    vec2 scale;          // pixels of x per pixel of y
};
layout(constant_id = 10) const bool ALIGN_CORNERS = false;
layout(constant_id = 11) const bool HALF_PIXEL_CENTERS = false;

READS(0, X, x)
WRITES(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint row = item / channels, line = row / y_size.y;
    vec2 at = vec2(line % y_size.x, row - line * y_size.y);
    if (HALF_PIXEL_CENTERS) at += 0.5;
    at *= scale;
    vec2 whole = floor(at);
    // Not round(): halves go up.
    if (ALIGN_CORNERS) whole += vec2(greaterThanEqual(at - whole, vec2(0.5)));
    uvec2 p = min(uvec2(whole), x_size - 1);
    uint from = ((line / y_size.x * x_size.x + p.x) * x_size.y + p.y) * channels + item - row * channels;
    if (wide != 0u) y4[item] = x4[from];
    else y[item] = x[from];
}
