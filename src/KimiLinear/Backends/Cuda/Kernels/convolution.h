// The short causal convolution of one channel, token by token: y_t = SiLU(Σ_w taps[w] · u[t − (W − 1) + w]).
#pragma once
#include "arithmetic.h"

constexpr int MaxTaps = 4;

// One channel of a sequence.
struct ConvolutionInput
{
    const float* input; // that of the first token
    const float* tail;  // the oldest of the W − 1 before it
    const float* taps;  // the first tap
    int rowLength;      // from one input to the next
    int width;          // from one tap to the next; the tail's rows are three times as long
    int tapCount;       // W, at most MaxTaps
    int tokens;
};

struct Convolution
{
    float taps[MaxTaps];
    float window[MaxTaps - 1]; // the inputs before the next token, oldest first
};

// Before this token.
DEVICE Convolution beginConvolution(const ConvolutionInput& source, int token)
{
    // Taps that are missing weigh inputs that are not looked at.
    Convolution state;
    int missing = MaxTaps - source.tapCount;
#pragma unroll
    for (int w = 0; w < MaxTaps; w++)
    {
        state.taps[w] = w < missing ? 0 : source.taps[(w - missing) * source.width];
    }

#pragma unroll
    for (int w = 0; w < MaxTaps - 1; w++)
    {
        int place = token - (MaxTaps - 1) + w;
        const float* input = place >= 0 ? source.input + (long long)place * source.rowLength
                                        : source.tail + (place + source.tapCount - 1) * 3 * source.width;
        state.window[w] = w >= missing && place < source.tokens ? *input : 0;
    }

    return state;
}

// The output of this token, after which comes the next; zero where there is no such token.
DEVICE float convolve(const ConvolutionInput& source, int token, Convolution& state)
{
    float present = token < source.tokens ? source.input[(long long)token * source.rowLength] : 0;
    float sum = state.taps[MaxTaps - 1] * present;
#pragma unroll
    for (int w = 0; w < MaxTaps - 1; w++)
    {
        sum = fusedMultiplyAdd(state.taps[w], state.window[w], sum);
        state.window[w] = w + 1 < MaxTaps - 1 ? state.window[w + 1] : present;
    }

    return token < source.tokens ? silu(sum) : 0;
}
