// What the list of nodes of a graph must be before it can be lowered.
#pragma once

#include "proto.hpp"

namespace h5score::format::onnx {

/// Checks that each value is given once and before it is read (the rules of single assignment and topological order of
/// ONNX's IR document), and that no output is listed twice. Values that nothing gives are left to their readers.
/// Throws Error(data) naming the value.
void check_structure(const pb::GraphProto& graph);

}  // namespace h5score::format::onnx
