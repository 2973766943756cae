// Projections with weights in bfloat16; project.h says more.
#include "project.h"

KERNEL(project_1, ProjectArguments, 256) { project<BFloat16Weights, 1>(a); }
KERNEL(project_2, ProjectArguments, 256) { project<BFloat16Weights, 2>(a); }
KERNEL(project_4, ProjectArguments, 256) { project<BFloat16Weights, 4>(a); }
KERNEL(project_8, ProjectArguments, 256) { project<BFloat16Weights, 8>(a); }
