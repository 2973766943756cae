// The first of the three kernels of multi-head latent attention: turns the queries and caches the new tokens' rows. Attention in
// the expanded form (expanded_attention.cu) takes its queries as they are, and needs the second half only.
//
//   cached row = RMSNorm(c) ‖ k_p                                 query = (K_hᵀ q_n ‖ q_p) · (Nope + P)^-1/2
// K_h are the rows h · (Nope + V) … of W_kv_b. The rows are float32 or bfloat16.
#include "latent_pages.h"

struct LatentPrepareArguments
{
    LatentPages cache;
    const float* projected;     // [T, H·(Nope + P) + R + P]
    const float* norm;          // [R]
    const bfloat16* keyValueUp; // [H·(Nope + V), R]
    float* queries;             // [T, H, R + P]
    int heads;                  // H
    int keyDim;                 // Nope
    int sharedDim;              // P
    int rank;                   // R
    int valueDim;               // V
    float epsilon;
};

DEVICE void appendLatent(const LatentPrepareArguments& a, int token, float* scratch)
{
    int rowLength = a.rank + a.sharedDim;
    long long projectedLength = (long long)a.heads * (a.keyDim + a.sharedDim) + rowLength;
    const float* latent = a.projected + (token + 1) * projectedLength - rowLength;
    float sumOfSquares = 0;
    for (int r = threadIndex(); r < a.rank; r += threadCount())
    {
        sumOfSquares = fusedMultiplyAdd(latent[r], latent[r], sumOfSquares);
    }

    float scale = rmsScale(blockSum(sumOfSquares, scratch), a.rank, a.epsilon);
    char* row = latentRow(a.cache, a.cache.sequences[token], a.cache.positions[token], rowLength);
    for (int r = threadIndex(); r < rowLength; r += threadCount())
    {
        float value = r < a.rank ? latent[r] * scale * a.norm[r] : latent[r];
        if (a.cache.isBFloat16)
        {
            ((bfloat16*)row)[r] = toBFloat16(value);
        }
        else
        {
            ((float*)row)[r] = value;
        }
    }
}

// Columns of W_kv_b that a warp has in its registers at a time, and how many of them are one lane's.
constexpr int ColumnsPerLane = VectorColumns;
constexpr int ColumnsAtOnce = ColumnsPerLane * WarpSize;

// The sum over a warp's share of the head's key rows, of ColumnsAtOnce columns from the first.
DEVICE void sumKeyRows(
    const LatentPrepareArguments& a,
    const float* query,   // [Nope]
    const bfloat16* keys, // [Nope, R]
    int first,
    float* sums) // [ColumnsAtOnce]
{
    bool isVector = a.rank % VectorColumns == 0;
    float partial[ColumnsPerLane] = {};
#pragma unroll 4
    for (int n = warpIndex(); n < a.keyDim; n += warpCount())
    {
        const bfloat16* row = keys + (long long)n * a.rank + first;
        if (isVector)
        {
            int column = laneIndex() * VectorColumns;
            UInt4 weights = first + column < a.rank ? *(const UInt4*)(row + column) : UInt4{};
#pragma unroll
            for (int i = 0; i < ColumnsPerLane; i++)
            {
                // Two values to a word, the earlier one in its low half.
                unsigned bits = i % 2 == 0 ? weights[i / 2] << 16 : weights[i / 2] & 0xFFFF0000u;
                partial[i] = fusedMultiplyAdd(query[n], asFloat(bits), partial[i]);
            }
        }
        else
        {
#pragma unroll
            for (int i = 0; i < ColumnsPerLane; i++)
            {
                int column = laneIndex() * ColumnsPerLane + i;
                float weight = first + column < a.rank ? toFloat(row[column]) : 0;
                partial[i] = fusedMultiplyAdd(query[n], weight, partial[i]);
            }
        }
    }

#pragma unroll
    for (int i = 0; i < ColumnsPerLane; i++)
    {
        sums[laneIndex() * ColumnsPerLane + i] = partial[i];
    }
}

DEVICE void absorbQuery(const LatentPrepareArguments& a, int token, int head, float* scratch) // [warps, ColumnsAtOnce]
{
    int rowLength = a.rank + a.sharedDim;
    int queryLength = a.keyDim + a.sharedDim;
    const float* query = a.projected + token * ((long long)a.heads * queryLength + rowLength) + head * queryLength;
    const bfloat16* keys = a.keyValueUp + (long long)head * (a.keyDim + a.valueDim) * a.rank;
    float* absorbed = a.queries + ((long long)token * a.heads + head) * rowLength;
    float scale = 1 / squareRoot((float)queryLength);
    for (int first = 0; first < a.rank; first += ColumnsAtOnce)
    {
        sumKeyRows(a, query, keys, first, scratch + warpIndex() * ColumnsAtOnce);
        barrier();
        for (int i = threadIndex(); i < ColumnsAtOnce && first + i < a.rank; i += threadCount())
        {
            float sum = 0;
            for (int warp = 0; warp < warpCount(); warp++)
            {
                sum += scratch[warp * ColumnsAtOnce + i];
            }

            absorbed[first + i] = sum * scale;
        }

        barrier();
    }

    for (int p = threadIndex(); p < a.sharedDim; p += threadCount())
    {
        absorbed[a.rank + p] = query[a.keyDim + p] * scale;
    }
}

// Grid [H + 1, T]: a block per head turns its query, the last one caches the token.
// Shared memory: [warps, 256] float32.
KERNEL(latent_prepare, LatentPrepareArguments, 256)
{
    if (blockX() < a.heads)
    {
        absorbQuery(a, blockY(), blockX(), sharedMemory());
    }
    else
    {
        appendLatent(a, blockY(), sharedMemory());
    }
}

// Grid [T]: caches each token and leaves the queries alone.
// Shared memory: [warps] float32.
KERNEL(latent_append, LatentPrepareArguments, 256) { appendLatent(a, blockX(), sharedMemory()); }
