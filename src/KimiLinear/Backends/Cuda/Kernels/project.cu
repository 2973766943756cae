// output[t, x] = Σ_c weight[x, c] · n[t, c], with n the RMS norm of the input or the input itself; or added to what is there.
// Serves every projection: stacked ones behind a norm, the router, the output projections that add to the residual stream, the
// down projection of a dense layer, and the head, which takes chosen rows.
//
// Grid [X / (2 · warps), T / tile], rounded up. A block holds the vectors of one tile of tokens; a warp takes two rows at a time.
// Shared memory: [warps, rounded up to 4] + [tile, C] float32.
#include "matrix.h"

struct ProjectArguments
{
    const float* input;     // [rows, C]
    const float* norm;      // [C], or null
    const bfloat16* weight; // [X, C]
    const int* rows;        // [T], which rows of the input; null: the first T
    float* output;          // [T, X]
    int columns;            // C
    int outputs;            // X
    int tokens;             // T
    int adds;               // 1: to what the output holds
    float epsilon;
};

constexpr int RowsPerWarp = 2;

template <int Tokens>
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
    const bfloat16* rows[RowsPerWarp];
    float sums[RowsPerWarp][Tokens];
#pragma unroll
    for (int r = 0; r < RowsPerWarp; r++)
    {
        int row = first + r < a.outputs ? first + r : a.outputs - 1;
        rows[r] = a.weight + (long long)row * a.columns;
#pragma unroll
        for (int t = 0; t < Tokens; t++)
        {
            sums[r][t] = 0;
        }
    }

    addProducts(rows, inputs, a.columns, sums);
#pragma unroll
    for (int r = 0; r < RowsPerWarp; r++)
    {
#pragma unroll
        for (int t = 0; t < Tokens; t++)
        {
            float sum = warpSum(sums[r][t]);
            if (laneIndex() == 0 && first + r < a.outputs && firstToken + t < a.tokens)
            {
                float* output = a.output + (long long)(firstToken + t) * a.outputs + first + r;
                *output = a.adds ? *output + sum : sum;
            }
        }
    }
}

KERNEL(project_1, ProjectArguments, 256) { project<1>(a); }
KERNEL(project_2, ProjectArguments, 256) { project<2>(a); }
KERNEL(project_4, ProjectArguments, 256) { project<4>(a); }
KERNEL(project_8, ProjectArguments, 256) { project<8>(a); }
