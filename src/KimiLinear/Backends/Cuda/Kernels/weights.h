// How the weights of a matrix lie in device memory, in four formats, and what they stand for.
//
//   BFloat16Weights  the value itself
//   Float8Weights    8-bit floats (e4m3); a float32 scale for 128 columns of a row
//   Packed8Weights   signed 8-bit codes; a bfloat16 scale for 32 columns of a row
//   Packed4Weights   4-bit codes; for 32 columns of a row one byte of scale and one of zero point, and a float32 scale for the
//                    row: value = rowScale · scale · (code − zero / 16)
// Codes lie row by row, without gaps: eight columns are 16, 8, 8 or 4 bytes. Of the 4-bit codes, byte j of four holds column j in
// its lower half and column 4 + j in its upper.
//
// A format without the scale is called a unit here, and is a bfloat16 number exactly: 8-bit floats have 4 bits, 8-bit codes 8,
// and 16 · code − zero is an integer between −255 and 240.
#pragma once
#include "arithmetic.h"

using UInt2 = unsigned __attribute__((ext_vector_type(2)));

// A matrix [X, C].
struct WeightMatrix
{
    const char* values;     // [X, C]
    const char* scales;     // [blocks of C, stride]: that of row x in block b at b · stride + x; null in bfloat16
    const float* rowScales; // [X] of 4-bit codes, else null
    int scaleStride;        // X rounded up to 8
};

// 2^23 with an integer below it in its last bits is that many more.
constexpr unsigned IntegerBits = 0x4B000000u;
constexpr float IntegerBase = 8388608.0f;

// The scale of a row in a block of columns, and what is taken from IntegerBase and the code for the unit.
struct ScaledBlock
{
    float scale;
    float offset;
};

struct BFloat16Weights
{
    static constexpr bool IsScaled = false;
    static constexpr int Bits = 16;
    static constexpr int BlockColumns = 32;
    static constexpr int ScaleBytes = 0;
};

struct Float8Weights
{
    static constexpr bool IsScaled = true;
    static constexpr int Bits = 8;
    static constexpr int BlockColumns = 128;
    static constexpr int ScaleBytes = 4;
    using Vector = UInt2;

    DEVICE ScaledBlock block(const char* scale) { return {*(const float*)scale, 0}; }

    // The bits are those of a float without the bias of its exponent, 2^120 too small; subnormal ones as well. What is no number
    // in these codes comes out as 480, and its block has a scale that is none.
    DEVICE float unit(unsigned code, const ScaledBlock&)
    {
        return asFloat((code & 0x7F) << 20 | (code & 0x80) << 24) * 0x1p120f;
    }
};

struct Packed8Weights
{
    static constexpr bool IsScaled = true;
    static constexpr int Bits = 8;
    static constexpr int BlockColumns = 32;
    static constexpr int ScaleBytes = 2;
    using Vector = UInt2;

    DEVICE ScaledBlock block(const char* scale) { return {toFloat(*(const bfloat16*)scale), 0}; }

    DEVICE float unit(unsigned code, const ScaledBlock&)
    {
        return asFloat(IntegerBits | ((code & 0xFF) ^ 0x80)) - (IntegerBase + 128);
    }
};

struct Packed4Weights
{
    static constexpr bool IsScaled = true;
    static constexpr int Bits = 4;
    static constexpr int BlockColumns = 32;
    static constexpr int ScaleBytes = 2;
    using Vector = unsigned;

    DEVICE ScaledBlock block(const char* scale)
    {
        unsigned both = *(const unsigned short*)scale;
        return {(both & 0xFF) * 0.0625f, IntegerBase + (both >> 8)};
    }

    DEVICE float unit(unsigned code, const ScaledBlock& block)
    {
        return asFloat(IntegerBits | (code & 0xF) << 4) - block.offset;
    }
};

// Bytes of some columns.
template <typename Format>
DEVICE long long columnBytes(long long columns)
{
    return columns * Format::Bits / 8;
}

// One of several matrices [X, C] that lie one behind the other.
template <typename Format>
DEVICE WeightMatrix matrixOf(const WeightMatrix& stack, long long index, int rows, int columns)
{
    long long blocks = ceilingDivide(columns, Format::BlockColumns);
    WeightMatrix matrix = stack;
    matrix.values += index * rows * columnBytes<Format>(columns);
    matrix.scales += index * blocks * stack.scaleStride * Format::ScaleBytes;
    matrix.rowScales += index * rows;
    return matrix;
}

// What the sum of a row's products is to be multiplied with at last.
template <typename Format>
DEVICE float rowScale(const WeightMatrix& matrix, long long row)
{
    return Format::Bits == 4 ? matrix.rowScales[row] : 1;
}

// Two bfloat16 numbers that floats are exactly, the first in the low half.
DEVICE unsigned joinHalves(float first, float second) { return asBits(first) >> 16 | (asBits(second) & 0xFFFF0000u); }
