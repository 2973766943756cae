// The pairs M and P of a chunk's tokens, as delta_chunk.cu describes.
#pragma once
#include "delta_chunks.h"
#include "padded_rows.h"
#include "parts.h"

constexpr int BlockTokens = 16;
constexpr int ChunkBlocks = ChunkTokens / BlockTokens;

// Shared memory of a chunk. Once decays are applied, queries and keys hold q_i and k_i times the decays of their block up to and
// with i, and decays hold k_j times those of its block behind j.
struct PairMemory
{
    float* queries;     // [64, stride]
    float* keys;        // [64, stride]
    float* decays;      // [64, stride]
    float* keyPairs;    // M by blocks of 16 later tokens i, in each [16 · (block + 1) earlier ones, 16]
    float* blockDecays; // [4, K], those of whole blocks
    float* betas;       // [64]
    int headDim;
    int stride;
};

DEVICE PairMemory pairMemory(int headDim)
{
    // Rows of one column lie four banks apart.
    PairMemory memory;
    memory.headDim = headDim;
    memory.stride = headDim + 4;
    memory.queries = sharedMemory();
    memory.keys = memory.queries + ChunkTokens * memory.stride;
    memory.decays = memory.keys + ChunkTokens * memory.stride;
    memory.keyPairs = memory.decays + ChunkTokens * memory.stride;
    memory.blockDecays = memory.keyPairs + ChunkBlocks * (ChunkBlocks + 1) / 2 * BlockTokens * BlockTokens;
    memory.betas = memory.blockDecays + ChunkBlocks * headDim;
    return memory;
}

DEVICE float* keyPairsOf(const PairMemory& memory, int block)
{
    return memory.keyPairs + block * (block + 1) / 2 * BlockTokens * BlockTokens;
}

// The decay of one channel over the blocks from the first to before the end.
DEVICE float decayOver(const PairMemory& memory, int first, int end, int channel)
{
    float product = 1;
    for (int block = first; block < end; block++)
    {
        product *= memory.blockDecays[block * memory.headDim + channel];
    }

    return product;
}

// Gives half of the values away and adds what comes back to the others.
template <int Half>
DEVICE void foldLanes(float (&values)[WarpSize])
{
    bool isUpper = (laneIndex() & Half) != 0;
#pragma unroll
    for (int i = 0; i < Half; i++)
    {
        float low = values[i];
        float high = values[i + Half];
        values[i] = (isUpper ? high : low) + shuffleXor(isUpper ? low : high, Half);
    }
}

// Of 32 values of every lane the sum over the lanes: lane l gets that of value l.
DEVICE float sumToLanes(float (&values)[WarpSize])
{
    foldLanes<16>(values);
    foldLanes<8>(values);
    foldLanes<4>(values);
    foldLanes<2>(values);
    foldLanes<1>(values);
    return values[0];
}

// Pairs inside a block: a warp takes an earlier token j and all i of its block.
DEVICE void pairInside(const DeltaChunks& chunks, long long place, const PairMemory& memory)
{
    for (int j = warpIndex(); j < ChunkTokens; j += warpCount())
    {
        int block = j / BlockTokens;
        int first = block * BlockTokens;
        float sums[2 * BlockTokens] = {};
        for (int c = laneIndex(); c < memory.headDim; c += WarpSize)
        {
            float key = memory.keys[j * memory.stride + c];
#pragma unroll
            for (int i = 0; i < BlockTokens; i++)
            {
                if (first + i >= j)
                {
                    int at = (first + i) * memory.stride + c;
                    key *= first + i > j ? memory.decays[at] : 1;
                    sums[i] = fusedMultiplyAdd(memory.keys[at], key, sums[i]);
                    sums[BlockTokens + i] = fusedMultiplyAdd(memory.queries[at], key, sums[BlockTokens + i]);
                }
            }
        }

        float sum = sumToLanes(sums);
        int i = laneIndex() % BlockTokens;
        if (laneIndex() < BlockTokens)
        {
            keyPairsOf(memory, block)[j * BlockTokens + i] = sum;
        }
        else
        {
#pragma unroll
            for (int p = 0; p < ChunkParts; p++)
            {
                chunkPairs(chunks, place, p)[j * ChunkTokens + first + i] = takePart(sum);
            }
        }
    }
}

DEVICE void applyDecays(const PairMemory& memory)
{
    for (int item = threadIndex(); item < ChunkBlocks * memory.headDim; item += threadCount())
    {
        int channel = item % memory.headDim;
        int block = item / memory.headDim;
        int at = block * BlockTokens * memory.stride + channel;
        float keys[BlockTokens];
        float decays[BlockTokens];
        float product = 1;
#pragma unroll
        for (int i = 0; i < BlockTokens; i++)
        {
            keys[i] = memory.keys[at + i * memory.stride];
            decays[i] = memory.decays[at + i * memory.stride];
            product *= decays[i];
            memory.keys[at + i * memory.stride] = keys[i] * product;
            memory.queries[at + i * memory.stride] *= product;
        }

        memory.blockDecays[item] = product;
        product = 1;
#pragma unroll
        for (int i = BlockTokens - 1; i >= 0; i--)
        {
            memory.decays[at + i * memory.stride] = keys[i] * product;
            product *= decays[i];
        }
    }
}

// Two neighbouring values of a row as the words of a factor.
DEVICE void takeWords(Float2 pair, unsigned& first, unsigned& second)
{
    float x = pair.x;
    float y = pair.y;
    first = takeParts(x, y);
    second = takeParts(x, y);
}

// The product of a block of earlier tokens, as outputs' rows, with a later block's keys or queries.
DEVICE void addPairs(
    const PairMemory& memory, int block, int channel, const float* later, const unsigned (&left)[ChunkParts][4], float (&sums)[2][4])
{
    unsigned right[ChunkParts][4];
#pragma unroll
    for (int word = 0; word < 4; word++)
    {
        int row = block * BlockTokens + word / 2 * 8 + laneIndex() / 4;
        int column = channel + word % 2 * 8 + laneIndex() % 4 * 2;
        takeWords(*(const Float2*)(later + row * memory.stride + column), right[0][word], right[1][word]);
    }

    multiplyParts<ChunkParts>(left, right, sums[0], sums[1]);
}

// Pairs of an earlier block with a later one, a warp to a pair of blocks.
DEVICE void pairAcross(const DeltaChunks& chunks, long long place, const PairMemory& memory)
{
    constexpr int PairCount = ChunkBlocks * (ChunkBlocks - 1) / 2;
    for (int pair = warpIndex(); pair < PairCount; pair += warpCount())
    {
        int block = pair < 1 ? 1 : pair < 3 ? 2 : 3;
        int earlier = pair - block * (block - 1) / 2;
        float keys[2][4] = {};
        float queries[2][4] = {};
        for (int channel = 0; channel < memory.headDim; channel += MatrixColumns)
        {
            unsigned left[ChunkParts][4];
#pragma unroll
            for (int word = 0; word < 4; word++)
            {
                int row = earlier * BlockTokens + word % 2 * 8 + laneIndex() / 4;
                int column = channel + word / 2 * 8 + laneIndex() % 4 * 2;
                Float2 key = *(const Float2*)(memory.decays + row * memory.stride + column);
                Float2 between = {
                    decayOver(memory, earlier + 1, block, column), decayOver(memory, earlier + 1, block, column + 1)};
                takeWords(key * between, left[0][word], left[1][word]);
            }

            addPairs(memory, block, channel, memory.keys, left, keys);
            addPairs(memory, block, channel, memory.queries, left, queries);
        }

#pragma unroll
        for (int n = 0; n < 2; n++)
        {
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                int j = earlier * BlockTokens + half * 8 + laneIndex() / 4;
                int i = n * MatrixOutputs + laneIndex() % 4 * 2;
                Float2 two = {keys[n][half * 2], keys[n][half * 2 + 1]};
                *(Float2*)(keyPairsOf(memory, block) + j * BlockTokens + i) = two;
                unsigned words[ChunkParts];
                takeWords(Float2{queries[n][half * 2], queries[n][half * 2 + 1]}, words[0], words[1]);
#pragma unroll
                for (int p = 0; p < ChunkParts; p++)
                {
                    *(unsigned*)(chunkPairs(chunks, place, p) + j * ChunkTokens + block * BlockTokens + i) = words[p];
                }
            }
        }
    }
}
