#version 450
// z[i] = x[i] * scale + bias for i < n.
layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint scale = 1;
layout(push_constant) uniform Push { uint n; float bias; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) writeonly buffer Z { float z[]; };

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) z[i] = x[i] * scale + bias;
}
