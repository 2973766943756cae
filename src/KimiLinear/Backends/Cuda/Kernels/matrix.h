// Products of rows of a bfloat16 matrix with vectors in float32.
#pragma once
#include "reduction.h"

// Columns of one load of 16 bytes.
constexpr int VectorColumns = 8;

// Adds to sums[row][token] this lane's share of Σ_c rows[row][c] · inputs[token · columns + c].
// Rows whose length is a whole number of vectors are read 16 bytes at a time, and then begin at a multiple of 16 bytes;
// inputs begin at one always.
template <int Rows, int Tokens>
DEVICE void addProducts(
    const bfloat16* const (&rows)[Rows], // [columns] each
    const float* inputs,                 // [Tokens, columns]
    int columns,
    float (&sums)[Rows][Tokens])
{
    if (columns % VectorColumns != 0)
    {
        for (int c = laneIndex(); c < columns; c += WarpSize)
        {
            for (int t = 0; t < Tokens; t++)
            {
                for (int r = 0; r < Rows; r++)
                {
                    sums[r][t] = fusedMultiplyAdd(toFloat(rows[r][c]), inputs[t * columns + c], sums[r][t]);
                }
            }
        }

        return;
    }

#pragma unroll 2
    for (int c = laneIndex() * VectorColumns; c < columns; c += WarpSize * VectorColumns)
    {
        UInt4 weights[Rows];
        for (int r = 0; r < Rows; r++)
        {
            weights[r] = *(const UInt4*)(rows[r] + c);
        }

        for (int t = 0; t < Tokens; t++)
        {
            Float4 low = *(const Float4*)(inputs + t * columns + c);
            Float4 high = *(const Float4*)(inputs + t * columns + c + 4);
            for (int r = 0; r < Rows; r++)
            {
                // Two values to a word, the earlier one in its low half.
                float sum = sums[r][t];
                sum = fusedMultiplyAdd(asFloat(weights[r].x << 16), low.x, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].x & 0xFFFF0000u), low.y, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].y << 16), low.z, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].y & 0xFFFF0000u), low.w, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].z << 16), high.x, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].z & 0xFFFF0000u), high.y, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].w << 16), high.z, sum);
                sum = fusedMultiplyAdd(asFloat(weights[r].w & 0xFFFF0000u), high.w, sum);
                sums[r][t] = sum;
            }
        }
    }
}

// Copies one row to shared memory, RMS-normed where there is a norm: y_c = norm_c · x_c / sqrt(mean x² + ε).
// Every thread of the block takes part; the values are there after the next barrier.
DEVICE void loadRow(
    const float* input, // [columns]
    const float* norm,  // [columns], or null
    int columns,
    float epsilon,
    float* scratch, // [warps]
    float* row)     // [columns]
{
    float scale = 1;
    if (norm)
    {
        float sumOfSquares = 0;
        for (int c = threadIndex(); c < columns; c += threadCount())
        {
            sumOfSquares = fusedMultiplyAdd(input[c], input[c], sumOfSquares);
        }

        scale = rmsScale(blockSum(sumOfSquares, scratch), columns, epsilon);
    }

    for (int c = threadIndex(); c < columns; c += threadCount())
    {
        row[c] = norm ? input[c] * scale * norm[c] : input[c];
    }
}
