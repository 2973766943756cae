// hidden[t] = table[tokens[t]]: rows of the embedding, widened to float32. One block per token.
#include "arithmetic.h"

struct EmbedArguments
{
    const bfloat16* table; // [N, D]
    const int* tokens;     // [T], below N
    float* hidden;         // [T, D]
    int columns;           // D
};

KERNEL(embed, EmbedArguments, 256)
{
    const bfloat16* row = a.table + (long long)a.tokens[blockX()] * a.columns;
    for (int c = threadIndex(); c < a.columns; c += threadCount())
    {
        a.hidden[(long long)blockX() * a.columns + c] = toFloat(row[c]);
    }
}
