// The outputs of a token's experts, weighed and added to the residual stream, behind grouped_experts.h.
#include "arithmetic.h"

struct CombineExpertsArguments
{
    const float* outputs; // [T, A, D]
    const float* weights; // [T, A]
    float* hidden;        // [T, D], added to
    int columns;          // D
    int activeCount;      // A
};

// Grid [T]. The experts in ascending order, as expert_down adds them.
KERNEL(combine_experts, CombineExpertsArguments, 256)
{
    long long token = blockX();
    const float* weights = a.weights + token * a.activeCount;
    for (int c = threadIndex() * 4; c < a.columns; c += threadCount() * 4)
    {
        Float4 sum = {0, 0, 0, 0};
        for (int i = 0; i < a.activeCount; i++)
        {
            Float4 output = *(const Float4*)(a.outputs + (token * a.activeCount + i) * a.columns + c);
            sum.x = fusedMultiplyAdd(weights[i], output.x, sum.x);
            sum.y = fusedMultiplyAdd(weights[i], output.y, sum.y);
            sum.z = fusedMultiplyAdd(weights[i], output.z, sum.z);
            sum.w = fusedMultiplyAdd(weights[i], output.w, sum.w);
        }

        *(Float4*)(a.hidden + token * a.columns + c) += sum;
    }
}
