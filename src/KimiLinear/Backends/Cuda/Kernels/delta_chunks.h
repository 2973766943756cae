// The gated delta rule over chunks of 64 tokens: what lies between the kernel that takes a chunk by itself (delta_chunk.cu) and
// the one that follows the state from chunk to chunk (delta_scan.cu).
//
// With α_i the decays of token i per key channel, and a product over no tokens one, a chunk and head has
//   M_ij = Σ_c k_i k_j Π_{j<r≤i} α_r, j < i               P_ij the same with q_i, j ≤ i
//   W_i = β_i (Π_{r≤i} α_r ⊙ k_i − Σ_{j<i} M_ij W_j)      U_i = β_i (v_i − Σ_{j<i} M_ij U_j)
//   D = U − W Sᵀ     O = Q Sᵀ + P D     S ← S·diag(Π_r α_r) + Dᵀ K
//   Q_i = Π_{r≤i} α_r ⊙ q_i             K_i = Π_{r>i} α_r ⊙ k_i
// Every factor is a product of decays and no quotient of two, so none is above one however strong the decay, and one that
// vanishes belongs to tokens that have forgotten each other. Factors of products lie in two bfloat16 parts.
#pragma once
#include "matrix.h"

constexpr int ChunkTokens = 64;
constexpr int ChunkParts = 2;

// Rows of a chunk and head.
constexpr int DeltaRowW = 0;
constexpr int DeltaRowQ = 1;
constexpr int DeltaRowK = 2;
constexpr int DeltaRowKinds = 3;

struct DeltaChunks
{
    bfloat16* rows;  // [chunks, H, 3, parts, 64, K]: W, Q, K
    bfloat16* pairs; // [chunks, H, parts, 64, 64]: Pᵀ; of tokens 16 by 16 only blocks with j ≤ i are written
    float* values;   // [chunks, H, 64, K]: U
    float* decays;   // [chunks, H, K]: Π_r α_r
};

DEVICE bfloat16* chunkRows(const DeltaChunks& chunks, long long place, int headDim, int kind, int part)
{
    return chunks.rows + ((place * DeltaRowKinds + kind) * ChunkParts + part) * ChunkTokens * headDim;
}

DEVICE bfloat16* chunkPairs(const DeltaChunks& chunks, long long place, int part)
{
    return chunks.pairs + (place * ChunkParts + part) * ChunkTokens * ChunkTokens;
}
