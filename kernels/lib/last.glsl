// Lets the last of several workgroups go on with what all of them have left in memory.
//
// Before including this, a kernel defines LAST_BINDING, the first of two binding numbers:
//   parts      vectors of 32-bit numbers that each workgroup leaves for the last one
//   arrived    counters, which are zero before and after
// and may define LAST_TYPE, the type of the vectors: vec4 by default.
// A kernel whose grid has no parts binds anything there. One of the Vulkan memory model may define SCOPED:
// then a workgroup waits for its memory once, not each invocation twice.
#ifndef LAST_TYPE
#define LAST_TYPE vec4
#endif
layout(std430, set = 0, binding = LAST_BINDING) coherent buffer Parts { LAST_TYPE parts[]; };
layout(std430, set = 0, binding = LAST_BINDING + 1) coherent buffer Arrived { uint arrived[]; };

shared bool last_arrival;

// Whether this workgroup is the last of `count` that come here with this counter; it sees what the
// others have left. All its invocations have to call it.
bool is_last(uint counter, uint count) {
#ifdef SCOPED
    const int ALL = gl_StorageSemanticsBuffer | gl_StorageSemanticsShared;
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, ALL, gl_SemanticsAcquireRelease);
    if (gl_LocalInvocationIndex == 0) {
        last_arrival = atomicAdd(arrived[counter], 1, gl_ScopeQueueFamily, gl_StorageSemanticsBuffer,
                                 gl_SemanticsAcquireRelease) == count - 1;
        if (last_arrival) atomicExchange(arrived[counter], 0);
    }
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, ALL, gl_SemanticsAcquireRelease);
#else
    memoryBarrierBuffer();
    barrier();
    if (gl_LocalInvocationIndex == 0) {
        last_arrival = atomicAdd(arrived[counter], 1) == count - 1;
        if (last_arrival) atomicExchange(arrived[counter], 0);
    }
    barrier();
    memoryBarrierBuffer();
#endif
    return last_arrival;
}
