// Tensors of ONNX files as constants.
#pragma once

#include "proto.hpp"
#include "values.hpp"

#include <string>

namespace h5score::format::onnx {

/// The values of a tensor: real types as double, integers and booleans as i64, strings. `folder` is the model's own,
/// for external data. Throws Error(data) naming the tensor where its bytes do not fit its shape or its type is none of
/// these.
Constant decode(const pb::TensorProto& tensor, const std::string& folder);

}  // namespace h5score::format::onnx
