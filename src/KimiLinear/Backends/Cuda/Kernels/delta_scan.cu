// The state of Kimi Delta Attention from chunk to chunk, and what the tokens read from it; behind delta_chunk.cu.
//
// A block has 32 value channels of one head, which nothing in the recurrence joins with the others. Their part of the state lies
// in the registers of its eight warps in float32, and before every chunk once more in shared memory as the factor of products.
// While the chunk's second half is computed the factors of the next chunk's first half are on their way.
//
// Grid [K / 32, rounded up, H], 256 threads. Shared memory: [3, parts, 64] padded rows of K, [parts, 64] of 64, [parts, 32] of K
// and [parts, 64] of 32.
#include "delta_chunks.h"
#include "padded_rows.h"
#include "parts.h"

struct DeltaScanArguments
{
    DeltaChunks chunks;
    const float* projected; // [T, rowLength], for the new tail
    float* state;           // [H, K, K], value channel first; updated in place
    float* tail;            // [W − 1, 3·H·K], updated in place
    float* output;          // [T, H·K]
    int heads;              // H
    int headDim;            // K, a multiple of 16, at most 128
    int taps;               // W
    int rowLength;
    int tokens; // T
};

constexpr int SliceValues = 32;
constexpr int WarpKeys = 32; // key channels of the state that a warp has, of half the slice's value channels

struct ScanMemory
{
    char* rows[DeltaRowKinds]; // [parts, 64] rows of K
    char* pairs;               // [parts, 64] rows of 64
    char* state;               // [parts, 32] rows of K
    char* corrections;         // [parts, 64] rows of 32: D
    int headBytes;             // from row to row
    int pairBytes;
    int correctionBytes;
};

DEVICE ScanMemory scanMemory(int headDim)
{
    ScanMemory memory;
    memory.headBytes = paddedBytes(headDim);
    memory.pairBytes = paddedBytes(ChunkTokens);
    memory.correctionBytes = paddedBytes(SliceValues);
    char* next = (char*)sharedMemory();
    for (int kind = 0; kind < DeltaRowKinds; kind++)
    {
        memory.rows[kind] = next;
        next += ChunkParts * ChunkTokens * memory.headBytes;
    }

    memory.pairs = next;
    memory.state = memory.pairs + ChunkParts * ChunkTokens * memory.pairBytes;
    memory.corrections = memory.state + ChunkParts * SliceValues * memory.headBytes;
    return memory;
}

// Begins to copy both parts of 64 rows.
DEVICE void copyRows(const bfloat16* source, int columns, char* rows, int rowBytes)
{
    int pieces = columns / PieceColumns;
    for (int i = threadIndex(); i < ChunkParts * ChunkTokens * pieces; i += threadCount())
    {
        copyAsync(rows + i / pieces * rowBytes + i % pieces * PieceBytes, source + i * PieceColumns, PieceBytes);
    }
}

// A warp's part of the state: value channels (lane / 4) and + 8 of one half of the slice, pairs of its key channels.
struct StateSums
{
    float values[WarpKeys / MatrixOutputs][4];
};

struct StatePlace
{
    int value; // of a lane's first row in the slice
    int key;   // of a lane's first column
};

DEVICE StatePlace statePlace()
{
    return {warpIndex() % 2 * MatrixRows + laneIndex() / 4, warpIndex() / 2 * WarpKeys + laneIndex() % 4 * 2};
}

DEVICE void loadState(const DeltaScanArguments& a, const float* state, StateSums& sums) // [K, K] of the head
{
    StatePlace place = statePlace();
#pragma unroll
    for (int n = 0; n < WarpKeys / MatrixOutputs; n++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int value = blockX() * SliceValues + place.value + half * 8;
            int key = place.key + n * MatrixOutputs;
            bool exists = value < a.headDim && key < a.headDim;
            sums.values[n][half * 2] = exists ? state[value * a.headDim + key] : 0;
            sums.values[n][half * 2 + 1] = exists ? state[value * a.headDim + key + 1] : 0;
        }
    }
}

DEVICE void storeState(const DeltaScanArguments& a, const StateSums& sums, float* state)
{
    StatePlace place = statePlace();
#pragma unroll
    for (int n = 0; n < WarpKeys / MatrixOutputs; n++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int value = blockX() * SliceValues + place.value + half * 8;
            int key = place.key + n * MatrixOutputs;
            if (value < a.headDim && key < a.headDim)
            {
                state[value * a.headDim + key] = sums.values[n][half * 2];
                state[value * a.headDim + key + 1] = sums.values[n][half * 2 + 1];
            }
        }
    }
}

// Two neighbouring values as words of both parts of a matrix in shared memory.
DEVICE void storeWords(float first, float second, char* place, int partBytes)
{
#pragma unroll
    for (int p = 0; p < ChunkParts; p++)
    {
        *(unsigned*)(place + p * partBytes) = takeParts(first, second);
    }
}

DEVICE void shareState(const DeltaScanArguments& a, const StateSums& sums, const ScanMemory& memory)
{
    StatePlace place = statePlace();
#pragma unroll
    for (int n = 0; n < WarpKeys / MatrixOutputs; n++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int key = place.key + n * MatrixOutputs;
            if (key < a.headDim)
            {
                char* row = memory.state + (place.value + half * 8) * memory.headBytes + key * 2;
                storeWords(sums.values[n][half * 2], sums.values[n][half * 2 + 1], row, SliceValues * memory.headBytes);
            }
        }
    }
}

// A warp's tokens and value channels: 16 of each, as sums of two products of eight channels.
DEVICE int scanToken() { return warpIndex() % 4 * MatrixRows + laneIndex() / 4; }
DEVICE int scanValue() { return warpIndex() / 4 * MatrixColumns; }

// D = U − W Sᵀ goes to shared memory, Q Sᵀ is left in the sums.
DEVICE void readState(const DeltaScanArguments& a, long long place, const ScanMemory& memory, float (&outputs)[2][4])
{
    float predictions[2][4] = {};
    int firstRow = warpIndex() % 4 * MatrixRows;
    for (int channel = 0; channel < a.headDim; channel += MatrixColumns)
    {
        unsigned left[2][ChunkParts][4];
        unsigned right[ChunkParts][4];
#pragma unroll
        for (int p = 0; p < ChunkParts; p++)
        {
            int row = (p * ChunkTokens + firstRow) * memory.headBytes;
            loadLeft(memory.rows[DeltaRowW] + row, memory.headBytes, channel, left[0][p]);
            loadLeft(memory.rows[DeltaRowQ] + row, memory.headBytes, channel, left[1][p]);
            const char* state = memory.state + (p * SliceValues + scanValue()) * memory.headBytes;
            loadRight(state, memory.headBytes, channel, right[p]);
        }

        multiplyParts<ChunkParts>(left[0], right, predictions[0], predictions[1]);
        multiplyParts<ChunkParts>(left[1], right, outputs[0], outputs[1]);
    }

#pragma unroll
    for (int n = 0; n < 2; n++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int row = scanToken() + half * 8;
            int column = scanValue() + n * MatrixOutputs + laneIndex() % 4 * 2;
            int value = blockX() * SliceValues + column;
            const float* values = a.chunks.values + (place * ChunkTokens + row) * a.headDim + value;
            Float2 own = value < a.headDim ? *(const Float2*)values : Float2{};
            storeWords(
                own.x - predictions[n][half * 2],
                own.y - predictions[n][half * 2 + 1],
                memory.corrections + row * memory.correctionBytes + column * 2,
                ChunkTokens * memory.correctionBytes);
        }
    }
}

// Adds P D, of tokens up to the own ones.
DEVICE void addPairs(const ScanMemory& memory, float (&outputs)[2][4])
{
    int firstRow = warpIndex() % 4 * MatrixRows;
    for (int j = 0; j <= firstRow; j += MatrixColumns)
    {
        unsigned left[ChunkParts][4];
        unsigned right[ChunkParts][4];
#pragma unroll
        for (int p = 0; p < ChunkParts; p++)
        {
            int row = p * ChunkTokens + j;
            loadLeftTurned(memory.pairs + row * memory.pairBytes, memory.pairBytes, firstRow, left[p]);
            loadRightTurned(memory.corrections + row * memory.correctionBytes, memory.correctionBytes, scanValue(), right[p]);
        }

        multiplyParts<ChunkParts>(left, right, outputs[0], outputs[1]);
    }
}

// S ← S·diag(decays) + Dᵀ K
DEVICE void moveState(const DeltaScanArguments& a, long long place, const ScanMemory& memory, StateSums& sums)
{
    const float* decays = a.chunks.decays + place * a.headDim;
    int firstKey = warpIndex() / 2 * WarpKeys;
    if (firstKey >= a.headDim)
    {
        return;
    }

#pragma unroll
    for (int n = 0; n < WarpKeys / MatrixOutputs; n++)
    {
        int key = statePlace().key + n * MatrixOutputs;
        Float2 decay = key < a.headDim ? *(const Float2*)(decays + key) : Float2{};
        sums.values[n][0] *= decay.x;
        sums.values[n][1] *= decay.y;
        sums.values[n][2] *= decay.x;
        sums.values[n][3] *= decay.y;
    }

#pragma unroll
    for (int j = 0; j < ChunkTokens; j += MatrixColumns)
    {
        unsigned left[ChunkParts][4];
#pragma unroll
        for (int p = 0; p < ChunkParts; p++)
        {
            const char* corrections = memory.corrections + (p * ChunkTokens + j) * memory.correctionBytes;
            loadLeftTurned(corrections, memory.correctionBytes, warpIndex() % 2 * MatrixRows, left[p]);
        }

#pragma unroll
        for (int n = 0; n < WarpKeys / MatrixOutputs; n += 2)
        {
            int key = firstKey + n * MatrixOutputs;
            if (key < a.headDim)
            {
                unsigned right[ChunkParts][4];
#pragma unroll
                for (int p = 0; p < ChunkParts; p++)
                {
                    const char* keys = memory.rows[DeltaRowK] + (p * ChunkTokens + j) * memory.headBytes;
                    loadRightTurned(keys, memory.headBytes, key, right[p]);
                }

                multiplyParts<ChunkParts>(left, right, sums.values[n], sums.values[n + 1]);
            }
        }
    }
}

DEVICE void storeOutputs(const DeltaScanArguments& a, int firstToken, const float (&outputs)[2][4])
{
#pragma unroll
    for (int n = 0; n < 2; n++)
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int token = firstToken + scanToken() + half * 8;
            int value = blockX() * SliceValues + scanValue() + n * MatrixOutputs + laneIndex() % 4 * 2;
            if (token < a.tokens && value < a.headDim)
            {
                float* row = a.output + ((long long)token * a.heads + blockY()) * a.headDim;
                *(Float2*)(row + value) = Float2{outputs[n][half * 2], outputs[n][half * 2 + 1]};
            }
        }
    }
}

// The last W − 1 inputs of the head's channels; a value that stays moves towards the front.
DEVICE void moveTail(const DeltaScanArguments& a)
{
    int width = a.heads * a.headDim;
    for (int i = threadIndex(); i < 3 * a.headDim; i += threadCount())
    {
        int column = i / a.headDim * width + blockY() * a.headDim + i % a.headDim;
        for (int w = 0; w < a.taps - 1; w++)
        {
            int token = a.tokens - (a.taps - 1) + w;
            a.tail[w * 3 * width + column] = token >= 0 ? a.projected[(long long)token * a.rowLength + column]
                                                        : a.tail[(w + a.tokens) * 3 * width + column];
        }
    }
}

KERNEL(delta_scan, DeltaScanArguments, 256)
{
    ScanMemory memory = scanMemory(a.headDim);
    float* state = a.state + (long long)blockY() * a.headDim * a.headDim;
    int chunks = ceilingDivide(a.tokens, ChunkTokens);
    StateSums sums;
    loadState(a, state, sums);
    auto copyFirst = [&](int chunk)
    {
        long long place = (long long)chunk * a.heads + blockY();
        for (int kind = DeltaRowW; kind <= DeltaRowQ; kind++)
        {
            copyRows(chunkRows(a.chunks, place, a.headDim, kind, 0), a.headDim, memory.rows[kind], memory.headBytes);
        }
    };
    auto copySecond = [&](int chunk)
    {
        long long place = (long long)chunk * a.heads + blockY();
        copyRows(chunkPairs(a.chunks, place, 0), ChunkTokens, memory.pairs, memory.pairBytes);
        copyRows(
            chunkRows(a.chunks, place, a.headDim, DeltaRowK, 0), a.headDim, memory.rows[DeltaRowK], memory.headBytes);
    };
    copyFirst(0);
    commitCopies();
    copySecond(0);
    commitCopies();
    for (int chunk = 0; chunk < chunks; chunk++)
    {
        long long place = (long long)chunk * a.heads + blockY();
        float outputs[2][4] = {};
        shareState(a, sums, memory);
        waitForCopies<1>();
        barrier();
        readState(a, place, memory, outputs);
        waitForCopies<0>();
        barrier();
        if (chunk + 1 < chunks)
        {
            copyFirst(chunk + 1);
        }

        commitCopies();
        addPairs(memory, outputs);
        moveState(a, place, memory, sums);
        storeOutputs(a, chunk * ChunkTokens, outputs);
        barrier();
        if (chunk + 1 < chunks)
        {
            copySecond(chunk + 1);
        }

        commitCopies();
    }

    storeState(a, sums, state);
    if (blockX() == 0)
    {
        moveTail(a);
    }
}
