// The words of device.h for copies and matrix products, each in a kernel that shows what it does, and kernels that misuse them.
#include "arithmetic.h"

struct WordArguments
{
    const void* first;
    const void* second;
    void* output;
    void* other;
};

// Registers as they are: first [32, 4] words of left, second [32, 2] of right, output [32, 4] sums, added to.
KERNEL(words_multiply, WordArguments, 32)
{
    int lane = laneIndex();
    unsigned left[4];
    float sums[4];
    for (int i = 0; i < 4; i++)
    {
        left[i] = ((const unsigned*)a.first)[lane * 4 + i];
        sums[i] = ((const float*)a.output)[lane * 4 + i];
    }

    const unsigned* right = (const unsigned*)a.second + lane * 2;
    multiplyMatrices(left, right[0], right[1], sums);
    for (int i = 0; i < 4; i++)
    {
        ((float*)a.output)[lane * 4 + i] = sums[i];
    }
}

// first [32] rows of eight halfwords; the rows lie scattered in shared memory. output and other [32, 4] words, plain and turned.
// Two warps do the same at once.
KERNEL(words_load, WordArguments, 64)
{
    unsigned short* rows = (unsigned short*)sharedMemory() + warpIndex() * 32 * 8;
    int lane = laneIndex();
    unsigned short* row = rows + lane * 11 % 32 * 8;
    for (int i = 0; i < 8; i++)
    {
        row[i] = ((const unsigned short*)a.first)[threadIndex() * 8 + i];
    }

    barrier();
    unsigned plain[4];
    unsigned turned[4];
    loadMatrices(row, plain);
    loadMatricesTurned(row, turned);
    for (int i = 0; i < 4; i++)
    {
        ((unsigned*)a.output)[threadIndex() * 4 + i] = plain[i];
        ((unsigned*)a.other)[threadIndex() * 4 + i] = turned[i];
    }
}

// first [32, 2] float32 values, output [32] words.
KERNEL(words_round, WordArguments, 32)
{
    const float* values = (const float*)a.first + threadIndex() * 2;
    ((unsigned*)a.output)[threadIndex()] = roundPair(values[0], values[1]);
}

// Copies, loads and products in a row: first [16, 16], second [16, 16], both bfloat16.
//   output[m, n] = Σ_k first[m, k] · second[n, k]      other[m, n] = Σ_k first[m, k] · second[k, n]
KERNEL(words_chain, WordArguments, 32)
{
    char* shared = (char*)sharedMemory();
    int lane = laneIndex();
    copyAsync(shared + lane * 16, (const char*)a.first + lane * 16, 16);
    copyAsync(shared + (32 + lane) * 16, (const char*)a.second + lane * 16, 16);
    commitCopies();
    waitForCopies<0>();
    barrier();

    unsigned left[4];
    unsigned plain[4];
    unsigned turned[4];
    loadMatrices(shared + lane % 16 * 32 + lane / 16 * 16, left);
    loadMatrices(shared + 512 + (lane % 8 + lane / 16 * 8) * 32 + lane / 8 % 2 * 16, plain);
    loadMatricesTurned(shared + 512 + lane % 16 * 32 + lane / 16 * 16, turned);
    for (int half = 0; half < 2; half++)
    {
        float sums[2][4] = {};
        multiplyMatrices(left, plain[half * 2], plain[half * 2 + 1], sums[0]);
        multiplyMatrices(left, turned[half * 2], turned[half * 2 + 1], sums[1]);
        for (int i = 0; i < 4; i++)
        {
            int place = (lane / 4 + i / 2 * 8) * 16 + half * 8 + lane % 4 * 2 + i % 2;
            ((float*)a.output)[place] = sums[0][i];
            ((float*)a.other)[place] = sums[1][i];
        }
    }
}

// first [3, 17, 16] bytes, of which lane l copies l % 17 of each row, in three groups, the second of them empty.
// output [4, 17, 2, 16] bytes: what is there before any wait, with one group under way, with none, and what a wait leaves alone.
KERNEL(words_copy, WordArguments, 32)
{
    int lane = laneIndex();
    if (lane >= 17)
    {
        return;
    }

    unsigned char* own = (unsigned char*)sharedMemory() + lane * 32;
    const unsigned char* source = (const unsigned char*)a.first + lane * 16;
    unsigned char* output = (unsigned char*)a.output + lane * 32;
    auto show = [&](int time)
    {
        for (int i = 0; i < 32; i++)
        {
            output[time * 17 * 32 + i] = own[i];
        }
    };
    for (int i = 0; i < 32; i++)
    {
        own[i] = 1;
    }

    copyAsync(own, source, lane);
    commitCopies();
    commitCopies();
    copyAsync(own + 16, source + 17 * 16, lane);
    commitCopies();
    show(0);
    waitForCopies<1>();
    show(1);
    waitForCopies<0>();
    show(2);
    copyAsync(own, source + 2 * 17 * 16, lane);
    waitForCopies<0>();
    show(3);
    commitCopies();
    waitForCopies<0>();
}

KERNEL(fault_copy_lost, WordArguments, 32)
{
    copyAsync(sharedMemory() + threadIndex() * 4, a.first, 16);
    commitCopies();
    waitForCopies<1>();
}

KERNEL(fault_copy_unaligned, WordArguments, 32)
{
    copyAsync(sharedMemory(), (const char*)a.first + 8, 16);
    commitCopies();
    waitForCopies<0>();
}

KERNEL(fault_copy_outside, WordArguments, 32)
{
    copyAsync(a.output, a.first, 16);
    commitCopies();
    waitForCopies<0>();
}

KERNEL(fault_matrix_unaligned, WordArguments, 32)
{
    unsigned words[4];
    loadMatrices(sharedMemory() + 1, words);
    ((unsigned*)a.output)[threadIndex()] = words[0];
}

// Another warp's copies are read without a barrier behind the wait.
KERNEL(fault_copy_race, WordArguments, 64)
{
    float* shared = sharedMemory();
    copyAsync(shared + threadIndex() * 4, (const float*)a.first + threadIndex() * 4, 16);
    commitCopies();
    waitForCopies<0>();
    ((float*)a.output)[threadIndex()] = shared[(63 - threadIndex()) * 4];
}
