// Experts with weights in 4-bit codes; experts.h says more.
#include "experts.h"

KERNEL(expert_gate_up_q4, ExpertGateUpArguments, 256) { expertGateUp<Packed4Weights>(a); }
KERNEL(expert_down_q4, ExpertDownArguments, 256) { expertDown<Packed4Weights>(a); }
