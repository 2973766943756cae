// Products of many tokens with weights in bfloat16; matmul.h says more.
#include "matmul.h"

KERNEL(matmul_128_1, MatMulArguments, 256) { matmul<BFloat16Weights, 128, 1>(a); }
KERNEL(matmul_128_2, MatMulArguments, 256) { matmul<BFloat16Weights, 128, 2>(a); }
KERNEL(matmul_64_1, MatMulArguments, 128) { matmul<BFloat16Weights, 64, 1>(a); }
KERNEL(matmul_64_2, MatMulArguments, 128) { matmul<BFloat16Weights, 64, 2>(a); }
KERNEL(matmul_16_1, MatMulArguments, 128) { matmul<BFloat16Weights, 16, 1>(a); }
KERNEL(matmul_16_2, MatMulArguments, 128) { matmul<BFloat16Weights, 16, 2>(a); }
