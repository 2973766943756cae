// output[t, x] = Σ_c weight[x, c] · n[t, c], with n the RMS norm of the input or the input itself; or added to what is there.
// Serves every projection: stacked ones behind a norm, the router, the output projections that add to the residual stream, the
// down projection of a dense layer, and the head, which takes chosen rows.
//
// Grid [X / (2 · warps), T / tile], rounded up. A block holds the vectors of one tile of tokens; a warp takes two rows at a time.
// Shared memory: [warps, rounded up to 4] + [tile, C] float32.
#pragma once
#include "weight_products.h"

struct ProjectArguments
{
    const float* input;     // [rows, C]
    const float* norm;      // [C], or null
    WeightMatrix weight;    // [X, C]
    const int* rows;        // [T], which rows of the input; null: the first T
    float* output;          // [T, stride]
    int columns;            // C
    int outputs;            // X
    int outputStride;       // values from one token's outputs to the next's
    int tokens;             // T
    int adds;               // 1: to what the output holds
    float epsilon;
};

constexpr int RowsPerWarp = 2;

template <typename Format, int Tokens>
DEVICE void project(const ProjectArguments& a)
{
    float* scratch = sharedMemory();
    float* inputs = scratch + ceilingDivide(warpCount(), 4) * 4;
    int firstToken = blockY() * Tokens;
#pragma unroll
    for (int t = 0; t < Tokens; t++)
    {
        // What stands past the last token is computed from that one and not stored.
        int token = firstToken + t < a.tokens ? firstToken + t : a.tokens - 1;
        int row = a.rows ? a.rows[token] : token;
        loadRow(a.input + (long long)row * a.columns, a.norm, a.columns, a.epsilon, scratch, inputs + t * a.columns);
    }

    barrier();
    int first = (blockX() * warpCount() + warpIndex()) * RowsPerWarp;
    long long rows[RowsPerWarp];
    float sums[RowsPerWarp][Tokens];
#pragma unroll
    for (int r = 0; r < RowsPerWarp; r++)
    {
        rows[r] = first + r < a.outputs ? first + r : a.outputs - 1;
#pragma unroll
        for (int t = 0; t < Tokens; t++)
        {
            sums[r][t] = 0;
        }
    }

    addProducts<Format>(a.weight, rows, inputs, a.columns, sums);
#pragma unroll
    for (int r = 0; r < RowsPerWarp; r++)
    {
#pragma unroll
        for (int t = 0; t < Tokens; t++)
        {
            float sum = rowSum<Format>(a.weight, rows[r], sums[r][t]);
            if (laneIndex() == 0 && first + r < a.outputs && firstToken + t < a.tokens)
            {
                float* output = a.output + (long long)(firstToken + t) * a.outputStride + first + r;
                *output = a.adds ? *output + sum : sum;
            }
        }
    }
}
