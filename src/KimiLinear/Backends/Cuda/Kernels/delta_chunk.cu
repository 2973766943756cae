// A chunk of tokens of Kimi Delta Attention by itself, for one head: convolution, norms and decays, then everything that
// delta_chunks.h names and that does not need the state.
//
// The pairs of tokens are taken in blocks of 16. Inside a block the decay between two tokens is multiplied up token by token.
// Between blocks it is cut at the beginning of the later one: k_i times the decays of its block up to i, and k_j times those of
// its block behind j, times those of whole blocks between; that is a product of matrices. W and U follow by forward
// substitution in float32, a thread to a column.
//
// Grid [chunks, H], 256 threads. Shared memory: [3, 64, K + 4] + [2560] + [4, K] + [64] float32.
#include "convolution.h"
#include "delta_chunks.h"
#include "delta_pairs.h"

struct DeltaChunkArguments
{
    DeltaChunks chunks;
    const float* projected;   // [T, 3·H·K + G_f + G_g + H] of one sequence: q, k, v, f, g, b
    const float* decayLogits; // [T, H·K]: W_fb f
    const float* queryTaps;   // [W, H·K]
    const float* keyTaps;     // [W, H·K]
    const float* valueTaps;   // [W, H·K]
    const float* decayLog;    // [H]
    const float* decayBias;   // [H·K]
    const float* tail;        // [W − 1, 3·H·K], the inputs before the first token
    int heads;                // H
    int headDim;              // K, a multiple of 16, at most 128
    int taps;                 // W, at most 4
    int rowLength;            // 3·H·K + G_f + G_g + H
    int tokens;               // T
};

constexpr float L2NormEpsilon = 1e-6f;

DEVICE ConvolutionInput inputOf(const DeltaChunkArguments& a, int part, int channel)
{
    const float* taps = part == 0 ? a.queryTaps : part == 1 ? a.keyTaps : a.valueTaps;
    int width = a.heads * a.headDim;
    int column = part * width + channel;
    return {a.projected + column, a.tail + column, taps + channel, a.rowLength, width, a.taps, a.tokens};
}

// Queries, keys and decays of the chunk. Behind the last token there are keys of zero, and decays of one.
DEVICE void loadTokens(const DeltaChunkArguments& a, int firstToken, const PairMemory& memory)
{
    int head = blockY();
    for (int i = threadIndex(); i < 2 * a.headDim * ChunkBlocks; i += threadCount())
    {
        int channel = i % a.headDim;
        int part = i / a.headDim % 2;
        int row = i / (2 * a.headDim) * BlockTokens;
        float* rows = (part == 0 ? memory.queries : memory.keys) + row * memory.stride + channel;
        ConvolutionInput input = inputOf(a, part, head * a.headDim + channel);
        Convolution convolution = beginConvolution(input, firstToken + row);
        for (int t = 0; t < BlockTokens; t++)
        {
            rows[t * memory.stride] = convolve(input, firstToken + row + t, convolution);
        }
    }

    float rate = exponential(a.decayLog[head]);
    for (int i = threadIndex(); i < ChunkTokens * a.headDim; i += threadCount())
    {
        int row = i / a.headDim;
        int channel = i % a.headDim;
        int column = head * a.headDim + channel;
        float decay = 1;
        if (firstToken + row < a.tokens)
        {
            float logit = a.decayLogits[(long long)(firstToken + row) * a.heads * a.headDim + column];
            decay = exponential(-rate * softplus(logit + a.decayBias[column]));
        }

        memory.decays[row * memory.stride + channel] = decay;
    }

    for (int row = threadIndex(); row < ChunkTokens; row += threadCount())
    {
        int token = firstToken + row;
        const float* betas = a.projected + a.rowLength - a.heads;
        memory.betas[row] = token < a.tokens ? sigmoid(betas[(long long)token * a.rowLength + head]) : 0;
    }
}

DEVICE void normalizeRows(const PairMemory& memory, int headDim)
{
    for (int i = warpIndex(); i < 2 * ChunkTokens; i += warpCount())
    {
        bool isQuery = i < ChunkTokens;
        float* row = (isQuery ? memory.queries : memory.keys) + i % ChunkTokens * memory.stride;
        float sum = 0;
        for (int c = laneIndex(); c < headDim; c += WarpSize)
        {
            sum = fusedMultiplyAdd(row[c], row[c], sum);
        }

        float scale = isQuery ? 1 / squareRoot((float)headDim) : 1;
        scale /= squareRoot(warpSum(sum) + L2NormEpsilon);
        for (int c = laneIndex(); c < headDim; c += WarpSize)
        {
            row[c] *= scale;
        }
    }
}

// Q and K of the chunk, and what the whole chunk leaves of the state.
DEVICE void storeRows(const DeltaChunkArguments& a, long long place, const PairMemory& memory)
{
    int pairs = a.headDim / 2;
    for (int i = threadIndex(); i < ChunkTokens * pairs; i += threadCount())
    {
        int row = i / pairs;
        int channel = i % pairs * 2;
        int block = row / BlockTokens;
        Float2 query = *(const Float2*)(memory.queries + row * memory.stride + channel);
        Float2 key = *(const Float2*)(memory.decays + row * memory.stride + channel);
        Float2 before = {decayOver(memory, 0, block, channel), decayOver(memory, 0, block, channel + 1)};
        Float2 behind = {
            decayOver(memory, block + 1, ChunkBlocks, channel), decayOver(memory, block + 1, ChunkBlocks, channel + 1)};
        unsigned queryWords[ChunkParts];
        unsigned keyWords[ChunkParts];
        takeWords(query * before, queryWords[0], queryWords[1]);
        takeWords(key * behind, keyWords[0], keyWords[1]);
#pragma unroll
        for (int p = 0; p < ChunkParts; p++)
        {
            int at = row * a.headDim + channel;
            *(unsigned*)(chunkRows(a.chunks, place, a.headDim, DeltaRowQ, p) + at) = queryWords[p];
            *(unsigned*)(chunkRows(a.chunks, place, a.headDim, DeltaRowK, p) + at) = keyWords[p];
        }
    }

    for (int c = threadIndex(); c < a.headDim; c += threadCount())
    {
        a.chunks.decays[place * a.headDim + c] = decayOver(memory, 0, ChunkBlocks, c);
    }
}

// Adds what an earlier token has to do with 16 later ones.
DEVICE void addEarlier(const float* pairs, float x, float (&sums)[BlockTokens])
{
#pragma unroll
    for (int r = 0; r < BlockTokens; r += 4)
    {
        Float4 four = *(const Float4*)(pairs + r);
        sums[r] = fusedMultiplyAdd(four.x, x, sums[r]);
        sums[r + 1] = fusedMultiplyAdd(four.y, x, sums[r + 1]);
        sums[r + 2] = fusedMultiplyAdd(four.z, x, sums[r + 2]);
        sums[r + 3] = fusedMultiplyAdd(four.w, x, sums[r + 3]);
    }
}

// One column of W or of U; the rows that are done lie in its column of the keys or the queries, which nobody else needs any more.
DEVICE void substitute(const DeltaChunkArguments& a, int firstToken, long long place, int column, const PairMemory& memory)
{
    bool isValue = column >= a.headDim;
    int channel = column % a.headDim;
    float* done = (isValue ? memory.queries : memory.keys) + channel;
    ConvolutionInput input = inputOf(a, 2, blockY() * a.headDim + channel);
    Convolution values = beginConvolution(input, firstToken);
    for (int block = 0; block < ChunkBlocks; block++)
    {
        const float* pairs = keyPairsOf(memory, block);
        float sums[BlockTokens] = {};
        for (int j = 0; j < block * BlockTokens; j++)
        {
            addEarlier(pairs + j * BlockTokens, done[j * memory.stride], sums);
        }

        float before = decayOver(memory, 0, block, channel);
#pragma unroll
        for (int r = 0; r < BlockTokens; r++)
        {
            int row = block * BlockTokens + r;
            float own = isValue ? convolve(input, firstToken + row, values) : done[row * memory.stride] * before;
            float x = memory.betas[row] * (own - sums[r]);
            done[row * memory.stride] = x;

            // Pairs of a token with itself or a later one have no part; what they add to is not read again.
            addEarlier(pairs + row * BlockTokens, x, sums);
            if (isValue)
            {
                a.chunks.values[(place * ChunkTokens + row) * a.headDim + channel] = x;
            }
            else
            {
                bfloat16* rows = chunkRows(a.chunks, place, a.headDim, DeltaRowW, 0) + row * a.headDim + channel;
                rows[0] = takePart(x);
                rows[ChunkTokens * a.headDim] = takePart(x);
            }
        }
    }
}

KERNEL(delta_chunk, DeltaChunkArguments, 256)
{
    int firstToken = blockX() * ChunkTokens;
    long long place = (long long)blockX() * a.heads + blockY();
    PairMemory memory = pairMemory(a.headDim);
    loadTokens(a, firstToken, memory);
    barrier();
    normalizeRows(memory, a.headDim);
    barrier();
    pairInside(a.chunks, place, memory);
    barrier();
    applyDecays(memory);
    barrier();
    pairAcross(a.chunks, place, memory);
    storeRows(a, place, memory);
    barrier();
    for (int column = threadIndex(); column < 2 * a.headDim; column += threadCount())
    {
        substitute(a, firstToken, place, column, memory);
    }
}
