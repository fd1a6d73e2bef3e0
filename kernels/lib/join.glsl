// Joins what the invocations that share a result hold: all of them get the sum, product, largest or
// smallest. All invocations of a workgroup have to call it, and meet at a barrier before they call again.
//
// Before including this, a kernel defines
//   JOIN_T       float or vec4
//   JOIN_COUNT   invocations that share a result, a power of two
//   JOIN_LANE    which of them this one is
//   JOIN_RESULT  which of the workgroup's results they share
// With JOIN_SUBGROUPS the workgroup has one result and lies along x (lavapipe counts its subgroups wrongly
// where it does not). How large they are, and whether all are full, makes no difference.
#ifdef JOIN_SUBGROUPS
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif

const uint JOIN_MOST = 256;  // invocations
shared JOIN_T joined[JOIN_MOST];

#ifdef JOIN_SUBGROUPS
#define JOIN(name, subgroup_join, join) \
    JOIN_T name(JOIN_T v) { \
        v = subgroup_join(v); \
        if (gl_NumSubgroups == 1) return v; \
        if (subgroupElect()) joined[gl_SubgroupID] = v; \
        barrier(); \
        v = joined[0]; \
        for (uint i = 1; i < gl_NumSubgroups; ++i) v = join(v, joined[i]); \
        return v; \
    }
#else
#define JOIN(name, subgroup_join, join) \
    JOIN_T name(JOIN_T v) { \
        if (JOIN_COUNT == 1) return v; \
        uint first = JOIN_RESULT * JOIN_COUNT, own = first + JOIN_LANE; \
        joined[own] = v; \
        for (uint reach = JOIN_COUNT / 2; reach > 0; reach /= 2) { \
            barrier(); \
            if (JOIN_LANE < reach) joined[own] = join(joined[own], joined[own + reach]); \
        } \
        barrier(); \
        return joined[first]; \
    }
#endif

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
JOIN(join_sum, subgroupAdd, ADD)
JOIN(join_product, subgroupMul, MULTIPLY)
JOIN(join_largest, subgroupMax, max)
JOIN(join_smallest, subgroupMin, min)
