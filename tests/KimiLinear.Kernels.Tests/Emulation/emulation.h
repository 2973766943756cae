// What device.h promises to kernels, on a processor: each thread of a block is a fibre, and exactly one runs at a time, until it
// waits for others or ends. Who runs next is the caller's choice, so that a kernel that depends on an order gives itself away.
#pragma once

#define DEVICE static inline __attribute__((always_inline, unused))
#define METHOD inline __attribute__((always_inline))

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

// As many words as any exchange takes of a lane.
constexpr int MaxWords = 6;

using Words = unsigned[MaxWords][WarpSize];

void barrier();
const Words& exchange(const unsigned* values, int count); // to be read before the lane's next exchange
void copyAsync(void* shared, const void* global, int bytes);
void commitCopies();
void waitForCopies(int groups);
bool requireShared(const void* address); // 16 bytes at a multiple of 16
void countConflicts(const Words& rows, int matrix);
void multiplyMatrices(const unsigned (&factors)[6], float (&sums)[4]); // the words of the left factor, then of the right
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
    return (int)emulation::exchange((const unsigned*)&value, 1)[0][(emulation::place.thread % WarpSize) ^ mask];
}

DEVICE float shuffleXor(float value, int mask)
{
    return __builtin_bit_cast(float, shuffleXor(__builtin_bit_cast(int, value), mask));
}

DEVICE float* sharedMemory() { return emulation::shared; }

DEVICE void copyAsync(void* shared, const void* global, int bytes) { emulation::copyAsync(shared, global, bytes); }
DEVICE void commitCopies() { emulation::commitCopies(); }

template <int Groups>
DEVICE void waitForCopies() { emulation::waitForCopies(Groups); }

namespace emulation
{
// Of each matrix the halfwords that a lane gets: [row, column] and its neighbour in the row, or in the column.
template <bool IsTurned>
DEVICE void loadMatrices(const void* row, unsigned (&words)[4])
{
    int lane = place.thread % WarpSize;
    unsigned long long address = (unsigned long long)(requireShared(row) ? row : shared);
    unsigned halves[2] = {(unsigned)address, (unsigned)(address >> 32)};
    const Words& rows = exchange(halves, 2);
    if (lane < 4)
    {
        countConflicts(rows, lane);
    }

    for (int i = 0; i < 4; i++)
    {
        auto value = [&](int r, int c)
        {
            int owner = i * 8 + r;
            unsigned long long begin = rows[0][owner] | (unsigned long long)rows[1][owner] << 32;
            return (unsigned)((const unsigned short*)begin)[c];
        };
        int major = lane / 4;
        int minor = lane % 4 * 2;
        words[i] = IsTurned ? value(minor, major) | value(minor + 1, major) << 16
                            : value(major, minor) | value(major, minor + 1) << 16;
    }
}
}

DEVICE void loadMatrices(const void* row, unsigned (&words)[4]) { emulation::loadMatrices<false>(row, words); }
DEVICE void loadMatricesTurned(const void* row, unsigned (&words)[4]) { emulation::loadMatrices<true>(row, words); }

DEVICE unsigned roundPair(float first, float second)
{
    auto rounded = [](float value)
    {
        unsigned bits = __builtin_bit_cast(unsigned, value);
        return value != value ? 0x7FFFu : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    };
    return rounded(first) | rounded(second) << 16;
}

DEVICE void multiplyMatrices(const unsigned (&left)[4], unsigned right0, unsigned right1, float (&sums)[4])
{
    unsigned factors[6] = {left[0], left[1], left[2], left[3], right0, right1};
    emulation::multiplyMatrices(factors, sums);
}
