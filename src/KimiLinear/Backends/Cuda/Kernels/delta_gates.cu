// What Kimi Delta Attention of many tokens needs around its chunks: the inputs of its two low-rank gates, and the gated norm.
#include "parts.h"
#include "reduction.h"

struct SplitGatesArguments
{
    const float* projected; // [T, rowLength]
    bfloat16* decayParts;   // [parts, T, G_f]
    bfloat16* gateParts;    // [parts, T, G_g]
    int rowLength;
    int firstColumn; // of f; g follows
    int decayRank;   // G_f
    int gateRank;    // G_g
    int tokens;      // T
    int partCount;
};

struct GateOutputArguments
{
    const float* gateLogits; // [T, H·K]: W_gb g
    const float* norm;       // [K]
    float* output;           // [T, H·K]; in place
    int headDim;             // K
    int rows;                // T·H
    float epsilon;
};

// Grid [T / warps, rounded up]; a warp takes one token. No shared memory.
KERNEL(split_gates, SplitGatesArguments, 256)
{
    int token = blockX() * warpCount() + warpIndex();
    if (token >= a.tokens)
    {
        return;
    }

    const float* row = a.projected + (long long)token * a.rowLength + a.firstColumn;
    for (int c = laneIndex(); c < a.decayRank + a.gateRank; c += WarpSize)
    {
        bool isDecay = c < a.decayRank;
        int rank = isDecay ? a.decayRank : a.gateRank;
        bfloat16* parts = (isDecay ? a.decayParts + c : a.gateParts + c - a.decayRank) + (long long)token * rank;
        float value = row[c];
        for (int p = 0; p < a.partCount; p++)
        {
            parts[(long long)p * a.tokens * rank] = takePart(value);
        }
    }
}

// output_j ← norm_j · o_j / sqrt(mean o² + ε) · σ(gate_j), over the channels of a head.
// Grid [T·H / warps, rounded up]; a warp takes one head of one token. No shared memory.
KERNEL(gate_output, GateOutputArguments, 256)
{
    int place = blockX() * warpCount() + warpIndex();
    if (place >= a.rows)
    {
        return;
    }

    float* row = a.output + (long long)place * a.headDim;
    const float* logits = a.gateLogits + (long long)place * a.headDim;
    float sumOfSquares = 0;
    for (int c = laneIndex(); c < a.headDim; c += WarpSize)
    {
        sumOfSquares = fusedMultiplyAdd(row[c], row[c], sumOfSquares);
    }

    float scale = rmsScale(warpSum(sumOfSquares), a.headDim, a.epsilon);
    for (int c = laneIndex(); c < a.headDim; c += WarpSize)
    {
        row[c] = row[c] * scale * a.norm[c] * sigmoid(logits[c]);
    }
}
