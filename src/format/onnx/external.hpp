// Tensor values that an ONNX model keeps in files beside it.
#pragma once

#include "h5score/base/types.hpp"

#include "proto.hpp"

#include <string>

namespace h5score::format::onnx {

/// The `size` bytes of a tensor with external data. The file must be a regular file in `folder` or below it, also after
/// symbolic links are followed; throws Error(data) naming it otherwise, or where it is too short or a stated length
/// differs from `size`.
std::string external_bytes(const pb::TensorProto& tensor, const std::string& folder, base::u64 size);

}  // namespace h5score::format::onnx
