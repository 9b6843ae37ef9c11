// Parsing of ONNX files.
#include "proto.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

#include <google/protobuf/io/coded_stream.h>

#include <cerrno>
#include <fstream>
#include <limits>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;

std::string read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error(ExitCode::no_input, "cannot be opened", base::errno_text(errno));
  const std::streamoff size = stream.tellg();
  if (size > std::numeric_limits<int>::max())
    throw Error(ExitCode::data, "the ONNX file is too large", "a protobuf message ends at 2 GiB",
                "save it with external data");
  std::string bytes(static_cast<std::size_t>(size), '\0');
  stream.seekg(0);
  if (!stream.read(bytes.data(), size)) throw Error(ExitCode::io, "cannot be read", base::errno_text(errno));
  return bytes;
}

}  // namespace

pb::ModelProto read_model(const std::string& path) {
  const std::string bytes = read_bytes(path);
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  pb::ModelProto model;
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw Error(ExitCode::data, "the ONNX file is damaged or cut off",
                "its " + std::to_string(bytes.size()) + " bytes are no protobuf message of a model");
  if (model.ir_version() < 3)
    throw Error(ExitCode::data, "the ONNX file is too old", "IR version " + std::to_string(model.ir_version()),
                "convert it to IR version 3 or later");
  if (!model.has_graph() || model.graph().node_size() == 0)
    throw Error(ExitCode::data, "the ONNX file has no graph", "it may be cut off");
  if (model.opset_import_size() == 0)
    throw Error(ExitCode::data, "the ONNX file names no operator set", "it may be cut off");
  return model;
}

}  // namespace h5score::format::onnx
