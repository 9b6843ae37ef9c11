// ONNX in a build without the ONNX protobuf library: such files are known, and refused.
#include "h5score/base/error.hpp"

#include "onnx.hpp"

namespace h5score::format::onnx {

model::Model load(const std::string& path) {
  throw base::Error(base::ExitCode::data, path + ": ONNX models cannot be read",
                    "this h5score was built with H5SCORE_WITH_ONNX=OFF", "use a build that has it");
}

std::vector<OperatorInfo> operators() {
  return {};
}

}  // namespace h5score::format::onnx
