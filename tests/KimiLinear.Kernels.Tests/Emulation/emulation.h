// What device.h promises to kernels, on a processor: each thread of a block is a fibre, and exactly one runs at a time, until it
// waits for others or ends. Who runs next is the caller's choice, so that a kernel that depends on an order gives itself away.
#pragma once

#define DEVICE static inline __attribute__((always_inline, unused))

// The entry takes the address of the arguments, as the driver's launch does.
#define KERNEL(name, Arguments, maxThreads) \
    static void name##_body(const Arguments& a); \
    extern "C" void name(const void* arguments) { name##_body(*(const Arguments*)arguments); } \
    extern "C" const int name##_max_threads = maxThreads; \
    static void name##_body(const Arguments& a)

constexpr int WarpSize = 32;

namespace emulation
{
struct Place
{
    int thread;
    int threads;
    int x;
    int y;
    int z;
    int gridX;
};

extern Place place;
extern float* shared;

void barrier();
unsigned exchange(unsigned value, int lane);
}

DEVICE int threadIndex() { return emulation::place.thread; }
DEVICE int threadCount() { return emulation::place.threads; }
DEVICE int blockX() { return emulation::place.x; }
DEVICE int blockY() { return emulation::place.y; }
DEVICE int blockZ() { return emulation::place.z; }
DEVICE int gridX() { return emulation::place.gridX; }

DEVICE void barrier() { emulation::barrier(); }

DEVICE int shuffleXor(int value, int mask)
{
    return (int)emulation::exchange((unsigned)value, (emulation::place.thread % WarpSize) ^ mask);
}

DEVICE float shuffleXor(float value, int mask)
{
    return __builtin_bit_cast(float, shuffleXor(__builtin_bit_cast(int, value), mask));
}

DEVICE float* sharedMemory() { return emulation::shared; }
