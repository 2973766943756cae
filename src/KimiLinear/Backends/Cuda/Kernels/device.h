// What a kernel needs of the machine it runs on, in as few words as there are.
//
// The same sources are compiled twice: for the GPU, where these words are instructions, and for the processor, where the tests'
// emulation.h gives them a meaning that can be checked. So a kernel uses nothing of the machine that is not named here.
//
// Every kernel takes one structure, named `a` inside it; its C# twin of the same name lies in the folder above.
#pragma once

#ifdef __NVPTX__

#define DEVICE static inline __attribute__((device, always_inline))

// A kernel, the structure of its arguments and the most threads a block may have.
#define KERNEL(name, Arguments, maxThreads) \
    extern "C" __attribute__((global, launch_bounds(maxThreads))) void name(const Arguments a)

constexpr int WarpSize = 32;

DEVICE int threadIndex() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE int threadCount() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE int blockX() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE int blockY() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE int blockZ() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE int gridX() { return __nvvm_read_ptx_sreg_nctaid_x(); }

// Every thread of the block waits for every other.
DEVICE void barrier() { __nvvm_bar_sync(0); }

// The value of the lane whose number differs in the bits of the mask. Every lane of the warp takes part.
DEVICE float shuffleXor(float value, int mask) { return __nvvm_shfl_sync_bfly_f32(0xFFFFFFFFu, value, mask, 0x1F); }
DEVICE int shuffleXor(int value, int mask) { return __nvvm_shfl_sync_bfly_i32(0xFFFFFFFFu, value, mask, 0x1F); }

extern "C" __attribute__((shared, aligned(16))) float kernelSharedMemory[];

// The block's shared memory: as many bytes as the launch asked for, of undefined values.
DEVICE float* sharedMemory() { return kernelSharedMemory; }

#else
#include "emulation.h"
#endif

DEVICE int laneIndex() { return threadIndex() % WarpSize; }
DEVICE int warpIndex() { return threadIndex() / WarpSize; }
DEVICE int warpCount() { return threadCount() / WarpSize; }
