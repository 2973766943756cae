// Matrices of bfloat16 in shared memory as the factors of products on the tensor cores, sixteen rows or columns at a time.
//
// A row is a whole number of 16 columns, zeros behind its values, and 16 bytes more. So its length is an odd number of pieces of
// 16 bytes, and eight rows' pieces of one column lie in eight different eighths of the banks, however long a row is.
#pragma once
#include "arithmetic.h"

constexpr int PieceBytes = 16;
constexpr int PieceColumns = PieceBytes / 2;

// What multiplyMatrices takes.
constexpr int MatrixRows = 16;
constexpr int MatrixOutputs = 8;
constexpr int MatrixColumns = 16;

DEVICE int roundUp(int value, int divisor) { return ceilingDivide(value, divisor) * divisor; }

// Bytes from one row to the next.
DEVICE int paddedBytes(int columns) { return roundUp(columns, MatrixColumns) * 2 + PieceBytes; }

// Left factor [16 rows, 16 columns] from this row on.
DEVICE void loadLeft(const char* rows, int rowBytes, int column, unsigned (&left)[4])
{
    int lane = laneIndex();
    loadMatrices(rows + lane % 16 * rowBytes + (column / PieceColumns + lane / 16) * PieceBytes, left);
}

// Left factor [16 columns of what is stored, 16 rows]: the stored matrix turned.
DEVICE void loadLeftTurned(const char* rows, int rowBytes, int column, unsigned (&left)[4])
{
    int lane = laneIndex();
    int row = lane % 8 + lane / 16 * 8;
    loadMatricesTurned(rows + row * rowBytes + (column / PieceColumns + lane / 8 % 2) * PieceBytes, left);
}

// Right factor whose outputs are sixteen stored rows, over 16 of their columns: words 0 and 1 are of the first eight outputs.
DEVICE void loadRight(const char* rows, int rowBytes, int column, unsigned (&right)[4])
{
    int lane = laneIndex();
    int row = lane % 8 + lane / 16 * 8;
    loadMatrices(rows + row * rowBytes + (column / PieceColumns + lane / 8 % 2) * PieceBytes, right);
}

// Right factor whose outputs are sixteen stored columns, over 16 of the rows.
DEVICE void loadRightTurned(const char* rows, int rowBytes, int column, unsigned (&right)[4])
{
    int lane = laneIndex();
    loadMatricesTurned(rows + lane % 16 * rowBytes + (column / PieceColumns + lane / 16) * PieceBytes, right);
}

// sums += left · right for sixteen outputs, both factors in parts, each with each: the product of what the first parts left of
// both may be as large as what the second ones leave.
template <int Parts>
DEVICE void multiplyParts(
    const unsigned (&left)[Parts][4], const unsigned (&right)[Parts][4], float (&sums0)[4], float (&sums1)[4])
{
#pragma unroll
    for (int r = 0; r < Parts; r++)
    {
#pragma unroll
        for (int l = 0; l < Parts; l++)
        {
            multiplyMatrices(left[l], right[r][0], right[r][1], sums0);
            multiplyMatrices(left[l], right[r][2], right[r][3], sums1);
        }
    }
}
