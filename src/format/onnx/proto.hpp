// ONNX files as protobuf messages of the official schema. Only the sources of this folder see protobuf.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

namespace h5score::format::onnx {

namespace pb = ::onnx;

/// Reads and parses a file, and checks what every model has: a graph, an IR version of 3 or later and operator sets.
/// Throws Error(no_input), Error(io) or Error(data).
pb::ModelProto read_model(const std::string& path);

}  // namespace h5score::format::onnx
