// Projections with weights in 8-bit codes; project.h says more.
#include "project.h"

KERNEL(project_q8_1, ProjectArguments, 256) { project<Packed8Weights, 1>(a); }
KERNEL(project_q8_2, ProjectArguments, 256) { project<Packed8Weights, 2>(a); }
KERNEL(project_q8_4, ProjectArguments, 256) { project<Packed8Weights, 4>(a); }
KERNEL(project_q8_8, ProjectArguments, 256) { project<Packed8Weights, 8>(a); }
