// Products of rows of weights in any format with vectors in float32.
#pragma once
#include "matrix.h"
#include "weights.h"

// The units of eight columns.
template <typename Format>
DEVICE void unpack(UInt2 codes, const ScaledBlock& block, float (&units)[VectorColumns])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        units[i] = Format::unit(codes.x >> 8 * i, block);
        units[4 + i] = Format::unit(codes.y >> 8 * i, block);
    }
}

template <typename Format>
DEVICE void unpack(unsigned codes, const ScaledBlock& block, float (&units)[VectorColumns])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        units[i] = Format::unit(codes >> 8 * i, block);
        units[4 + i] = Format::unit(codes >> (8 * i + 4), block);
    }
}

// Adds to sums[row][token] this lane's share of Σ_c weight[rows[row], c] · inputs[token · columns + c], but for the scale of the
// row. Rows of scaled formats are whole vectors.
template <typename Format, int Rows, int Tokens>
DEVICE void addProducts(
    const WeightMatrix& matrix,
    const long long (&rows)[Rows],
    const float* inputs, // [Tokens, columns]
    int columns,
    float (&sums)[Rows][Tokens])
{
    if constexpr (!Format::IsScaled)
    {
        const bfloat16* starts[Rows];
#pragma unroll
        for (int r = 0; r < Rows; r++)
        {
            starts[r] = (const bfloat16*)matrix.values + rows[r] * columns;
        }

        addProducts(starts, inputs, columns, sums);
    }
    else
    {
        using Vector = typename Format::Vector;
        const char* values[Rows];
        const char* scales[Rows];
#pragma unroll
        for (int r = 0; r < Rows; r++)
        {
            values[r] = matrix.values + rows[r] * columnBytes<Format>(columns);
            scales[r] = matrix.scales + rows[r] * Format::ScaleBytes;
        }

        // Loads are shorter than those of bfloat16; so more of them are to be under way.
        constexpr int Steps = Tokens < 4 ? 4 : 2;
#pragma unroll Steps
        for (int c = laneIndex() * VectorColumns; c < columns; c += WarpSize * VectorColumns)
        {
            Vector codes[Rows];
            ScaledBlock blocks[Rows];
#pragma unroll
            for (int r = 0; r < Rows; r++)
            {
                codes[r] = *(const Vector*)(values[r] + columnBytes<Format>(c));
                long long block = c / Format::BlockColumns;
                blocks[r] = Format::block(scales[r] + block * matrix.scaleStride * Format::ScaleBytes);
            }

            float units[Rows][VectorColumns];
#pragma unroll
            for (int r = 0; r < Rows; r++)
            {
                unpack<Format>(codes[r], blocks[r], units[r]);
            }

#pragma unroll
            for (int t = 0; t < Tokens; t++)
            {
                Float4 low = *(const Float4*)(inputs + t * columns + c);
                Float4 high = *(const Float4*)(inputs + t * columns + c + 4);
#pragma unroll
                for (int r = 0; r < Rows; r++)
                {
                    float sum = units[r][0] * low.x;
                    sum = fusedMultiplyAdd(units[r][1], low.y, sum);
                    sum = fusedMultiplyAdd(units[r][2], low.z, sum);
                    sum = fusedMultiplyAdd(units[r][3], low.w, sum);
                    sum = fusedMultiplyAdd(units[r][4], high.x, sum);
                    sum = fusedMultiplyAdd(units[r][5], high.y, sum);
                    sum = fusedMultiplyAdd(units[r][6], high.z, sum);
                    sum = fusedMultiplyAdd(units[r][7], high.w, sum);
                    sums[r][t] = fusedMultiplyAdd(blocks[r].scale, sum, sums[r][t]);
                }
            }
        }
    }
}

// A row's sum over the lanes of a warp, whole.
template <typename Format>
DEVICE float rowSum(const WeightMatrix& matrix, long long row, float sum)
{
    sum = warpSum(sum);
    return Format::Bits == 4 ? sum * rowScale<Format>(matrix, row) : sum;
}
