// The experts of a sparse mixture-of-experts layer in two kernels, behind their choice by select_experts.cu; and the gate, up and
// down of a dense layer.
//
//   h_e = SiLU(G_e n) ⊙ (U_e n)
//   hidden += (Σ_e w_e · (D_e h_e)) + D_shared h_shared
// The activations of a token lie end to end: F per chosen expert, then F_s of the shared one.
#pragma once
#include "weight_products.h"

struct ExpertGateUpArguments
{
    const float* input;           // [T, D]
    const float* norm;            // [D], or null when the input is normed
    WeightMatrix gateUp;          // [E, 2·F, D]: the gate's rows, then those of up
    WeightMatrix sharedGateUp;    // [2·F_s, D]
    const int* experts;           // [T, A]
    float* activations;           // [T, A·F + F_s]
    int columns;                  // D
    int expertDim;                // F
    int sharedDim;                // F_s; 0 when there is no shared expert
    int activeCount;              // A; 0 in a dense layer, which is one shared expert
    float epsilon;
};

// Grid [A · tiles of F + tiles of F_s, T], a tile being one value per warp.
// Shared memory: [warps, rounded up to 4] + [D] float32.
template <typename Format>
DEVICE void expertGateUp(const ExpertGateUpArguments& a)
{
    float* scratch = sharedMemory();
    float* input = scratch + ceilingDivide(warpCount(), 4) * 4;
    long long token = blockY();
    loadRow(a.input + token * a.columns, a.norm, a.columns, a.epsilon, scratch, input);
    barrier();

    int tiles = ceilingDivide(a.expertDim, warpCount());
    int place = a.activeCount > 0 && blockX() < a.activeCount * tiles ? blockX() / tiles : a.activeCount;
    bool isShared = place == a.activeCount;
    int dim = isShared ? a.sharedDim : a.expertDim;
    int index = (blockX() - place * tiles) * warpCount() + warpIndex();
    if (index >= dim)
    {
        return;
    }

    WeightMatrix gateUp = isShared
        ? a.sharedGateUp
        : matrixOf<Format>(a.gateUp, a.experts[token * a.activeCount + place], 2 * dim, a.columns);
    long long rows[2] = {index, dim + index};
    float sums[2][1] = {};
    addProducts<Format>(gateUp, rows, input, a.columns, sums);
    float gateSum = rowSum<Format>(gateUp, rows[0], sums[0][0]);
    float upSum = rowSum<Format>(gateUp, rows[1], sums[1][0]);
    if (laneIndex() == 0)
    {
        long long length = (long long)a.activeCount * a.expertDim + a.sharedDim;
        a.activations[token * length + place * a.expertDim + index] = silu(gateSum) * upSum;
    }
}

struct ExpertDownArguments
{
    const float* activations;   // [T, A·F + F_s]
    const int* experts;         // [T, A] ascending
    const float* weights;       // [T, A]
    WeightMatrix down;          // [E, D, F]
    WeightMatrix sharedDown;    // [D, F_s]
    float* hidden;              // [T, D], added to
    int columns;                // D
    int expertDim;              // F
    int sharedDim;              // F_s; 0 when there is no shared expert
    int activeCount;            // A
};

// Grid [D / warps, T], rounded up. Shared memory: [A·F (rounded up to 4) + F_s] float32.
template <typename Format>
DEVICE void expertDown(const ExpertDownArguments& a)
{
    float* routed = sharedMemory();
    int routedLength = a.activeCount * a.expertDim;
    float* shared = routed + ceilingDivide(routedLength, 4) * 4;
    long long token = blockY();
    const float* activations = a.activations + token * (routedLength + a.sharedDim);
    for (int i = threadIndex(); i < routedLength; i += threadCount())
    {
        routed[i] = activations[i];
    }

    for (int i = threadIndex(); i < a.sharedDim; i += threadCount())
    {
        shared[i] = activations[routedLength + i];
    }

    barrier();
    int column = blockX() * warpCount() + warpIndex();
    if (column >= a.columns)
    {
        return;
    }

    float sum = 0;
    long long rows[1] = {column};
    for (int i = 0; i < a.activeCount; i++)
    {
        long long expert = a.experts[token * a.activeCount + i];
        WeightMatrix down = matrixOf<Format>(a.down, expert, a.columns, a.expertDim);
        float sums[1][1] = {};
        addProducts<Format>(down, rows, routed + i * a.expertDim, a.expertDim, sums);
        sum = fusedMultiplyAdd(a.weights[token * a.activeCount + i], rowSum<Format>(down, column, sums[0][0]), sum);
    }

    if (a.sharedDim > 0)
    {
        float sums[1][1] = {};
        addProducts<Format>(a.sharedDown, rows, shared, a.sharedDim, sums);
        sum += rowSum<Format>(a.sharedDown, column, sums[0][0]);
    }

    if (laneIndex() == 0)
    {
        a.hidden[token * a.columns + column] += sum;
    }
}
