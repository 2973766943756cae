// What a kernel needs of the machine it runs on, in as few words as there are.
//
// The same sources are compiled twice: for the GPU, where these words are instructions, and for the processor, where the tests'
// emulation.h gives them a meaning that can be checked. So a kernel uses nothing of the machine that is not named here.
//
// Every kernel takes one structure, named `a` inside it; its C# twin of the same name lies in the folder above.
#pragma once

#ifdef __NVPTX__

#define DEVICE static inline __attribute__((device, always_inline))
#define METHOD inline __attribute__((device, always_inline))

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

// Where a generic address of shared memory lies in it, as the instructions below want to know.
DEVICE unsigned sharedAddress(const void* shared)
{
    return (unsigned)(unsigned long long)(const __attribute__((address_space(3))) void*)shared;
}

// Begins to copy 16 bytes of global memory into shared memory: the first `bytes` of them, of which none is read where that is 0,
// and zeros behind them. Both addresses are multiples of 16. What the copy writes may not be touched until it is waited for.
DEVICE void copyAsync(void* shared, const void* global, int bytes)
{
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
                 :: "r"(sharedAddress(shared)), "l"(global), "r"(bytes) : "memory");
}

// Makes a group of the copies that this thread has begun since the group before. A group may be empty.
DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for this thread's groups of copies but the last `Groups`. Other threads see what was copied after the next barrier.
template <int Groups>
DEVICE void waitForCopies() { asm volatile("cp.async.wait_group %0;" :: "n"(Groups) : "memory"); }

// Loads four matrices of 8 rows of 16 bytes from shared memory. Lane l tells where row l % 8 of matrix l / 8 begins, at a
// multiple of 16; of row l / 4 of every matrix it gets word l % 4. Every lane of the warp takes part.
DEVICE void loadMatrices(const void* row, unsigned (&words)[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(sharedAddress(row)) : "memory");
}

// The same with each matrix of 8 rows of 8 halfwords turned: lane l gets column l / 4 of rows 2 · (l % 4), in the low half, and
// 2 · (l % 4) + 1.
DEVICE void loadMatricesTurned(const void* row, unsigned (&words)[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(sharedAddress(row)) : "memory");
}

// Two values in bfloat16, the first in the low half: to the nearest, ties to even; what is no number becomes 0x7FFF.
DEVICE unsigned roundPair(float first, float second)
{
    unsigned words;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(words) : "f"(second), "f"(first));
    return words;
}

// sums[16, 8] += left[16, 16] · right[16, 8], the factors bfloat16, the sums float32. Every lane of the warp takes part. With
// g = lane / 4 and t = lane % 4, and two values to a word, the earlier one in its low half, a lane holds
//   left:  (g, 2t ..), (g + 8, 2t ..), (g, 2t + 8 ..), (g + 8, 2t + 8 ..)
//   right: (2t .., g), (2t + 8 .., g)
//   sums:  (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// The order of the additions is the machine's, and a sum may be cut instead of rounded.
DEVICE void multiplyMatrices(const unsigned (&left)[4], unsigned right0, unsigned right1, float (&sums)[4])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
}

#else
#include "emulation.h"
#endif

DEVICE int laneIndex() { return threadIndex() % WarpSize; }
DEVICE int warpIndex() { return threadIndex() / WarpSize; }
DEVICE int warpCount() { return threadCount() / WarpSize; }
