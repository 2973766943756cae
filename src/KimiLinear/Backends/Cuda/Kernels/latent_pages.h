// Pages of cached latent rows. Which page holds what, and how long a sequence is, stands in device memory: one captured graph
// serves every length.
#pragma once
#include "matrix.h"

constexpr int PageTokens = 64;

// Where the cached rows of one layer are.
struct LatentPages
{
    char* pages;          // page p of the layer begins at p · pageStride + layerOffset bytes; rows [64, R + P]
    const int* pageTable; // [B, tableStride]
    const int* sequences; // [T], the sequence of each token
    const int* positions; // [T], the tokens of its sequence before it
    long long pageStride;
    long long layerOffset;
    int tableStride;
    int isBFloat16; // 1: rows of bfloat16, 0: of float32
};

DEVICE char* latentRow(const LatentPages& cache, int sequence, int position, int rowLength)
{
    long long page = cache.pageTable[(long long)sequence * cache.tableStride + position / PageTokens];
    long long bytes = rowLength * (cache.isBFloat16 ? sizeof(bfloat16) : sizeof(float));
    return cache.pages + page * cache.pageStride + cache.layerOffset + position % PageTokens * bytes;
}
