// The gate, up and down of many tokens' experts on the tensor cores, their rows grouped by order_experts.cu; and the gate and up
// of one expert that takes every token, which is a shared expert or a dense layer (its down is matmul.h's).
//
//   h_r = SiLU(G_e n_t) ⊙ (U_e n_t)     y_r = D_e h_r
// with r the row of token t and expert e. Inputs and activations are bfloat16 in one part or two, as split_rows.cu says.
//
// The names of the first two tell the rows of a tile and the parts. A block takes one tile of one expert's rows; which, it reads
// from the list of tiles, so that the host need not know the choice: there are blocks for as many tiles as any choice makes, and
// those without work end at once. Addresses of matrices are multiples of 16 bytes; D and F are multiples of 8.
//   rows   threads   shared memory, one part / two   registers of a thread
//   128    256       64 / 96 KiB                     128
//    64    128       48 / 64 KiB                     128
//    16    128       36 / 40 KiB                      64
#pragma once
#include "parts.h"
#include "tile_product.h"

struct GroupedGateUpArguments
{
    const bfloat16* input;  // [P, T, D]
    WeightMatrix gateUp;    // [E, 2·F, D]: the gate's rows, then those of up
    const int* tiles;       // [tiles, 4] of order_experts; null: one expert for every token in its order
    const int* order;       // [T·A] of order_experts; null with tiles
    bfloat16* activations;  // [P, T·A, F], by place in the order
    int columns;            // D
    int expertDim;          // F
    int tokens;             // T
    int activeCount;        // A; 1 without tiles
    int tileCount;
};

struct GroupedDownArguments
{
    const bfloat16* activations; // [P, T·A, F], by place in the order
    WeightMatrix down;           // [E, D, F]
    const int* tiles;            // [tiles, 4] of order_experts
    const int* order;            // [T·A] of order_experts
    float* outputs;              // [T, A, D]
    int columns;                 // D
    int expertDim;               // F
    int rows;                    // T·A
    int tileCount;
};

// Places in the order that one expert takes.
struct ExpertTile
{
    int expert;
    int first;
    int count;
};

DEVICE ExpertTile readTile(const int* tiles, int index)
{
    UInt4 tile = *(const UInt4*)(tiles + index * 4);
    return {(int)tile.x, (int)tile.y, (int)tile.z};
}

// A tile of 128 outputs is 64 values of the gate and the same 64 of up: of a warp's 32, first 16 of the gate, then those of up,
// so that a lane has both sums of a value.
constexpr int TileValues = TileOutputs / 2;
constexpr int WarpValues = WarpOutputs / 2;

// The row of gate and up that one of the tile's 128 is; where no value is left, the last ones stand for it.
DEVICE int gateUpRow(int row, int firstValue, int expertDim, int count)
{
    int value = firstValue + row / WarpOutputs * WarpValues + row % WarpValues;
    value = value < expertDim ? value : expertDim - count;
    return row % WarpOutputs >= WarpValues ? expertDim + value : value;
}

// Grid [tiles · F / 64, rounded up].
template <typename Format, int Rows, int Parts>
DEVICE void groupedGateUp(const GroupedGateUpArguments& a)
{
    using Shape = TileShape<Rows>;
    int rows = a.tokens * a.activeCount;
    TilePlace place = tilePlace(a.tileCount, ceilingDivide(a.expertDim, TileValues));
    ExpertTile tile = {0, place.rows * Rows, rows - place.rows * Rows};
    if (a.tiles)
    {
        tile = readTile(a.tiles, place.rows);
    }

    if (tile.count <= 0)
    {
        return;
    }

    TileSources<Rows, Format> sources;
#pragma unroll
    for (int i = 0; i < Shape::InputCopies; i++)
    {
        int row = copiedRow<Rows>(i);
        row = tile.first + (row < tile.count ? row : tile.count - 1);
        int token = a.order ? a.order[row] / a.activeCount : row;
        sources.inputs[i] = a.input + (long long)token * a.columns;
    }

    int firstValue = place.outputs * TileValues;
    WeightMatrix gateUp = matrixOf<Format>(a.gateUp, tile.expert, 2 * a.expertDim, a.columns);
#pragma unroll
    for (int i = 0; i < sources.WeightCopies; i++)
    {
        int row = gateUpRow(copiedWeightRow<Rows, Format>(i), firstValue, a.expertDim, 1);
        sources.setWeight(i, gateUp, row, a.columns);
    }

    sources.setScales(gateUp, gateUpRow(copiedScaleRow<Format>(), firstValue, a.expertDim, ScaleRows<Format>));

    TileSums<Rows> sums;
    multiplyTile<Rows, Parts>(sources, (long long)a.tokens * a.columns, a.columns, sums);
#pragma unroll
    for (int i = 0; i < Shape::WarpRows / MatrixRows; i++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int row = tileRow<Rows>(i, half);
#pragma unroll
            for (int n = 0; n < WarpValues / MatrixOutputs; n++)
            {
                int value = firstValue + warpIndex() % OutputWarps * WarpValues + n * MatrixOutputs + laneIndex() % 4 * 2;
                if (row < tile.count && value < a.expertDim)
                {
                    const float* gate = sums.values[i][n] + half * 2;
                    const float* up = sums.values[i][n + WarpValues / MatrixOutputs] + half * 2;
                    int upRow = a.expertDim + value;
                    float first = silu(gate[0] * rowScale<Format>(gateUp, value)) * (up[0] * rowScale<Format>(gateUp, upRow));
                    float second = silu(gate[1] * rowScale<Format>(gateUp, value + 1))
                        * (up[1] * rowScale<Format>(gateUp, upRow + 1));
#pragma unroll
                    for (int p = 0; p < Parts; p++)
                    {
                        long long target = ((long long)p * rows + tile.first + row) * a.expertDim + value;
                        *(unsigned*)(a.activations + target) = takeParts(first, second);
                    }
                }
            }
        }
    }
}

// Grid [tiles · D / 128, rounded up].
template <typename Format, int Rows, int Parts>
DEVICE void groupedDown(const GroupedDownArguments& a)
{
    using Shape = TileShape<Rows>;
    TilePlace place = tilePlace(a.tileCount, ceilingDivide(a.columns, TileOutputs));
    ExpertTile tile = readTile(a.tiles, place.rows);
    if (tile.count <= 0)
    {
        return;
    }

    TileSources<Rows, Format> sources;
#pragma unroll
    for (int i = 0; i < Shape::InputCopies; i++)
    {
        int row = copiedRow<Rows>(i);
        row = tile.first + (row < tile.count ? row : tile.count - 1);
        sources.inputs[i] = a.activations + (long long)row * a.expertDim;
    }

    int firstOutput = place.outputs * TileOutputs;
    WeightMatrix down = matrixOf<Format>(a.down, tile.expert, a.columns, a.expertDim);
#pragma unroll
    for (int i = 0; i < sources.WeightCopies; i++)
    {
        int output = firstOutput + copiedWeightRow<Rows, Format>(i);
        sources.setWeight(i, down, output < a.columns ? output : a.columns - 1, a.expertDim);
    }

    sources.setScales(down, firstOutput + copiedScaleRow<Format>());

    TileSums<Rows> sums;
    multiplyTile<Rows, Parts>(sources, (long long)a.rows * a.expertDim, a.expertDim, sums);
#pragma unroll
    for (int i = 0; i < Shape::WarpRows / MatrixRows; i++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int row = tileRow<Rows>(i, half);
            if (row >= tile.count)
            {
                continue;
            }

            float* output = a.outputs + (long long)a.order[tile.first + row] * a.columns;
#pragma unroll
            for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
            {
                int column = firstOutput + tileOutput(n);
                if (column < a.columns)
                {
                    const float* pair = sums.values[i][n] + half * 2;
                    float first = pair[0] * rowScale<Format>(down, column);
                    float second = pair[1] * rowScale<Format>(down, column + 1);
                    storePair(output, column, a.columns, first, second, false, true);
                }
            }
        }
    }
}
