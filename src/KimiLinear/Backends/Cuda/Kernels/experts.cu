// Experts with weights in bfloat16; experts.h says more.
#include "experts.h"

KERNEL(expert_gate_up, ExpertGateUpArguments, 256) { expertGateUp<BFloat16Weights>(a); }
KERNEL(expert_down, ExpertDownArguments, 256) { expertDown<BFloat16Weights>(a); }
