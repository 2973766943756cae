// Grouped experts with weights in 8-bit codes; grouped_experts.h says more.
#include "grouped_experts.h"

KERNEL(grouped_gate_up_q8_128_1, GroupedGateUpArguments, 256) { groupedGateUp<Packed8Weights, 128, 1>(a); }
KERNEL(grouped_gate_up_q8_128_2, GroupedGateUpArguments, 256) { groupedGateUp<Packed8Weights, 128, 2>(a); }
KERNEL(grouped_gate_up_q8_64_1, GroupedGateUpArguments, 128) { groupedGateUp<Packed8Weights, 64, 1>(a); }
KERNEL(grouped_gate_up_q8_64_2, GroupedGateUpArguments, 128) { groupedGateUp<Packed8Weights, 64, 2>(a); }
KERNEL(grouped_gate_up_q8_16_1, GroupedGateUpArguments, 128) { groupedGateUp<Packed8Weights, 16, 1>(a); }
KERNEL(grouped_gate_up_q8_16_2, GroupedGateUpArguments, 128) { groupedGateUp<Packed8Weights, 16, 2>(a); }
KERNEL(grouped_down_q8_128_1, GroupedDownArguments, 256) { groupedDown<Packed8Weights, 128, 1>(a); }
KERNEL(grouped_down_q8_128_2, GroupedDownArguments, 256) { groupedDown<Packed8Weights, 128, 2>(a); }
KERNEL(grouped_down_q8_64_1, GroupedDownArguments, 128) { groupedDown<Packed8Weights, 64, 1>(a); }
KERNEL(grouped_down_q8_64_2, GroupedDownArguments, 128) { groupedDown<Packed8Weights, 64, 2>(a); }
KERNEL(grouped_down_q8_16_1, GroupedDownArguments, 128) { groupedDown<Packed8Weights, 16, 1>(a); }
KERNEL(grouped_down_q8_16_2, GroupedDownArguments, 128) { groupedDown<Packed8Weights, 16, 2>(a); }
