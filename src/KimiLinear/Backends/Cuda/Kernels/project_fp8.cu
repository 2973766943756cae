// Projections with weights in 8-bit floats; project.h says more.
#include "project.h"

KERNEL(project_fp8_1, ProjectArguments, 256) { project<Float8Weights, 1>(a); }
KERNEL(project_fp8_2, ProjectArguments, 256) { project<Float8Weights, 2>(a); }
KERNEL(project_fp8_4, ProjectArguments, 256) { project<Float8Weights, 4>(a); }
KERNEL(project_fp8_8, ProjectArguments, 256) { project<Float8Weights, 8>(a); }
