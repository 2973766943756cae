// Groups the rows of a mixture-of-experts layer by expert, without the host: a row is a token's place among its chosen experts,
// its number token · A + place. The experts' rows lie one behind the other, ascending in each; what comes out depends on nothing
// but the choice.
//
// The rows are read in chunks of 1024, one block each, first by count_experts, then by order_experts. A thread looks for the rows
// of one expert at a time, so that nobody needs to count together.
#include "arithmetic.h"

using Int4 = int __attribute__((ext_vector_type(4)));

struct OrderExpertsArguments
{
    const int* experts; // [T·A], below E
    int* counts;        // [chunks, E], of count_experts: how many rows of a chunk are an expert's
    int* order;         // [T·A], the rows by expert
    int* tiles;         // [tiles, 4]: expert, first place in the order, how many places, 0; those without work have 0 places
    int rows;           // T·A
    int expertCount;    // E
    int tileRows;       // places of a tile at most; a tile is of one expert
    int tileCount;      // as many as any choice can make
};

constexpr int ChunkRows = 1024;

// Returns how many rows are the chunk's; behind them, up to a multiple of four, stands no expert's number.
DEVICE int loadChunk(const OrderExpertsArguments& a, int* chunk)
{
    int first = blockX() * ChunkRows;
    int count = a.rows - first < ChunkRows ? a.rows - first : ChunkRows;
    for (int i = threadIndex(); i < ceilingDivide(count, 4) * 4; i += threadCount())
    {
        chunk[i] = i < count ? a.experts[first + i] : -1;
    }

    barrier();
    return count;
}

// Grid [chunks]. Shared memory: [1024] int32.
KERNEL(count_experts, OrderExpertsArguments, 256)
{
    int* chunk = (int*)sharedMemory();
    int length = loadChunk(a, chunk);
    for (int expert = threadIndex(); expert < a.expertCount; expert += threadCount())
    {
        int count = 0;
        for (int i = 0; i < length; i += 4)
        {
            Int4 found = *(const Int4*)(chunk + i);
            count += (found.x == expert) + (found.y == expert) + (found.z == expert) + (found.w == expert);
        }

        a.counts[(long long)blockX() * a.expertCount + expert] = count;
    }
}

// Sums what stands before an expert's number.
DEVICE int sumBefore(const int* values, int expert)
{
    int sum = 0;
    for (int i = 0; i < expert; i++)
    {
        sum += values[i];
    }

    return sum;
}

// Sums an expert's counts of the first chunks.
DEVICE int sumChunks(const OrderExpertsArguments& a, int expert, int chunks)
{
    int sum = 0;
#pragma unroll 8
    for (int i = 0; i < chunks; i++)
    {
        sum += a.counts[(long long)i * a.expertCount + expert];
    }

    return sum;
}

// The tiles of an expert, and behind those of the last expert all that have no work.
DEVICE void writeTiles(const OrderExpertsArguments& a, int expert, int firstTile, int firstPlace, int count)
{
    int end = firstTile + ceilingDivide(count, a.tileRows);
    for (int tile = firstTile; tile < end; tile++)
    {
        int done = (tile - firstTile) * a.tileRows;
        int left = count - done;
        *(Int4*)(a.tiles + tile * 4) = Int4{expert, firstPlace + done, left < a.tileRows ? left : a.tileRows, 0};
    }

    if (expert == a.expertCount - 1)
    {
        for (int tile = end; tile < a.tileCount; tile++)
        {
            *(Int4*)(a.tiles + tile * 4) = Int4{0, 0, 0, 0};
        }
    }
}

// Grid [chunks]. Every block adds the counts up for itself; the first one writes the tiles.
// Shared memory: [1024] + 2 · [E] int32.
KERNEL(order_experts, OrderExpertsArguments, 256)
{
    int* chunk = (int*)sharedMemory();
    int* totals = chunk + ChunkRows;
    int* tileCounts = totals + a.expertCount;
    int length = loadChunk(a, chunk);
    for (int expert = threadIndex(); expert < a.expertCount; expert += threadCount())
    {
        int total = sumChunks(a, expert, gridX());
        totals[expert] = total;
        tileCounts[expert] = ceilingDivide(total, a.tileRows);
    }

    barrier();
    for (int expert = threadIndex(); expert < a.expertCount; expert += threadCount())
    {
        int firstPlace = sumBefore(totals, expert);
        if (blockX() == 0)
        {
            writeTiles(a, expert, sumBefore(tileCounts, expert), firstPlace, totals[expert]);
        }

        int* order = a.order + firstPlace + sumChunks(a, expert, blockX());
        int firstRow = blockX() * ChunkRows;
        for (int i = 0; i < length; i += 4)
        {
            Int4 found = *(const Int4*)(chunk + i);
#pragma unroll
            for (int j = 0; j < 4; j++)
            {
                if (found[j] == expert)
                {
                    *order++ = firstRow + i + j;
                }
            }
        }
    }
}
