// Products of bfloat16 rows with weights on the tensor cores, one tile per block, with float32 sums:
//   sums[r, x] = Σ_c weight[x, c] · Σ_p input[p, r, c]
// with r among the tile's 128, 64 or 16 rows and x among its 128 outputs. A warp has up to 64 rows of 32 outputs, 64 sums per
// lane. How both come into shared memory, tile_copies.h says.
#pragma once
#include "tile_copies.h"

// A lane's sums: of row tileRow(i, h) and output tileOutput(n) the value [i][n][2 · h], of the next output the one behind it.
template <int Rows>
struct TileSums
{
    float values[TileShape<Rows>::WarpRows / MatrixRows][WarpOutputs / MatrixOutputs][4];
};

template <int Rows>
DEVICE int tileRow(int i, int half)
{
    return warpIndex() / OutputWarps * TileShape<Rows>::WarpRows + i * MatrixRows + half * 8 + laneIndex() / 4;
}

DEVICE int tileOutput(int n) { return warpIndex() % OutputWarps * WarpOutputs + n * MatrixOutputs + laneIndex() % 4 * 2; }

// Adds the products of a stage whose weights are bfloat16.
template <int Rows, int Parts>
DEVICE void multiplyStage(const char* stage, TileSums<Rows>& sums)
{
    using Shape = TileShape<Rows>;
    int lane = laneIndex();
    int inputRow = warpIndex() / OutputWarps * Shape::WarpRows + lane % 16;
    int weightRow = warpIndex() % OutputWarps * WarpOutputs + lane % 8 + lane / 16 * 8;
    const char* weights = stage + Parts * Rows * RowBytes;
#pragma unroll
    for (int k = 0; k < TileColumns; k += MatrixColumns)
    {
        // Two matrices of weights at a time: outputs 0 to 7 and 8 to 15, of each the first eight columns and the next.
        unsigned right[WarpOutputs / 16][4];
#pragma unroll
        for (int n = 0; n < WarpOutputs / 16; n++)
        {
            loadMatrices(weights + pieceOffset(weightRow + n * 16, k / PieceColumns + lane / 8 % 2), right[n]);
        }

#pragma unroll
        for (int p = 0; p < Parts; p++)
        {
#pragma unroll
            for (int i = 0; i < Shape::WarpRows / MatrixRows; i++)
            {
                unsigned left[4];
                int row = inputRow + i * MatrixRows;
                loadMatrices(stage + p * Rows * RowBytes + pieceOffset(row, k / PieceColumns + lane / 16), left);
#pragma unroll
                for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
                {
                    multiplyMatrices(left, right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1], sums.values[i][n]);
                }
            }
        }
    }
}

// The units of a row that a lane multiplies, as words of two: of columns 8 · j + 2 · (lane % 4) and the next in word j.
template <typename Format>
DEVICE void loadUnits(const char* weights, int row, const ScaledBlock& block, unsigned (&words)[TileColumns / 8])
{
    int pair = laneIndex() % 4;
    if constexpr (Format::Bits == 8)
    {
#pragma unroll
        for (int j = 0; j < TileColumns / 8; j++)
        {
            const char* codes = weights + weightOffset<Format>(row, j / 2) + j % 2 * 8 + pair * 2;
            unsigned both = *(const unsigned short*)codes;
            words[j] = joinHalves(Format::unit(both, block), Format::unit(both >> 8, block));
        }
    }
    else
    {
        UInt4 codes = *(const UInt4*)(weights + weightOffset<Format>(row, 0));
        int shift = pair % 2 * 16 + pair / 2 * 4;
#pragma unroll
        for (int j = 0; j < TileColumns / 8; j++)
        {
            unsigned both = codes[j] >> shift;
            words[j] = joinHalves(Format::unit(both, block), Format::unit(both >> 8, block));
        }
    }
}

// Adds the products of a stage whose weights have scales: those of their units are summed first, which loses nothing that
// products of bfloat16 would not lose, and then scaled.
template <int Rows, int Parts, typename Format>
DEVICE void multiplyScaledStage(const char* stage, TileSums<Rows>& sums)
{
    using Shape = TileShape<Rows>;
    using Layout = StageLayout<Rows, Parts, Format>;
    int lane = laneIndex();
    int inputRow = warpIndex() / OutputWarps * Shape::WarpRows + lane % 16;
    int warpOutput = warpIndex() % OutputWarps * WarpOutputs;
    unsigned right[WarpOutputs / MatrixOutputs][TileColumns / 8];
    float scales[WarpOutputs / MatrixOutputs][2];
#pragma unroll
    for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
    {
        int row = warpOutput + n * MatrixOutputs + lane / 4;
        ScaledBlock block = Format::block(stage + Layout::Scales + row * Format::ScaleBytes);
        loadUnits<Format>(stage + Layout::Weights, row, block, right[n]);
        const char* pair = stage + Layout::Scales + tileOutput(n) * Format::ScaleBytes;
        scales[n][0] = Format::block(pair).scale;
        scales[n][1] = Format::block(pair + Format::ScaleBytes).scale;
    }

#pragma unroll
    for (int i = 0; i < Shape::WarpRows / MatrixRows; i++)
    {
        float products[WarpOutputs / MatrixOutputs][4] = {};
#pragma unroll
        for (int k = 0; k < TileColumns; k += MatrixColumns)
        {
#pragma unroll
            for (int p = 0; p < Parts; p++)
            {
                unsigned left[4];
                int row = inputRow + i * MatrixRows;
                loadMatrices(stage + p * Rows * RowBytes + pieceOffset(row, k / PieceColumns + lane / 16), left);
#pragma unroll
                for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
                {
                    multiplyMatrices(left, right[n][k / 8], right[n][k / 8 + 1], products[n]);
                }
            }
        }

#pragma unroll
        for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                sums.values[i][n][j] = fusedMultiplyAdd(scales[n][j % 2], products[n][j], sums.values[i][n][j]);
            }
        }
    }
}

// The whole product of a tile, but for the scales of whole rows. Every thread of the block takes part; nothing is under way when
// it ends.
template <int Rows, int Parts, typename Format>
DEVICE void multiplyTile(
    const TileSources<Rows, Format>& sources,
    long long partStride, // values between the parts of the input
    int columns,
    TileSums<Rows>& sums)
{
    constexpr int StageBytes = StageLayout<Rows, Parts, Format>::Bytes;
    char* shared = (char*)sharedMemory();
#pragma unroll
    for (int i = 0; i < TileShape<Rows>::WarpRows / MatrixRows; i++)
    {
#pragma unroll
        for (int n = 0; n < WarpOutputs / MatrixOutputs; n++)
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                sums.values[i][n][j] = 0;
            }
        }
    }

    // One group of copies per stage, an empty one where no columns are left, so that the count of groups tells the stage.
    for (int stage = 0; stage < TileStages - 1; stage++)
    {
        if (stage * TileColumns < columns)
        {
            copyStage<Rows, Parts>(sources, partStride, stage * TileColumns, columns, shared + stage * StageBytes);
        }

        commitCopies();
    }

    int stage = 0;
    for (int column = 0; column < columns; column += TileColumns)
    {
        // After this barrier every thread's copies of this stage are there, and nobody reads the one before it any more.
        waitForCopies<TileStages - 2>();
        barrier();
        int ahead = column + (TileStages - 1) * TileColumns;
        if (ahead < columns)
        {
            int free = stage == 0 ? TileStages - 1 : stage - 1;
            copyStage<Rows, Parts>(sources, partStride, ahead, columns, shared + free * StageBytes);
        }

        commitCopies();
        if constexpr (Format::IsScaled)
        {
            multiplyScaledStage<Rows, Parts, Format>(shared + stage * StageBytes, sums);
        }
        else
        {
            multiplyStage<Rows, Parts>(shared + stage * StageBytes, sums);
        }

        stage = stage == TileStages - 1 ? 0 : stage + 1;
    }
}

// Which tile a block of a grid [tiles of rows · tiles of outputs] takes. Blocks that run at the same time share what they read:
// they go through the outputs by bands of 16 tiles of rows.
struct TilePlace
{
    int rows;
    int outputs;
};

DEVICE TilePlace tilePlace(int rowTiles, int outputTiles)
{
    constexpr int BandTiles = 16;
    int band = blockX() / (BandTiles * outputTiles);
    int left = rowTiles - band * BandTiles;
    int height = left < BandTiles ? left : BandTiles;
    int rest = blockX() - band * BandTiles * outputTiles;
    return {band * BandTiles + rest % height, rest / height};
}

// Stores two neighbouring values of a row or adds them to what is there; together where all of them come in pairs, which begin at
// multiples of 8 bytes.
DEVICE void storePair(float* row, int column, int columns, float first, float second, bool adds, bool isPaired)
{
    using Float2 = float __attribute__((ext_vector_type(2)));
    if (isPaired)
    {
        Float2* pair = (Float2*)(row + column);
        Float2 values = {first, second};
        *pair = adds ? *pair + values : values;
        return;
    }

    row[column] = adds ? row[column] + first : first;
    if (column + 1 < columns)
    {
        row[column + 1] = adds ? row[column + 1] + second : second;
    }
}
