// Grouped experts with weights in bfloat16; grouped_experts.h says more.
#include "grouped_experts.h"

KERNEL(grouped_gate_up_128_1, GroupedGateUpArguments, 256) { groupedGateUp<BFloat16Weights, 128, 1>(a); }
KERNEL(grouped_gate_up_128_2, GroupedGateUpArguments, 256) { groupedGateUp<BFloat16Weights, 128, 2>(a); }
KERNEL(grouped_gate_up_64_1, GroupedGateUpArguments, 128) { groupedGateUp<BFloat16Weights, 64, 1>(a); }
KERNEL(grouped_gate_up_64_2, GroupedGateUpArguments, 128) { groupedGateUp<BFloat16Weights, 64, 2>(a); }
KERNEL(grouped_gate_up_16_1, GroupedGateUpArguments, 128) { groupedGateUp<BFloat16Weights, 16, 1>(a); }
KERNEL(grouped_gate_up_16_2, GroupedGateUpArguments, 128) { groupedGateUp<BFloat16Weights, 16, 2>(a); }
KERNEL(grouped_down_128_1, GroupedDownArguments, 256) { groupedDown<BFloat16Weights, 128, 1>(a); }
KERNEL(grouped_down_128_2, GroupedDownArguments, 256) { groupedDown<BFloat16Weights, 128, 2>(a); }
KERNEL(grouped_down_64_1, GroupedDownArguments, 128) { groupedDown<BFloat16Weights, 64, 1>(a); }
KERNEL(grouped_down_64_2, GroupedDownArguments, 128) { groupedDown<BFloat16Weights, 64, 2>(a); }
KERNEL(grouped_down_16_1, GroupedDownArguments, 128) { groupedDown<BFloat16Weights, 16, 1>(a); }
KERNEL(grouped_down_16_2, GroupedDownArguments, 128) { groupedDown<BFloat16Weights, 16, 2>(a); }
