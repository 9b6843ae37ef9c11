// Simplification of imported graphs: exporters write one function in several operators.
#pragma once

#include "h5score/model/model.hpp"

namespace h5score::format::onnx {

/// The same function in fewer stages: a Scale behind an Affine that nothing else reads becomes part of it (MatMul, Add,
/// BatchNormalization), x sigmoid(x) becomes silu, and x (1 + erf(x / sqrt 2)) / 2 in any order becomes gelu. May leave
/// stages that nothing reads.
void fuse(model::Model& model);

}  // namespace h5score::format::onnx
