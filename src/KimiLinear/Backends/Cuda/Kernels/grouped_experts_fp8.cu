// Grouped experts with weights in 8-bit floats; grouped_experts.h says more.
#include "grouped_experts.h"

KERNEL(grouped_gate_up_fp8_128_1, GroupedGateUpArguments, 256) { groupedGateUp<Float8Weights, 128, 1>(a); }
KERNEL(grouped_gate_up_fp8_128_2, GroupedGateUpArguments, 256) { groupedGateUp<Float8Weights, 128, 2>(a); }
KERNEL(grouped_gate_up_fp8_64_1, GroupedGateUpArguments, 128) { groupedGateUp<Float8Weights, 64, 1>(a); }
KERNEL(grouped_gate_up_fp8_64_2, GroupedGateUpArguments, 128) { groupedGateUp<Float8Weights, 64, 2>(a); }
KERNEL(grouped_gate_up_fp8_16_1, GroupedGateUpArguments, 128) { groupedGateUp<Float8Weights, 16, 1>(a); }
KERNEL(grouped_gate_up_fp8_16_2, GroupedGateUpArguments, 128) { groupedGateUp<Float8Weights, 16, 2>(a); }
KERNEL(grouped_down_fp8_128_1, GroupedDownArguments, 256) { groupedDown<Float8Weights, 128, 1>(a); }
KERNEL(grouped_down_fp8_128_2, GroupedDownArguments, 256) { groupedDown<Float8Weights, 128, 2>(a); }
KERNEL(grouped_down_fp8_64_1, GroupedDownArguments, 128) { groupedDown<Float8Weights, 64, 1>(a); }
KERNEL(grouped_down_fp8_64_2, GroupedDownArguments, 128) { groupedDown<Float8Weights, 64, 2>(a); }
KERNEL(grouped_down_fp8_16_1, GroupedDownArguments, 128) { groupedDown<Float8Weights, 16, 1>(a); }
KERNEL(grouped_down_fp8_16_2, GroupedDownArguments, 128) { groupedDown<Float8Weights, 16, 2>(a); }
