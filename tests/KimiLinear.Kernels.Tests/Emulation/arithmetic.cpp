// The functions of arithmetic.h under names that the tests can call.
#include "arithmetic.h"

extern "C" float exponential_of(float x) { return exponential(x); }
extern "C" float power_of_two_of(float x) { return powerOfTwo(x); }
extern "C" float softplus_of(float x) { return softplus(x); }
extern "C" float sigmoid_of(float x) { return sigmoid(x); }
extern "C" unsigned short bfloat16_of(float x) { return toBFloat16(x); }
extern "C" float float_of(unsigned short x) { return toFloat(x); }

// Kernels that go wrong, each in its way: the emulation must say so.
struct FaultArguments
{
    float* values;
};

// Half of a warp ends while the other half exchanges values.
KERNEL(fault_divergent_shuffle, FaultArguments, 32)
{
    if (threadIndex() < 16)
    {
        a.values[threadIndex()] = shuffleXor(1.0f, 16);
    }
}

// One warp waits at a barrier that the other never reaches.
KERNEL(fault_divergent_barrier, FaultArguments, 64)
{
    if (warpIndex() == 0)
    {
        barrier();
    }

    a.values[threadIndex()] = 1;
}

KERNEL(fault_shared_overflow, FaultArguments, 32)
{
    sharedMemory()[threadIndex() + 1] = 1;
    a.values[0] = 1;
}

// A barrier is missing between writing and reading what another warp wrote.
KERNEL(fault_race, FaultArguments, 64)
{
    sharedMemory()[threadIndex()] = 1;
    a.values[threadIndex()] = sharedMemory()[63 - threadIndex()];
}
