// output[t, c] = norm[c] · input[t, c] / sqrt(mean_c input[t]² + ε). One block per token; shared memory [warps].
// Input and output may be the same.
#include "reduction.h"

struct RmsNormArguments
{
    const float* input; // [T, C]
    const float* norm;  // [C]
    float* output;      // [T, C]
    int columns;        // C
    float epsilon;
};

KERNEL(rms_norm, RmsNormArguments, 256)
{
    const float* input = a.input + (long long)blockX() * a.columns;
    float* output = a.output + (long long)blockX() * a.columns;
    float sumOfSquares = 0;
    for (int c = threadIndex(); c < a.columns; c += threadCount())
    {
        sumOfSquares = fusedMultiplyAdd(input[c], input[c], sumOfSquares);
    }

    float scale = rmsScale(blockSum(sumOfSquares, sharedMemory()), a.columns, a.epsilon);
    for (int c = threadIndex(); c < a.columns; c += threadCount())
    {
        output[c] = input[c] * scale * a.norm[c];
    }
}
