// Latent attention in its expanded form, for a sequence of many new tokens: every head has keys and values of its own.
//
//   k_s = K_h c_s ‖ k_p,s     v_s = V_h c_s     output_t = Σ_s softmax_s(q_t · k_s · (Nope + P)^-1/2) v_s over s ≤ t
// Keys and values come from gather_latent.cu and a product with W_kv_b for one run of the context at a time. Between the runs a
// token's row of the output holds Σ 2^(score − max) · v, and its scales the largest score and Σ 2^(score − max); the run that ends
// with the token itself divides. Scores are in base two. Operands are bfloat16 in one part or in two, sums float32.
//
// A block takes 128 tokens of one head in four warps of 32, with operands in two parts 64 tokens in warps of 16. Keys and values
// come 64 at a time; while scores are computed the values are on their way, and while values are weighed the next keys.
#include "expanded_sums.h"
#include "padded_rows.h"
#include "parts.h"

constexpr int AttendWarps = 4;

// Where everything lies in shared memory.
struct ExpandedMemory
{
    char* queries; // [parts, tokens of the block] padded rows of Nope + P
    char* keys;    // [parts, 64] such rows
    char* values;  // [parts, 64] padded rows of V
    int keyBytes;
    int valueBytes;
};

template <int Rows, int Parts>
DEVICE ExpandedMemory expandedMemory(const ExpandedAttendArguments& a)
{
    ExpandedMemory memory;
    memory.keyBytes = paddedBytes(a.keyDim + a.sharedDim);
    memory.valueBytes = paddedBytes(a.valueDim);
    memory.queries = (char*)sharedMemory();
    memory.keys = memory.queries + Parts * Rows * memory.keyBytes;
    memory.values = memory.keys + Parts * KeyTile * memory.keyBytes;
    return memory;
}

template <int Rows, int Parts>
DEVICE void loadQueries(const ExpandedAttendArguments& a, int firstToken, const ExpandedMemory& memory)
{
    int length = a.keyDim + a.sharedDim;
    int pieces = roundUp(length, MatrixColumns) / PieceColumns;
    const float logarithmOfE = 1.44269504f; // in base two
    float scale = logarithmOfE / squareRoot((float)length);
    for (int i = threadIndex(); i < Rows * pieces; i += threadCount())
    {
        int row = i / pieces;
        int column = i % pieces * PieceColumns;
        int token = firstToken + row < a.tokens ? firstToken + row : a.tokens - 1;
        const float* query = a.projected + (long long)token * a.projectedLength + blockY() * length + column;
        float values[PieceColumns];
#pragma unroll
        for (int c = 0; c < PieceColumns; c += 4)
        {
            Float4 four = column < length ? *(const Float4*)(query + c) * scale : Float4{};
            values[c] = four.x;
            values[c + 1] = four.y;
            values[c + 2] = four.z;
            values[c + 3] = four.w;
        }

#pragma unroll
        for (int p = 0; p < Parts; p++)
        {
            UInt4 words;
            words.x = takeParts(values[0], values[1]);
            words.y = takeParts(values[2], values[3]);
            words.z = takeParts(values[4], values[5]);
            words.w = takeParts(values[6], values[7]);
            *(UInt4*)(memory.queries + (p * Rows + row) * memory.keyBytes + column * 2) = words;
        }
    }
}

// Begins to copy 64 keys, zeros where there are none.
template <int Parts>
DEVICE void copyKeys(const ExpandedAttendArguments& a, int first, const ExpandedMemory& memory)
{
    int length = a.keyDim + a.sharedDim;
    int pieces = roundUp(length, MatrixColumns) / PieceColumns;
    int headDim = a.keyDim + a.valueDim;
    for (int i = threadIndex(); i < Parts * KeyTile * pieces; i += threadCount())
    {
        int part = i / (KeyTile * pieces);
        int row = i / pieces % KeyTile;
        int column = i % pieces * PieceColumns;
        long long key = (long long)part * a.keys + (first + row < a.keys ? first + row : a.keys - 1);
        int shared = column < length ? column - a.keyDim : 0;
        const bfloat16* source = column < a.keyDim ? a.keyValues + (key * a.heads + blockY()) * headDim + column
                                                   : a.sharedKeys + key * a.sharedDim + shared;
        int bytes = first + row < a.keys && column < length ? PieceBytes : 0;
        copyAsync(memory.keys + (part * KeyTile + row) * memory.keyBytes + column * 2, source, bytes);
    }
}

template <int Parts>
DEVICE void copyValues(const ExpandedAttendArguments& a, int first, const ExpandedMemory& memory)
{
    int pieces = roundUp(a.valueDim, MatrixColumns) / PieceColumns;
    int headDim = a.keyDim + a.valueDim;
    for (int i = threadIndex(); i < Parts * KeyTile * pieces; i += threadCount())
    {
        int part = i / (KeyTile * pieces);
        int row = i / pieces % KeyTile;
        int column = i % pieces * PieceColumns;
        long long key = (long long)part * a.keys + (first + row < a.keys ? first + row : a.keys - 1);
        int bytes = first + row < a.keys && column < a.valueDim ? PieceBytes : 0;
        const bfloat16* head = a.keyValues + (key * a.heads + blockY()) * headDim + a.keyDim;
        copyAsync(
            memory.values + (part * KeyTile + row) * memory.valueBytes + column * 2,
            head + (column < a.valueDim ? column : 0),
            bytes);
    }
}

// The scores of 64 keys.
template <int Rows, int Parts, int RowTiles>
DEVICE void score(
    const ExpandedAttendArguments& a, const ExpandedMemory& memory, float (&scores)[RowTiles][KeyTile / MatrixOutputs][4])
{
#pragma unroll
    for (int i = 0; i < RowTiles; i++)
    {
#pragma unroll
        for (int n = 0; n < KeyTile / MatrixOutputs; n++)
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                scores[i][n][j] = 0;
            }
        }
    }

    const char* queries = memory.queries + warpIndex() * RowTiles * MatrixRows * memory.keyBytes;
    int length = a.keyDim + a.sharedDim;
    for (int column = 0; column < length; column += MatrixColumns)
    {
        unsigned left[RowTiles][Parts][4];
#pragma unroll
        for (int i = 0; i < RowTiles; i++)
        {
#pragma unroll
            for (int p = 0; p < Parts; p++)
            {
                loadLeft(queries + (p * Rows + i * MatrixRows) * memory.keyBytes, memory.keyBytes, column, left[i][p]);
            }
        }

#pragma unroll
        for (int n = 0; n < KeyTile / MatrixOutputs; n += 2)
        {
            unsigned right[Parts][4];
#pragma unroll
            for (int p = 0; p < Parts; p++)
            {
                const char* keys = memory.keys + (p * KeyTile + n * MatrixOutputs) * memory.keyBytes;
                loadRight(keys, memory.keyBytes, column, right[p]);
            }

#pragma unroll
            for (int i = 0; i < RowTiles; i++)
            {
                multiplyParts<Parts>(left[i], right, scores[i][n], scores[i][n + 1]);
            }
        }
    }
}

// Adds 64 weighed values. A lane's weights are what the next product takes of it as its left factor.
template <int Parts, int RowTiles>
DEVICE void addValues(
    const ExpandedAttendArguments& a,
    const ExpandedMemory& memory,
    float (&weights)[RowTiles][KeyTile / MatrixOutputs][4],
    ExpandedSums<RowTiles>& sums)
{
#pragma unroll
    for (int key = 0; key < KeyTile; key += MatrixColumns)
    {
        unsigned left[RowTiles][Parts][4];
#pragma unroll
        for (int i = 0; i < RowTiles; i++)
        {
            auto& first = weights[i][key / MatrixOutputs];
            auto& second = weights[i][key / MatrixOutputs + 1];
#pragma unroll
            for (int p = 0; p < Parts; p++)
            {
                left[i][p][0] = takeParts(first[0], first[1]);
                left[i][p][1] = takeParts(first[2], first[3]);
                left[i][p][2] = takeParts(second[0], second[1]);
                left[i][p][3] = takeParts(second[2], second[3]);
            }
        }

#pragma unroll
        for (int n = 0; n < MaxValueDim / MatrixOutputs; n += 2)
        {
            if (n * MatrixOutputs < a.valueDim)
            {
                unsigned right[Parts][4];
#pragma unroll
                for (int p = 0; p < Parts; p++)
                {
                    const char* values = memory.values + (p * KeyTile + key) * memory.valueBytes;
                    loadRightTurned(values, memory.valueBytes, n * MatrixOutputs, right[p]);
                }

#pragma unroll
                for (int i = 0; i < RowTiles; i++)
                {
                    multiplyParts<Parts>(left[i], right, sums.values[i][n], sums.values[i][n + 1]);
                }
            }
        }
    }
}

// Grid [T / rows, rounded up, H], in blocks of 128 threads. Tokens that come last see the most keys and are taken first.
// Shared memory: parts · ((rows + 64) padded rows of Nope + P, 64 of V).
template <int Rows, int Parts>
DEVICE void expandedAttend(const ExpandedAttendArguments& a)
{
    constexpr int RowTiles = Rows / AttendWarps / MatrixRows;
    int firstToken = (ceilingDivide(a.tokens, Rows) - 1 - blockX()) * Rows;
    int endToken = firstToken + Rows < a.tokens ? firstToken + Rows : a.tokens;
    int visible = a.position + endToken - a.firstKey; // keys of the run that the last token sees
    bool isLast = visible <= a.keys;
    visible = visible < a.keys ? visible : a.keys;
    if (visible <= 0)
    {
        return;
    }

    ExpandedMemory memory = expandedMemory<Rows, Parts>(a);
    copyKeys<Parts>(a, 0, memory);
    commitCopies();
    loadQueries<Rows, Parts>(a, firstToken, memory);
    int firstRow = firstToken + warpIndex() * RowTiles * MatrixRows + laneIndex() / 4;
    ExpandedSums<RowTiles> sums;
#pragma unroll
    for (int i = 0; i < RowTiles; i++)
    {
        loadSums(a, i, 0, firstRow + i * MatrixRows, sums);
        loadSums(a, i, 1, firstRow + i * MatrixRows + 8, sums);
    }

    for (int first = 0; first < visible; first += KeyTile)
    {
        // After this barrier every thread's keys are there, and nobody reads the values before them any more.
        waitForCopies<0>();
        barrier();
        copyValues<Parts>(a, first, memory);
        commitCopies();
        float scores[RowTiles][KeyTile / MatrixOutputs][4];
        score<Rows, Parts>(a, memory, scores);
        barrier();
        if (first + KeyTile < visible)
        {
            copyKeys<Parts>(a, first + KeyTile, memory);
        }

        commitCopies();
#pragma unroll
        for (int i = 0; i < RowTiles; i++)
        {
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                int seen = a.position + firstRow + i * MatrixRows + half * 8 + 1 - a.firstKey - first;
                if (a.position + firstToken + 1 - a.firstKey - first < KeyTile)
                {
                    hideLater(seen, half, scores[i]);
                }

                weigh(i, half, scores[i], sums);
            }
        }

        waitForCopies<1>();
        barrier();
        addValues<Parts>(a, memory, scores, sums);
    }

#pragma unroll
    for (int i = 0; i < RowTiles; i++)
    {
        storeSums(a, i, 0, firstRow + i * MatrixRows, isLast, sums);
        storeSums(a, i, 1, firstRow + i * MatrixRows + 8, isLast, sums);
    }
}

KERNEL(expanded_attend_1, ExpandedAttendArguments, 128) { expandedAttend<128, 1>(a); }
KERNEL(expanded_attend_2, ExpandedAttendArguments, 128) { expandedAttend<64, 2>(a); }
