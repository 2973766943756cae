// Products of many tokens with weights in 8-bit codes; matmul.h says more.
#include "matmul.h"

KERNEL(matmul_q8_128_1, MatMulArguments, 256) { matmul<Packed8Weights, 128, 1>(a); }
KERNEL(matmul_q8_128_2, MatMulArguments, 256) { matmul<Packed8Weights, 128, 2>(a); }
KERNEL(matmul_q8_64_1, MatMulArguments, 128) { matmul<Packed8Weights, 64, 1>(a); }
KERNEL(matmul_q8_64_2, MatMulArguments, 128) { matmul<Packed8Weights, 64, 2>(a); }
KERNEL(matmul_q8_16_1, MatMulArguments, 128) { matmul<Packed8Weights, 16, 1>(a); }
KERNEL(matmul_q8_16_2, MatMulArguments, 128) { matmul<Packed8Weights, 16, 2>(a); }
