// Attention over cached latent rows in the absorbed form, where all heads read the same row of R + P values; behind
// latent_prepare.cu, which turned the queries.
//
//   p = softmax(query · row over the tokens up to this one)       output_h = V_h · Σ_s p_s c_s
// V_h are the V rows behind K_h in W_kv_b, c_s the first R values of a row. A sequence's rows are split among blocks; what each
// of them finds is merged by its largest score and its sum of exponentials. Scores, softmax and sums are float32.
#include "latent_pages.h"

struct LatentAttendArguments
{
    LatentPages cache;
    const float* queries; // [T, H, R + P]
    float* sums;          // [T, H, splits, R]: Σ exp(score − max) · c; not written where a split has no tokens
    float* scales;        // [T, H, splits, 2]: max, and Σ exp(score − max); the second is 0 where a split has no tokens
    int heads;            // H
    int rank;             // R
    int rowLength;        // R + P
    int tileTokens;       // rows in shared memory at a time; divides 64, a multiple of 4
};

struct LatentCombineArguments
{
    const float* sums;          // [T, H, splits, R]
    const float* scales;        // [T, H, splits, 2]
    const bfloat16* keyValueUp; // [H·(Nope + V), R]
    float* output;              // [T, H·V]
    int heads;                  // H
    int keyDim;                 // Nope
    int rank;                   // R
    int valueDim;               // V
    int splits;
};

// Rows that are whole loads of 16 bytes are read so, and then the pages begin at multiples of 16 bytes.
DEVICE void loadTile(const LatentAttendArguments& a, int sequence, int start, int count, float* tile)
{
    // A tile never crosses a page, so its rows follow each other.
    const char* rows = latentRow(a.cache, sequence, start, a.rowLength);
    int values = count * a.rowLength;
    if (a.cache.isBFloat16 && a.rowLength % VectorColumns == 0)
    {
        for (int i = threadIndex() * VectorColumns; i < values; i += threadCount() * VectorColumns)
        {
            UInt4 bits = *(const UInt4*)((const bfloat16*)rows + i);
            UInt4 low = bits << 16;
            UInt4 high = bits & 0xFFFF0000u;
            *(Float4*)(tile + i) = Float4{asFloat(low.x), asFloat(high.x), asFloat(low.y), asFloat(high.y)};
            *(Float4*)(tile + i + 4) = Float4{asFloat(low.z), asFloat(high.z), asFloat(low.w), asFloat(high.w)};
        }
    }
    else if (!a.cache.isBFloat16 && a.rowLength % 4 == 0)
    {
        for (int i = threadIndex() * 4; i < values; i += threadCount() * 4)
        {
            *(Float4*)(tile + i) = *(const Float4*)((const float*)rows + i);
        }
    }
    else
    {
        for (int i = threadIndex(); i < values; i += threadCount())
        {
            tile[i] = a.cache.isBFloat16 ? toFloat(((const bfloat16*)rows)[i]) : ((const float*)rows)[i];
        }
    }
}

// One warp's heads: what they have summed so far, every 32nd value per lane.
template <int Heads, int PerLane>
struct HeadSums
{
    float query[Heads][PerLane];
    float sum[Heads][PerLane];
    float max[Heads];
    float total[Heads];
};

constexpr int TokensAtOnce = 4;

// Four tokens of the tile; those past the count have no part.
template <int Heads, int PerLane>
DEVICE void attendRows(const float* rows, int count, int rowLength, HeadSums<Heads, PerLane>& heads)
{
    float scores[Heads][TokensAtOnce] = {};
#pragma unroll
    for (int i = 0; i < PerLane; i++)
    {
        int column = laneIndex() + i * WarpSize;
#pragma unroll
        for (int s = 0; s < TokensAtOnce; s++)
        {
            float value = column < rowLength && s < count ? rows[s * rowLength + column] : 0;
#pragma unroll
            for (int h = 0; h < Heads; h++)
            {
                scores[h][s] = fusedMultiplyAdd(heads.query[h][i], value, scores[h][s]);
            }
        }
    }

#pragma unroll
    for (int h = 0; h < Heads; h++)
    {
        float max = heads.max[h];
#pragma unroll
        for (int s = 0; s < TokensAtOnce; s++)
        {
            float score = warpSum(scores[h][s]);
            scores[h][s] = s < count ? score : -Infinity;
            max = scores[h][s] > max ? scores[h][s] : max;
        }

        float decay = max == -Infinity ? 1 : exponential(heads.max[h] - max);
        heads.max[h] = max;
        heads.total[h] *= decay;
#pragma unroll
        for (int s = 0; s < TokensAtOnce; s++)
        {
            scores[h][s] = s < count ? exponential(scores[h][s] - max) : 0;
            heads.total[h] += scores[h][s];
        }

#pragma unroll
        for (int i = 0; i < PerLane; i++)
        {
            heads.sum[h][i] *= decay;
        }
    }

#pragma unroll
    for (int i = 0; i < PerLane; i++)
    {
        int column = laneIndex() + i * WarpSize;
#pragma unroll
        for (int s = 0; s < TokensAtOnce; s++)
        {
            float value = column < rowLength && s < count ? rows[s * rowLength + column] : 0;
#pragma unroll
            for (int h = 0; h < Heads; h++)
            {
                heads.sum[h][i] = fusedMultiplyAdd(scores[h][s], value, heads.sum[h][i]);
            }
        }
    }
}

// Shorter runs would cost more to combine than they save.
constexpr int MinTokensPerSplit = 64;

// Grid [splits, groups of heads, T]; a warp has `Heads` heads. A block takes a run of whole tiles of the sequence's tokens; when
// the sequence is short the last blocks have none.
// Shared memory: [tileTokens, R + P] float32.
template <int Heads, int PerLane>
DEVICE void latentAttend(const LatentAttendArguments& a)
{
    int splits = gridX();
    int token = blockZ();
    int sequence = a.cache.sequences[token];
    int length = a.cache.positions[token] + 1;
    int tilesPerSplit = ceilingDivide(ceilingDivide(length, a.tileTokens), splits);
    int fewest = ceilingDivide(MinTokensPerSplit, a.tileTokens);
    tilesPerSplit = tilesPerSplit > fewest ? tilesPerSplit : fewest;
    long long begin = (long long)blockX() * tilesPerSplit * a.tileTokens;
    long long end = begin + (long long)tilesPerSplit * a.tileTokens;
    end = end < length ? end : length;

    int firstHead = (blockY() * warpCount() + warpIndex()) * Heads;
    HeadSums<Heads, PerLane> heads;
#pragma unroll
    for (int h = 0; h < Heads; h++)
    {
        int head = firstHead + h < a.heads ? firstHead + h : a.heads - 1;
        const float* query = a.queries + ((long long)token * a.heads + head) * a.rowLength;
        heads.max[h] = -Infinity;
        heads.total[h] = 0;
#pragma unroll
        for (int i = 0; i < PerLane; i++)
        {
            int column = laneIndex() + i * WarpSize;
            heads.query[h][i] = column < a.rowLength ? query[column] : 0;
            heads.sum[h][i] = 0;
        }
    }

    float* tile = sharedMemory();
    for (long long start = begin; start < end; start += a.tileTokens)
    {
        int count = (int)(end - start < a.tileTokens ? end - start : a.tileTokens);
        loadTile(a, sequence, (int)start, count, tile);
        barrier();
        for (int s = 0; s < count; s += TokensAtOnce)
        {
            attendRows(tile + s * a.rowLength, count - s, a.rowLength, heads);
        }

        barrier();
    }

#pragma unroll
    for (int h = 0; h < Heads; h++)
    {
        if (firstHead + h < a.heads)
        {
            long long place = ((long long)token * a.heads + firstHead + h) * splits + blockX();
#pragma unroll
            for (int i = 0; i < PerLane; i++)
            {
                int column = laneIndex() + i * WarpSize;
                if (column < a.rank && begin < end)
                {
                    a.sums[place * a.rank + column] = heads.sum[h][i];
                }
            }

            if (laneIndex() == 0)
            {
                a.scales[place * 2] = heads.max[h];
                a.scales[place * 2 + 1] = heads.total[h];
            }
        }
    }
}

KERNEL(latent_attend_128, LatentAttendArguments, 256) { latentAttend<4, 4>(a); }
KERNEL(latent_attend_288, LatentAttendArguments, 256) { latentAttend<4, 9>(a); }
KERNEL(latent_attend_576, LatentAttendArguments, 256) { latentAttend<4, 18>(a); }
KERNEL(latent_attend_1152, LatentAttendArguments, 256) { latentAttend<2, 36>(a); }

// Grid [H, T]. Merges the splits, then projects up to the head's value.
// Shared memory: [R, rounded up to 4] + [splits] float32.
KERNEL(latent_combine, LatentCombineArguments, 256)
{
    int head = blockX();
    long long place = ((long long)blockY() * a.heads + head) * a.splits;
    const float* scales = a.scales + place * 2;
    float* latent = sharedMemory();
    float* factors = latent + ceilingDivide(a.rank, 4) * 4;
    float max = -Infinity;
    for (int i = 0; i < a.splits; i++)
    {
        max = scales[i * 2 + 1] > 0 && scales[i * 2] > max ? scales[i * 2] : max;
    }

    for (int i = threadIndex(); i < a.splits; i += threadCount())
    {
        factors[i] = scales[i * 2 + 1] == 0 ? 0 : exponential(scales[i * 2] - max);
    }

    barrier();
    float total = 0;
    for (int i = 0; i < a.splits; i++)
    {
        total = fusedMultiplyAdd(factors[i], scales[i * 2 + 1], total);
    }

    for (int r = threadIndex(); r < a.rank; r += threadCount())
    {
        float sum = 0;
        for (int i = 0; i < a.splits; i++)
        {
            if (factors[i] != 0)
            {
                sum = fusedMultiplyAdd(factors[i], a.sums[(place + i) * a.rank + r], sum);
            }
        }

        latent[r] = sum / total;
    }

    barrier();
    for (int v = warpIndex(); v < a.valueDim; v += warpCount())
    {
        long long row = (long long)head * (a.keyDim + a.valueDim) + a.keyDim + v;
        const bfloat16* rows[1] = {a.keyValueUp + row * a.rank};
        float sums[1][1] = {};
        addProducts(rows, latent, a.rank, sums);
        float sum = warpSum(sums[0][0]);
        if (laneIndex() == 0)
        {
            a.output[((long long)blockY() * a.heads + head) * a.valueDim + v] = sum;
        }
    }
}
