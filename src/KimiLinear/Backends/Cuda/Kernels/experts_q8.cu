// Experts with weights in 8-bit codes; experts.h says more.
#include "experts.h"

KERNEL(expert_gate_up_q8, ExpertGateUpArguments, 256) { expertGateUp<Packed8Weights>(a); }
KERNEL(expert_down_q8, ExpertDownArguments, 256) { expertDown<Packed8Weights>(a); }
