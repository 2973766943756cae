// Sums over the lanes of a warp and the threads of a block. Every thread gets the same bits.
#pragma once
#include "arithmetic.h"

DEVICE float warpSum(float value)
{
    for (int mask = WarpSize / 2; mask > 0; mask /= 2)
    {
        value += shuffleXor(value, mask);
    }

    return value;
}

// The sum over the block. The scratch holds one value per warp and may be used again at once.
DEVICE float blockSum(float value, float* scratch) // [warps]
{
    value = warpSum(value);
    if (laneIndex() == 0)
    {
        scratch[warpIndex()] = value;
    }

    barrier();
    float sum = 0;
    for (int i = 0; i < warpCount(); i++)
    {
        sum += scratch[i];
    }

    barrier();
    return sum;
}

// The factor of an RMS norm: 1 / sqrt(mean x² + ε), from Σ x².
DEVICE float rmsScale(float sumOfSquares, int count, float epsilon)
{
    return 1 / squareRoot(sumOfSquares / count + epsilon);
}
