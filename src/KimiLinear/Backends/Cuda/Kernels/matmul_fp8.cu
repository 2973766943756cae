// Products of many tokens with weights in 8-bit floats; matmul.h says more.
#include "matmul.h"

KERNEL(matmul_fp8_128_1, MatMulArguments, 256) { matmul<Float8Weights, 128, 1>(a); }
KERNEL(matmul_fp8_128_2, MatMulArguments, 256) { matmul<Float8Weights, 128, 2>(a); }
KERNEL(matmul_fp8_64_1, MatMulArguments, 128) { matmul<Float8Weights, 64, 1>(a); }
KERNEL(matmul_fp8_64_2, MatMulArguments, 128) { matmul<Float8Weights, 64, 2>(a); }
KERNEL(matmul_fp8_16_1, MatMulArguments, 128) { matmul<Float8Weights, 16, 1>(a); }
KERNEL(matmul_fp8_16_2, MatMulArguments, 128) { matmul<Float8Weights, 16, 2>(a); }
