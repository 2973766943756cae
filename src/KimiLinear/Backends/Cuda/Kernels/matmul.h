// output[t, x] = Σ_c weight[x, c] · Σ_p input[p, t, c] on the tensor cores; or added to what is there. For steps of many tokens.
// The input is bfloat16 in one part or in two, as split_rows.cu makes them; two cost twice the work and lose almost nothing.
//
// The names tell the rows of a tile and the parts of the input. Grid [T / rows · X / 128], each rounded up. Addresses of
// matrices are multiples of 16 bytes.
//   rows   threads   shared memory, one part / two   registers of a thread
//   128    256       64 / 96 KiB                     128
//    64    128       48 / 64 KiB                     128
//    16    128       36 / 40 KiB                      64
#pragma once
#include "tile_product.h"

struct MatMulArguments
{
    const bfloat16* input;  // [P, T, C]
    WeightMatrix weight;    // [X, C]
    float* output;          // [T, stride]
    int columns;            // C, a multiple of 8
    int outputs;            // X
    int outputStride;       // values from one token's outputs to the next's
    int tokens;             // T
    int adds;               // 1: to what the output holds
};

template <typename Format, int Rows, int Parts>
DEVICE void matmul(const MatMulArguments& a)
{
    using Shape = TileShape<Rows>;
    TilePlace place = tilePlace(ceilingDivide(a.tokens, Rows), ceilingDivide(a.outputs, TileOutputs));
    int firstToken = place.rows * Rows;
    int firstOutput = place.outputs * TileOutputs;
    TileSources<Rows, Format> sources;
#pragma unroll
    for (int i = 0; i < Shape::InputCopies; i++)
    {
        int token = firstToken + copiedRow<Rows>(i);
        sources.inputs[i] = a.input + (long long)(token < a.tokens ? token : a.tokens - 1) * a.columns;
    }

#pragma unroll
    for (int i = 0; i < sources.WeightCopies; i++)
    {
        int output = firstOutput + copiedWeightRow<Rows, Format>(i);
        sources.setWeight(i, a.weight, output < a.outputs ? output : a.outputs - 1, a.columns);
    }

    sources.setScales(a.weight, firstOutput + copiedScaleRow<Format>());

    bool isPaired = a.outputs % 2 == 0 && a.outputStride % 2 == 0 && (unsigned long long)a.output % 8 == 0;
    TileSums<Rows> sums;
    multiplyTile<Rows, Parts>(sources, (long long)a.tokens * a.columns, a.columns, sums);
#pragma unroll
    for (int i = 0; i < Shape::WarpRows / MatrixRows; i++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int token = firstToken + tileRow<Rows>(i, half);
            float* row = a.output + (long long)token * a.outputStride;
#pragma unroll
            for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
            {
                int output = firstOutput + tileOutput(n);
                if (token < a.tokens && output < a.outputs)
                {
                    const float* pair = sums.values[i][n] + half * 2;
                    float first = pair[0] * rowScale<Format>(a.weight, output);
                    float second = pair[1] * rowScale<Format>(a.weight, output + 1 < a.outputs ? output + 1 : output);
                    storePair(row, output, a.outputs, first, second, a.adds, isPaired);
                }
            }
        }
    }
}
