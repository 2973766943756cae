// Products of many tokens with weights in 4-bit codes; matmul.h says more.
#include "matmul.h"

KERNEL(matmul_q4_128_1, MatMulArguments, 256) { matmul<Packed4Weights, 128, 1>(a); }
KERNEL(matmul_q4_128_2, MatMulArguments, 256) { matmul<Packed4Weights, 128, 2>(a); }
KERNEL(matmul_q4_64_1, MatMulArguments, 128) { matmul<Packed4Weights, 64, 1>(a); }
KERNEL(matmul_q4_64_2, MatMulArguments, 128) { matmul<Packed4Weights, 64, 2>(a); }
KERNEL(matmul_q4_16_1, MatMulArguments, 128) { matmul<Packed4Weights, 16, 1>(a); }
KERNEL(matmul_q4_16_2, MatMulArguments, 128) { matmul<Packed4Weights, 16, 2>(a); }
