// Four neighbouring invocations, a quad, that share what each of them loads.
#extension GL_KHR_shader_subgroup_quad : require

// The value of the invocation whose place in the quad differs by `r`.
#define SWAPPED(v, r) (r == 1 ? subgroupQuadSwapHorizontal(v) : r == 2 ? subgroupQuadSwapVertical(v) \
                     : r == 3 ? subgroupQuadSwapDiagonal(v) : v)
