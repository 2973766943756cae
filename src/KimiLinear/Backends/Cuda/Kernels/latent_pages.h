// Pages of cached latent rows. Which page holds what, and how long a sequence is, stands in device memory: one captured graph
// serves every length.
#pragma once
#include "matrix.h"

constexpr int PageTokens = 64;

// Where the cached rows of one layer are.
struct LatentPages
{
    char* const* pages;    // where each page of all sequences begins; rows [64, R + P] of this layer layerOffset bytes inside
    const int* pageStarts; // [B], the place of each sequence's first page among them
    const int* sequences;  // [T], the sequence of each token
    const int* positions;  // [T], the tokens of its sequence before it
    long long layerOffset;
    int isBFloat16; // 1: rows of bfloat16, 0: of float32
};

DEVICE char* latentRow(const LatentPages& cache, int sequence, int position, int rowLength)
{
    char* page = cache.pages[cache.pageStarts[sequence] + position / PageTokens];
    long long bytes = rowLength * (cache.isBFloat16 ? sizeof(bfloat16) : sizeof(float));
    return page + cache.layerOffset + position % PageTokens * bytes;
}
