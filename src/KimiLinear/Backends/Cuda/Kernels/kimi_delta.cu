// Everything of a Kimi Delta Attention layer between its two projections, for one head of one sequence per block.
//
// Per token, for key channel i and value channel j of the head:
//   y = SiLU(Σ_w taps[w] · u[t − (W − 1) + w]) for q, k and v; the tail holds the last W − 1 inputs u, oldest first
//   q ← q / sqrt(Σ q² + 1e-6) · K^-1/2,   k ← k / sqrt(Σ k² + 1e-6)
//   α_i = exp(−exp(A_log) · softplus((W_fb f)_i + dt_bias_i)),   β = σ(b)
//   S ← S · diag(α),   S ← S + β · (v − S k) kᵀ,   o = S q
//   output_j = norm_j · o_j / sqrt(mean o² + ε) · σ((W_gb g)_j)
// All of it in float32. State and tail are updated in place; each belongs to one block only.
//
// Grid [H, B]. A warp takes four rows of the state at a time, a lane every 32nd of their values, which it keeps in registers
// between the two uses: one entry per number of values a lane may hold.
// Shared memory: [6 · K + G_f (rounded up to 4) + G_g (rounded up to 4)] float32.
#include "matrix.h"

struct KimiDeltaArguments
{
    const float* projected;     // [T, 3·H·K + G_f + G_g + H]: q, k, v, f, g, b
    const float* queryTaps;     // [W, H·K]
    const float* keyTaps;       // [W, H·K]
    const float* valueTaps;     // [W, H·K]
    const bfloat16* decayUp;    // [H·K, G_f]
    const float* decayLog;      // [H]
    const float* decayBias;     // [H·K]
    const bfloat16* gateUp;     // [H·K, G_g]
    const float* norm;          // [K]
    float* const* slots;        // [B], where each sequence's slot begins
    const int* offsets;         // [B + 1], first token of each sequence
    float* output;              // [T, H·K]
    long long stateOffset;      // values from the beginning of a slot to [H, K, K] of this layer, value channel first
    long long tailOffset;       // and to [W − 1, 3·H·K]
    int heads;                  // H
    int headDim;                // K
    int taps;                   // W
    int decayRank;              // G_f
    int gateRank;               // G_g
    float epsilon;
};

constexpr float L2NormEpsilon = 1e-6f;
constexpr int StateRowsPerWarp = 4;

// Shared memory of the block.
struct HeadMemory
{
    float* convolved; // [3, K]: q, k, v
    float* decay;     // [K]
    float* gate;      // [K]
    float* result;    // [K]
    float* decayLow;  // [G_f]
    float* gateLow;   // [G_g]
};

DEVICE HeadMemory headMemory(const KimiDeltaArguments& a)
{
    HeadMemory memory;
    memory.decayLow = sharedMemory();
    memory.gateLow = memory.decayLow + ceilingDivide(a.decayRank, 4) * 4;
    memory.convolved = memory.gateLow + ceilingDivide(a.gateRank, 4) * 4;
    memory.decay = memory.convolved + 3 * a.headDim;
    memory.gate = memory.decay + a.headDim;
    memory.result = memory.gate + a.headDim;
    return memory;
}

// The short convolutions of the head's channels, and their tails one token on.
DEVICE void convolve(
    const KimiDeltaArguments& a,
    const float* input, // [3·H·K]
    float* tail,        // [W − 1, 3·H·K]
    int head,
    float* convolved) // [3, K]
{
    int width = a.heads * a.headDim;
    for (int c = threadIndex(); c < 3 * a.headDim; c += threadCount())
    {
        int part = c / a.headDim;
        int channel = head * a.headDim + c % a.headDim;
        const float* taps = (part == 0 ? a.queryTaps : part == 1 ? a.keyTaps : a.valueTaps) + channel;
        int column = part * width + channel;
        float present = input[column];
        float sum = taps[(a.taps - 1) * width] * present;
        for (int w = 0; w < a.taps - 1; w++)
        {
            sum = fusedMultiplyAdd(taps[w * width], tail[w * 3 * width + column], sum);
        }

        for (int w = 0; w < a.taps - 2; w++)
        {
            tail[w * 3 * width + column] = tail[(w + 1) * 3 * width + column];
        }

        if (a.taps > 1)
        {
            tail[(a.taps - 2) * 3 * width + column] = present;
        }

        convolved[c] = silu(sum);
    }
}

// The second steps of the two gates: K rows of W_fb become decays, K rows of W_gb factors of the output.
DEVICE void gates(const KimiDeltaArguments& a, int head, const HeadMemory& memory)
{
    float rate = exponential(a.decayLog[head]);
    for (int first = warpIndex() * StateRowsPerWarp; first < 2 * a.headDim; first += warpCount() * StateRowsPerWarp)
    {
        for (int part = 0; part < 2; part++)
        {
            // A group of rows may lie in both matrices when K is not a multiple of its size.
            int start = part == 0 ? 0 : a.headDim;
            if (first + StateRowsPerWarp <= start || first >= start + a.headDim)
            {
                continue;
            }

            int rank = part == 0 ? a.decayRank : a.gateRank;
            const bfloat16* matrix = part == 0 ? a.decayUp : a.gateUp;
            const bfloat16* rows[StateRowsPerWarp];
            float sums[StateRowsPerWarp][1];
#pragma unroll
            for (int r = 0; r < StateRowsPerWarp; r++)
            {
                int row = first + r - start;
                row = row < 0 ? 0 : row < a.headDim ? row : a.headDim - 1;
                rows[r] = matrix + ((long long)head * a.headDim + row) * rank;
                sums[r][0] = 0;
            }

            addProducts(rows, part == 0 ? memory.decayLow : memory.gateLow, rank, sums);
#pragma unroll
            for (int r = 0; r < StateRowsPerWarp; r++)
            {
                float sum = warpSum(sums[r][0]);
                int row = first + r - start;
                if (laneIndex() == 0 && row >= 0 && row < a.headDim)
                {
                    if (part == 0)
                    {
                        memory.decay[row] = exponential(-rate * softplus(sum + a.decayBias[head * a.headDim + row]));
                    }
                    else
                    {
                        memory.gate[row] = sigmoid(sum);
                    }
                }
            }
        }
    }
}

DEVICE void l2Normalize(float* x, int length, float scale) // one warp
{
    float sum = 0;
    for (int i = laneIndex(); i < length; i += WarpSize)
    {
        sum = fusedMultiplyAdd(x[i], x[i], sum);
    }

    scale /= squareRoot(warpSum(sum) + L2NormEpsilon);
    for (int i = laneIndex(); i < length; i += WarpSize)
    {
        x[i] *= scale;
    }
}

// One step of the gated delta rule over the state of the head.
template <int PerLane>
DEVICE void deltaStep(
    const HeadMemory& memory,
    int headDim,
    float beta,
    float* state) // [K, K], value channel first
{
    float q[PerLane];
    float k[PerLane];
    float decay[PerLane];
#pragma unroll
    for (int i = 0; i < PerLane; i++)
    {
        int channel = laneIndex() + i * WarpSize;
        bool exists = channel < headDim;
        q[i] = exists ? memory.convolved[channel] : 0;
        k[i] = exists ? memory.convolved[headDim + channel] : 0;
        decay[i] = exists ? memory.decay[channel] : 0;
    }

    const float* values = memory.convolved + 2 * headDim;
    for (int first = warpIndex() * StateRowsPerWarp; first < headDim; first += warpCount() * StateRowsPerWarp)
    {
        float rows[StateRowsPerWarp][PerLane];
#pragma unroll
        for (int r = 0; r < StateRowsPerWarp; r++)
        {
#pragma unroll
            for (int i = 0; i < PerLane; i++)
            {
                int channel = laneIndex() + i * WarpSize;
                bool exists = channel < headDim && first + r < headDim;
                rows[r][i] = exists ? state[(first + r) * headDim + channel] : 0;
            }
        }

#pragma unroll
        for (int r = 0; r < StateRowsPerWarp; r++)
        {
            float predicted = 0;
#pragma unroll
            for (int i = 0; i < PerLane; i++)
            {
                rows[r][i] *= decay[i];
                predicted = fusedMultiplyAdd(rows[r][i], k[i], predicted);
            }

            predicted = warpSum(predicted);
            float value = first + r < headDim ? values[first + r] : 0;
            float correction = beta * (value - predicted);
            float read = 0;
#pragma unroll
            for (int i = 0; i < PerLane; i++)
            {
                rows[r][i] = fusedMultiplyAdd(correction, k[i], rows[r][i]);
                read = fusedMultiplyAdd(rows[r][i], q[i], read);
            }

            read = warpSum(read);
            if (laneIndex() == 0 && first + r < headDim)
            {
                memory.result[first + r] = read;
            }
        }

#pragma unroll
        for (int r = 0; r < StateRowsPerWarp; r++)
        {
#pragma unroll
            for (int i = 0; i < PerLane; i++)
            {
                int channel = laneIndex() + i * WarpSize;
                if (channel < headDim && first + r < headDim)
                {
                    state[(first + r) * headDim + channel] = rows[r][i];
                }
            }
        }
    }
}

template <int PerLane>
DEVICE void kimiDelta(const KimiDeltaArguments& a)
{
    int head = blockX();
    int sequence = blockY();
    int width = a.heads * a.headDim;
    int rowLength = 3 * width + a.decayRank + a.gateRank + a.heads;
    HeadMemory memory = headMemory(a);
    float* slot = a.slots[sequence];
    float* state = slot + a.stateOffset + (long long)head * a.headDim * a.headDim;
    for (int t = a.offsets[sequence]; t < a.offsets[sequence + 1]; t++)
    {
        const float* row = a.projected + (long long)t * rowLength;
        const float* decayLow = row + 3 * width;
        const float* gateLow = decayLow + a.decayRank;
        const float* beta = gateLow + a.gateRank;
        convolve(a, row, slot + a.tailOffset, head, memory.convolved);
        for (int i = threadIndex(); i < a.decayRank; i += threadCount())
        {
            memory.decayLow[i] = decayLow[i];
        }

        for (int i = threadIndex(); i < a.gateRank; i += threadCount())
        {
            memory.gateLow[i] = gateLow[i];
        }

        barrier();
        if (warpIndex() == 0)
        {
            l2Normalize(memory.convolved, a.headDim, 1 / squareRoot((float)a.headDim));
        }

        if (warpIndex() == warpCount() - 1)
        {
            l2Normalize(memory.convolved + a.headDim, a.headDim, 1);
        }

        gates(a, head, memory);
        barrier();
        deltaStep<PerLane>(memory, a.headDim, sigmoid(beta[head]), state);
        barrier();

        float sumOfSquares = 0;
        for (int j = laneIndex(); j < a.headDim; j += WarpSize)
        {
            sumOfSquares = fusedMultiplyAdd(memory.result[j], memory.result[j], sumOfSquares);
        }

        float scale = rmsScale(warpSum(sumOfSquares), a.headDim, a.epsilon);
        float* output = a.output + (long long)t * width + head * a.headDim;

        // What is read here is written again only behind the next token's first barrier.
        for (int j = threadIndex(); j < a.headDim; j += threadCount())
        {
            output[j] = memory.result[j] * scale * a.norm[j] * memory.gate[j];
        }
    }
}

KERNEL(kimi_delta_32, KimiDeltaArguments, 512) { kimiDelta<1>(a); }
KERNEL(kimi_delta_64, KimiDeltaArguments, 512) { kimiDelta<2>(a); }
KERNEL(kimi_delta_128, KimiDeltaArguments, 512) { kimiDelta<4>(a); }
KERNEL(kimi_delta_256, KimiDeltaArguments, 512) { kimiDelta<8>(a); }
