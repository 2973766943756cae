// parts[p, t, c]: row rows[t] of the input, RMS-normed where there is a norm, as one or two bfloat16 parts whose sum it is.
//
// Grid [T / warps, rounded up]; a warp takes one token. C is a multiple of 8, all addresses multiples of 16. No shared memory.
#include "parts.h"
#include "reduction.h"

struct SplitRowsArguments
{
    const float* input; // [rows, C]
    const float* norm;  // [C], or null
    const int* rows;    // [T], which rows of the input; null: the first T
    bfloat16* parts;    // [P, T, C]
    int columns;        // C
    int tokens;         // T
    int partCount;      // P
    float epsilon;
};

// Columns of one load of a lane.
constexpr int LaneColumns = 8;

KERNEL(split_rows, SplitRowsArguments, 256)
{
    int token = blockX() * warpCount() + warpIndex();
    if (token >= a.tokens)
    {
        return;
    }

    const float* input = a.input + (long long)(a.rows ? a.rows[token] : token) * a.columns;
    float scale = 1;
    if (a.norm)
    {
        float sumOfSquares = 0;
        for (int c = laneIndex() * LaneColumns; c < a.columns; c += WarpSize * LaneColumns)
        {
#pragma unroll
            for (int i = 0; i < LaneColumns; i += 4)
            {
                Float4 x = *(const Float4*)(input + c + i);
                sumOfSquares = fusedMultiplyAdd(x.x, x.x, sumOfSquares);
                sumOfSquares = fusedMultiplyAdd(x.y, x.y, sumOfSquares);
                sumOfSquares = fusedMultiplyAdd(x.z, x.z, sumOfSquares);
                sumOfSquares = fusedMultiplyAdd(x.w, x.w, sumOfSquares);
            }
        }

        scale = rmsScale(warpSum(sumOfSquares), a.columns, a.epsilon);
    }

    bfloat16* output = a.parts + (long long)token * a.columns;
    for (int c = laneIndex() * LaneColumns; c < a.columns; c += WarpSize * LaneColumns)
    {
        Float4 low = *(const Float4*)(input + c);
        Float4 high = *(const Float4*)(input + c + 4);
        if (a.norm)
        {
            low = low * scale * *(const Float4*)(a.norm + c);
            high = high * scale * *(const Float4*)(a.norm + c + 4);
        }

        float values[LaneColumns] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int p = 0; p < 2; p++)
        {
            if (p < a.partCount)
            {
                UInt4 words;
                words.x = takeParts(values[0], values[1]);
                words.y = takeParts(values[2], values[3]);
                words.z = takeParts(values[4], values[5]);
                words.w = takeParts(values[6], values[7]);
                *(UInt4*)(output + (long long)p * a.tokens * a.columns + c) = words;
            }
        }
    }
}
