// The choice of experts from the router's logits:
//
//   s = σ(logits);  the A experts with the largest s + bias, ascending;  w = s / (Σ s + 1e-20) · scaling
#include "arithmetic.h"

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
