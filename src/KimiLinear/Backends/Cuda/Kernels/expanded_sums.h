// What a warp keeps of its tokens in expanded attention: the online softmax.
#pragma once
#include "padded_rows.h"

struct ExpandedAttendArguments
{
    const float* projected;     // [T, H·(Nope + P) + R + P]
    const bfloat16* keyValues;  // [parts, S, H·(Nope + V)]
    const bfloat16* sharedKeys; // [parts, S, P]
    float* output;              // [T, H·V]
    float* scales;              // [T, H, 2]
    int heads;                  // H
    int keyDim;                 // Nope, a multiple of 8
    int sharedDim;              // P, a multiple of 8
    int valueDim;               // V, a multiple of 8, at most 128
    int projectedLength;        // H·(Nope + P) + R + P
    int tokens;                 // T
    int position;               // of the first token in its sequence
    int firstKey;               // position of the first key of the run
    int keys;                   // S: a multiple of 64, or up to the last token
};

constexpr int KeyTile = 64;
constexpr int MaxValueDim = 128;

// A warp's tokens, by sixteen, with what a lane holds of them: rows lane / 4 and lane / 4 + 8.
template <int RowTiles>
struct ExpandedSums
{
    float values[RowTiles][MaxValueDim / MatrixOutputs][4];
    float max[RowTiles][2];
    float total[RowTiles][2];
};

// Scores of later tokens become −∞: a lane's row sees as many keys of the tile as it says.
DEVICE void hideLater(int visible, int half, float (&scores)[KeyTile / MatrixOutputs][4])
{
#pragma unroll
    for (int n = 0; n < KeyTile / MatrixOutputs; n++)
    {
#pragma unroll
        for (int j = 0; j < 2; j++)
        {
            int key = n * MatrixOutputs + laneIndex() % 4 * 2 + j;
            scores[n][half * 2 + j] = key < visible ? scores[n][half * 2 + j] : -Infinity;
        }
    }
}

// Scores become weights; what was summed so far is brought to the new largest score.
template <int RowTiles>
DEVICE void weigh(int i, int half, float (&scores)[KeyTile / MatrixOutputs][4], ExpandedSums<RowTiles>& sums)
{
    float max = sums.max[i][half];
#pragma unroll
    for (int n = 0; n < KeyTile / MatrixOutputs; n++)
    {
        max = scores[n][half * 2] > max ? scores[n][half * 2] : max;
        max = scores[n][half * 2 + 1] > max ? scores[n][half * 2 + 1] : max;
    }

    // Four lanes share a row.
    for (int mask = 1; mask < 4; mask *= 2)
    {
        float other = shuffleXor(max, mask);
        max = other > max ? other : max;
    }

    float decay = powerOfTwo(sums.max[i][half] - max);
    float total = 0;
#pragma unroll
    for (int n = 0; n < KeyTile / MatrixOutputs; n++)
    {
#pragma unroll
        for (int j = 0; j < 2; j++)
        {
            scores[n][half * 2 + j] = powerOfTwo(scores[n][half * 2 + j] - max);
            total += scores[n][half * 2 + j];
        }
    }

    sums.max[i][half] = max;
    sums.total[i][half] = fusedMultiplyAdd(sums.total[i][half], decay, total);
#pragma unroll
    for (int n = 0; n < MaxValueDim / MatrixOutputs; n++)
    {
        sums.values[i][n][half * 2] *= decay;
        sums.values[i][n][half * 2 + 1] *= decay;
    }
}

// What earlier runs left in the output and the scales; with the first run nothing.
template <int RowTiles>
DEVICE void loadSums(const ExpandedAttendArguments& a, int i, int half, int token, ExpandedSums<RowTiles>& sums)
{
    long long place = (long long)(token < a.tokens ? token : a.tokens - 1) * a.heads + blockY();
    bool isFirst = a.firstKey == 0;
    sums.max[i][half] = isFirst ? -Infinity : a.scales[place * 2];

    // A row's four lanes add theirs in the end.
    sums.total[i][half] = isFirst || laneIndex() % 4 != 0 ? 0 : a.scales[place * 2 + 1];
#pragma unroll
    for (int n = 0; n < MaxValueDim / MatrixOutputs; n++)
    {
        int column = n * MatrixOutputs + laneIndex() % 4 * 2;
        bool exists = !isFirst && column < a.valueDim;
        Float2 pair = exists ? *(const Float2*)(a.output + place * a.valueDim + column) : Float2{};
        sums.values[i][n][half * 2] = pair.x;
        sums.values[i][n][half * 2 + 1] = pair.y;
    }
}

template <int RowTiles>
DEVICE void storeSums(
    const ExpandedAttendArguments& a, int i, int half, int token, bool isLast, const ExpandedSums<RowTiles>& sums)
{
    float total = sums.total[i][half];
    total += shuffleXor(total, 1);
    total += shuffleXor(total, 2);
    if (token >= a.tokens)
    {
        return;
    }

    long long place = (long long)token * a.heads + blockY();
    float factor = isLast ? 1 / total : 1;
#pragma unroll
    for (int n = 0; n < MaxValueDim / MatrixOutputs; n++)
    {
        int column = n * MatrixOutputs + laneIndex() % 4 * 2;
        if (column < a.valueDim)
        {
            const float* pair = sums.values[i][n] + half * 2;
            *(Float2*)(a.output + place * a.valueDim + column) = Float2{pair[0] * factor, pair[1] * factor};
        }
    }

    if (!isLast && laneIndex() % 4 == 0)
    {
        a.scales[place * 2] = sums.max[i][half];
        a.scales[place * 2 + 1] = total;
    }
}
