// The cached rows of a run of a sequence's tokens, as the products of expanded attention want them: in bfloat16 parts, without
// pages. The latent part goes through W_kv_b from here; the shared key is every head's.
#include "latent_pages.h"
#include "parts.h"

struct GatherLatentArguments
{
    LatentPages cache;
    bfloat16* latents;    // [parts, S, R]
    bfloat16* sharedKeys; // [parts, S, P]
    int sequence;         // the tables by token are not read
    int firstKey;         // position of the first row
    int keys;             // S
    int rank;             // R, a multiple of 8
    int sharedDim;        // P, a multiple of 8
    int partCount;        // 1 or 2
};

// Grid [S / warps, rounded up]; a warp takes one row. No shared memory.
KERNEL(gather_latent, GatherLatentArguments, 256)
{
    int key = blockX() * warpCount() + warpIndex();
    if (key >= a.keys)
    {
        return;
    }

    int rowLength = a.rank + a.sharedDim;
    const char* row = latentRow(a.cache, a.sequence, a.firstKey + key, rowLength);
    for (int c = laneIndex() * VectorColumns; c < rowLength; c += WarpSize * VectorColumns)
    {
        float values[VectorColumns];
        if (a.cache.isBFloat16)
        {
            UInt4 bits = *(const UInt4*)((const bfloat16*)row + c);
#pragma unroll
            for (int i = 0; i < VectorColumns; i++)
            {
                values[i] = asFloat(i % 2 == 0 ? bits[i / 2] << 16 : bits[i / 2] & 0xFFFF0000u);
            }
        }
        else
        {
            Float4 low = *(const Float4*)((const float*)row + c);
            Float4 high = *(const Float4*)((const float*)row + c + 4);
#pragma unroll
            for (int i = 0; i < VectorColumns; i++)
            {
                values[i] = i < 4 ? low[i] : high[i - 4];
            }
        }

        bool isLatent = c < a.rank;
        bfloat16* output = isLatent ? a.latents + (long long)key * a.rank + c
                                    : a.sharedKeys + (long long)key * a.sharedDim + c - a.rank;
        long long partStride = (long long)a.keys * (isLatent ? a.rank : a.sharedDim);
        for (int p = 0; p < a.partCount; p++)
        {
            UInt4 words;
            words.x = takeParts(values[0], values[1]);
            words.y = takeParts(values[2], values[3]);
            words.z = takeParts(values[4], values[5]);
            words.w = takeParts(values[6], values[7]);
            *(UInt4*)(output + p * partStride) = words;
        }
    }
}
