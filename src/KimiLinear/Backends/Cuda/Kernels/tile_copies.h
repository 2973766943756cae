// How a tile of rows and a tile of weights come into shared memory, for tile_product.h.
//
// Both matrices are read row by row, 32 columns at a time. Four such stages lie in shared memory: while one is multiplied the
// copies of the next three are under way. In a stage a row is four pieces of 16 bytes, the input's parts first, then the weight;
// piece i of row r lies in place i ^ (r / 2 % 4), so that neither the copies nor the loads of matrices, which take eight pieces
// of one column, meet twice in a bank. Weights of other formats lie there as they are stored; behind them lie the scales of the
// stage's columns, a piece of which is of several outputs.
//
// Columns are a multiple of 8; what is missing to 32 counts as zeros. Rows are to be valid addresses: where a matrix has too few,
// its last stands for the others, whose sums are not used.
#pragma once
#include "weights.h"

constexpr int TileOutputs = 128;
constexpr int TileColumns = 32;
constexpr int TileStages = 4;

constexpr int WarpOutputs = 32;
constexpr int OutputWarps = TileOutputs / WarpOutputs;

constexpr int PieceBytes = 16;
constexpr int PieceColumns = PieceBytes / 2;
constexpr int RowPieces = TileColumns / PieceColumns;
constexpr int RowBytes = RowPieces * PieceBytes;

// What multiplyMatrices takes.
constexpr int MatrixRows = 16;
constexpr int MatrixOutputs = 8;
constexpr int MatrixColumns = 16;

template <int Rows>
struct TileShape
{
    static constexpr int WarpRows = Rows < 64 ? Rows : 64;
    static constexpr int Threads = Rows / WarpRows * OutputWarps * WarpSize;

    // Rows that the threads copy at once, each thread one piece.
    static constexpr int CopiedRows = Threads / RowPieces;
    static constexpr int InputCopies = (Rows + CopiedRows - 1) / CopiedRows;
};

// Pieces of a row of weights in a stage, and columns of a piece.
template <typename Format>
constexpr int WeightPieces = TileColumns * Format::Bits / 8 / PieceBytes;
template <typename Format>
constexpr int WeightPieceColumns = TileColumns / WeightPieces<Format>;

// Rows whose scales are a piece, and the pieces of a stage.
template <typename Format>
constexpr int ScaleRows = Format::IsScaled ? PieceBytes / (Format::IsScaled ? Format::ScaleBytes : 1) : TileOutputs;
template <typename Format>
constexpr int ScalePieces = Format::IsScaled ? TileOutputs / ScaleRows<Format> : 0;

// What the copies of a stage are to fill.
template <int Rows, int Parts, typename Format>
struct StageLayout
{
    static constexpr int Weights = Parts * Rows * RowBytes;
    static constexpr int Scales = Weights + TileOutputs * WeightPieces<Format> * PieceBytes;
    static constexpr int Bytes = Scales + ScalePieces<Format> * PieceBytes;
};

// The rows that a thread copies from: those copiedRow names of the input's first part, those copiedWeightRow names of the weight,
// and from copiedScaleRow on the scales of a piece.
template <int Rows, typename Format = BFloat16Weights>
struct TileSources
{
    static constexpr int CopiedWeightRows = TileShape<Rows>::Threads / WeightPieces<Format>;
    static constexpr int WeightCopies = (TileOutputs + CopiedWeightRows - 1) / CopiedWeightRows;

    const bfloat16* inputs[TileShape<Rows>::InputCopies];
    const char* weights[WeightCopies];
    const char* scales;
    int scaleStride;

    METHOD void setWeight(int copy, const WeightMatrix& matrix, long long row, int columns)
    {
        weights[copy] = matrix.values + row * columnBytes<Format>(columns);
    }

    // Behind the last rows there is room for a whole piece less than one.
    METHOD void setScales(const WeightMatrix& matrix, int row)
    {
        scaleStride = matrix.scaleStride;
        row = row < scaleStride ? row : scaleStride - ScaleRows<Format>;
        scales = matrix.scales + (long long)row * Format::ScaleBytes;
    }
};

template <int Rows>
DEVICE int copiedRow(int copy)
{
    return threadIndex() / RowPieces + copy * TileShape<Rows>::CopiedRows;
}

template <int Rows, typename Format>
DEVICE int copiedWeightRow(int copy)
{
    int row = threadIndex() / WeightPieces<Format> + copy * TileSources<Rows, Format>::CopiedWeightRows;
    return row < TileOutputs ? row : TileOutputs - 1;
}

template <typename Format>
DEVICE int copiedScaleRow()
{
    return Format::IsScaled ? threadIndex() % (TileOutputs / ScaleRows<Format>) * ScaleRows<Format> : 0;
}

// Where a piece of a row lies among its rows.
DEVICE int pieceOffset(int row, int piece) { return row * RowBytes + (piece ^ (row / 2 % RowPieces)) * PieceBytes; }

// Where a piece of a row of weights lies among theirs: in eight rows that follow each other no lane meets another one's bank.
template <typename Format>
DEVICE int weightOffset(int row, int piece)
{
    return Format::Bits == 16 ? pieceOffset(row, piece)
        : Format::Bits == 8   ? row * 2 * PieceBytes + (piece ^ (row / 4 % 2)) * PieceBytes
                              : row * PieceBytes;
}

// Begins the copies of the weights of 32 columns, and of their scales.
template <int Rows, int Parts, typename Format>
DEVICE void copyWeights(const TileSources<Rows, Format>& sources, int firstColumn, int columns, char* stage)
{
    using Sources = TileSources<Rows, Format>;
    using Layout = StageLayout<Rows, Parts, Format>;
    int piece = threadIndex() % WeightPieces<Format>;
    int column = firstColumn + piece * WeightPieceColumns<Format>;
    int bytes = column < columns ? PieceBytes : 0;
    column = column < columns ? column : 0;
#pragma unroll
    for (int i = 0; i < Sources::WeightCopies; i++)
    {
        int row = threadIndex() / WeightPieces<Format> + i * Sources::CopiedWeightRows;
        if (TileOutputs % Sources::CopiedWeightRows == 0 || row < TileOutputs)
        {
            char* place = stage + Layout::Weights + weightOffset<Format>(row, piece);
            copyAsync(place, sources.weights[i] + columnBytes<Format>(column), bytes);
        }
    }

    if (Format::IsScaled && threadIndex() < ScalePieces<Format>)
    {
        long long block = firstColumn / Format::BlockColumns;
        const char* scales = sources.scales + block * sources.scaleStride * Format::ScaleBytes;
        copyAsync(stage + Layout::Scales + threadIndex() * PieceBytes, scales, PieceBytes);
    }
}

// Begins the copies of 32 columns into a stage.
template <int Rows, int Parts, typename Format>
DEVICE void copyStage(
    const TileSources<Rows, Format>& sources,
    long long partStride, // values
    int firstColumn,
    int columns,
    char* stage)
{
    using Shape = TileShape<Rows>;
    int column = firstColumn + threadIndex() % RowPieces * PieceColumns;
    int bytes = column < columns ? PieceBytes : 0;
    column = column < columns ? column : 0;
#pragma unroll
    for (int p = 0; p < Parts; p++)
    {
#pragma unroll
        for (int i = 0; i < Shape::InputCopies; i++)
        {
            int row = copiedRow<Rows>(i);
            if (Rows % Shape::CopiedRows == 0 || row < Rows)
            {
                char* place = stage + p * Rows * RowBytes + pieceOffset(row, threadIndex() % RowPieces);
                copyAsync(place, sources.inputs[i] + p * partStride + column, bytes);
            }
        }
    }

    copyWeights<Rows, Parts>(sources, firstColumn, columns, stage);
}
