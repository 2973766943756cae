// hidden[t] = table[tokens[t]]: rows of the embedding, widened to float32. One block per token.
#include "weight_products.h"

struct EmbedArguments
{
    WeightMatrix table; // [N, D]
    const int* tokens;  // [T], below N
    float* hidden;      // [T, D]
    int columns;        // D, whole vectors in a format with scales
};

KERNEL(embed, EmbedArguments, 256)
{
    const bfloat16* row = (const bfloat16*)a.table.values + (long long)a.tokens[blockX()] * a.columns;
    for (int c = threadIndex(); c < a.columns; c += threadCount())
    {
        a.hidden[(long long)blockX() * a.columns + c] = toFloat(row[c]);
    }
}

template <typename Format>
DEVICE void embed(const EmbedArguments& a)
{
    long long row = a.tokens[blockX()];
    const char* codes = a.table.values + row * columnBytes<Format>(a.columns);
    const char* scales = a.table.scales + row * Format::ScaleBytes;
    float factor = rowScale<Format>(a.table, row);
    for (int c = threadIndex() * VectorColumns; c < a.columns; c += threadCount() * VectorColumns)
    {
        long long blockIndex = c / Format::BlockColumns;
        ScaledBlock block = Format::block(scales + blockIndex * a.table.scaleStride * Format::ScaleBytes);
        float units[VectorColumns];
        unpack<Format>(*(const typename Format::Vector*)(codes + columnBytes<Format>(c)), block, units);
        for (int i = 0; i < VectorColumns; i++)
        {
            a.hidden[(long long)blockX() * a.columns + c + i] = factor * block.scale * units[i];
        }
    }
}

KERNEL(embed_fp8, EmbedArguments, 256) { embed<Float8Weights>(a); }
KERNEL(embed_q8, EmbedArguments, 256) { embed<Packed8Weights>(a); }
KERNEL(embed_q4, EmbedArguments, 256) { embed<Packed4Weights>(a); }
