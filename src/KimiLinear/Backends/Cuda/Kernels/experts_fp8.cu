// Experts with weights in 8-bit floats; experts.h says more.
#include "experts.h"

KERNEL(expert_gate_up_fp8, ExpertGateUpArguments, 256) { expertGateUp<Float8Weights>(a); }
KERNEL(expert_down_fp8, ExpertDownArguments, 256) { expertDown<Float8Weights>(a); }
