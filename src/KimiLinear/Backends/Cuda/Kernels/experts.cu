// A sparse mixture-of-experts layer in three kernels, behind the router's logits; and the gate and up of a dense layer.
//
//   s = σ(logits);  the A experts with the largest s + bias, ascending;  w = s / (Σ s + 1e-20) · scaling
//   h_e = SiLU(G_e n) ⊙ (U_e n)
//   hidden += (Σ_e w_e · (D_e h_e)) + D_shared h_shared
// The activations of a token lie end to end: F per chosen expert, then F_s of the shared one.
#include "matrix.h"

constexpr float RouterWeightEpsilon = 1e-20f;

struct SelectExpertsArguments
{
    const float* logits; // [T, E]
    const float* bias;   // [E], takes part in the choice only
    int* experts;        // [T, A] ascending
    float* weights;      // [T, A]
    int expertCount;     // E
    int activeCount;     // A
    int groupCount;      // divides E; 1 means no groups
    int keptGroupCount;
    int normalizes; // 1: to a sum of one, where there are several
    float scaling;
};

// The index of the largest value, the first of equals. NaN never wins; where there is nothing else, the last comes out.
DEVICE int indexOfMax(const float* values, int count) // one warp
{
    const int none = 0x7FFFFFFF;
    float best = 0;
    int index = none;
    for (int i = laneIndex(); i < count; i += WarpSize)
    {
        if (!isNaN(values[i]) && (index == none || values[i] > best))
        {
            best = values[i];
            index = i;
        }
    }

    for (int mask = WarpSize / 2; mask > 0; mask /= 2)
    {
        float otherBest = shuffleXor(best, mask);
        int otherIndex = shuffleXor(index, mask);
        bool isBetter = index == none || otherBest > best || (otherBest == best && otherIndex < index);
        if (otherIndex != none && isBetter)
        {
            best = otherBest;
            index = otherIndex;
        }
    }

    return index == none ? count - 1 : index;
}

// Keeps the groups with the largest sum of their two best biased scores; the others can no longer be chosen.
DEVICE void dropWeakGroups(const SelectExpertsArguments& a, float* biased, float* groupScores, float* kept)
{
    int size = a.expertCount / a.groupCount;
    for (int group = laneIndex(); group < a.groupCount; group += WarpSize)
    {
        float largest = -Infinity;
        float second = -Infinity;
        for (int i = group * size; i < (group + 1) * size; i++)
        {
            if (biased[i] > largest)
            {
                second = largest;
                largest = biased[i];
            }
            else if (biased[i] > second)
            {
                second = biased[i];
            }
        }

        groupScores[group] = size == 1 ? largest : largest + second;
        kept[group] = 0;
    }

    barrier();
    for (int i = 0; i < a.keptGroupCount; i++)
    {
        int best = indexOfMax(groupScores, a.groupCount);
        barrier();
        if (laneIndex() == 0)
        {
            kept[best] = 1;
            groupScores[best] = -Infinity;
        }

        barrier();
    }

    for (int i = laneIndex(); i < a.expertCount; i += WarpSize)
    {
        if (kept[i / size] == 0)
        {
            biased[i] = -Infinity;
        }
    }

    barrier();
}

// Grid [T], blocks of one warp. Shared memory: [2 · E + 2 · groups + A] float32.
KERNEL(select_experts, SelectExpertsArguments, 32)
{
    float* scores = sharedMemory();
    float* biased = scores + a.expertCount;
    float* groupScores = biased + a.expertCount;
    float* kept = groupScores + a.groupCount;
    int* chosen = (int*)(kept + a.groupCount);
    const float* logits = a.logits + (long long)blockX() * a.expertCount;
    for (int i = laneIndex(); i < a.expertCount; i += WarpSize)
    {
        scores[i] = sigmoid(logits[i]);
        biased[i] = scores[i] + a.bias[i];
    }

    barrier();
    if (a.groupCount > 1)
    {
        dropWeakGroups(a, biased, groupScores, kept);
    }

    for (int i = 0; i < a.activeCount; i++)
    {
        int best = indexOfMax(biased, a.expertCount);
        barrier();
        if (laneIndex() == 0)
        {
            biased[best] = -Infinity;

            // Into its place among those chosen before.
            int place = i;
            for (; place > 0 && chosen[place - 1] > best; place--)
            {
                chosen[place] = chosen[place - 1];
            }

            chosen[place] = best;
        }

        barrier();
    }

    float sum = 0;
    for (int i = 0; i < a.activeCount; i++)
    {
        sum += scores[chosen[i]];
    }

    float scale = a.normalizes && a.activeCount > 1 ? a.scaling / (sum + RouterWeightEpsilon) : a.scaling;
    for (int i = laneIndex(); i < a.activeCount; i += WarpSize)
    {
        a.experts[blockX() * a.activeCount + i] = chosen[i];
        a.weights[blockX() * a.activeCount + i] = scores[chosen[i]] * scale;
    }
}

struct ExpertGateUpArguments
{
    const float* input;           // [T, D]
    const float* norm;            // [D], or null when the input is normed
    const bfloat16* gateUp;       // [E, 2·F, D]: the gate's rows, then those of up
    const bfloat16* sharedGateUp; // [2·F_s, D]
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
KERNEL(expert_gate_up, ExpertGateUpArguments, 256)
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

    const bfloat16* gate = isShared
        ? a.sharedGateUp
        : a.gateUp + (long long)a.experts[token * a.activeCount + place] * 2 * dim * a.columns;
    const bfloat16* rows[2] = {gate + (long long)index * a.columns, gate + (long long)(dim + index) * a.columns};
    float sums[2][1] = {};
    addProducts(rows, input, a.columns, sums);
    float gateSum = warpSum(sums[0][0]);
    float upSum = warpSum(sums[1][0]);
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
    const bfloat16* down;       // [E, D, F]
    const bfloat16* sharedDown; // [D, F_s]
    float* hidden;              // [T, D], added to
    int columns;                // D
    int expertDim;              // F
    int sharedDim;              // F_s; 0 when there is no shared expert
    int activeCount;            // A
};

// Grid [D / warps, T], rounded up. Shared memory: [A·F (rounded up to 4) + F_s] float32.
KERNEL(expert_down, ExpertDownArguments, 256)
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
    for (int i = 0; i < a.activeCount; i++)
    {
        long long expert = a.experts[token * a.activeCount + i];
        const bfloat16* rows[1] = {a.down + (expert * a.columns + column) * a.expertDim};
        float sums[1][1] = {};
        addProducts(rows, routed + i * a.expertDim, a.expertDim, sums);
        sum = fusedMultiplyAdd(a.weights[token * a.activeCount + i], warpSum(sums[0][0]), sum);
    }

    if (a.sharedDim > 0)
    {
        const bfloat16* rows[1] = {a.sharedDown + (long long)column * a.sharedDim};
        float sums[1][1] = {};
        addProducts(rows, shared, a.sharedDim, sums);
        sum += warpSum(sums[0][0]);
    }

    if (laneIndex() == 0)
    {
        a.hidden[token * a.columns + column] += sum;
    }
}
