// Projections with weights in 4-bit codes; project.h says more.
#include "project.h"

KERNEL(project_q4_1, ProjectArguments, 256) { project<Packed4Weights, 1>(a); }
KERNEL(project_q4_2, ProjectArguments, 256) { project<Packed4Weights, 2>(a); }
KERNEL(project_q4_4, ProjectArguments, 256) { project<Packed4Weights, 4>(a); }
KERNEL(project_q4_8, ProjectArguments, 256) { project<Packed4Weights, 8>(a); }
