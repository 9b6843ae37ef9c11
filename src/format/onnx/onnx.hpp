// ONNX models: networks and ai.onnx.ml models whose operators act on each row by itself. Format: onnx.proto and the
// operator documents of the ONNX project (onnx/docs/Operators.md, Operators-ml.md).
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <string>
#include <vector>

namespace h5score::format::onnx {

/// True if the file begins as an ONNX ModelProto: the version of the representation, then a field of that message.
bool recognise(const std::string& path, base::ByteView head);

/// Reads a model. Throws Error(data) naming operator, node and opset where it cannot be scored row by row by the stages
/// that there are, and for damaged files; the files that it names for external data must lie in its own folder.
model::Model load(const std::string& path);

/// One supported operator, for documents and tests.
struct OperatorInfo {
  std::string domain;  ///< "ai.onnx" or "ai.onnx.ml"
  std::string name;
  base::i64 since = 1;  ///< the oldest opset whose form of it is read
  std::string notes;    ///< what of it is supported; empty: all
};
/// All supported operators, by domain and name; empty in a build without ONNX.
std::vector<OperatorInfo> operators();

}  // namespace h5score::format::onnx
