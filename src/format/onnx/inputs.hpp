// The inputs of an ONNX graph as features.
#pragma once

#include "graph.hpp"
#include "proto.hpp"

#include <string>
#include <utility>
#include <vector>

namespace h5score::format::onnx {

struct Inputs {
  u64 features = 0;
  u64 declared_batch = 0;  ///< of all inputs; 0: any number of rows
  bool float64 = false;
  std::vector<u64> row_shape;              ///< of a single input with more than one axis after that of the rows
  std::vector<std::string> feature_names;  ///< of inputs with one column each
  std::vector<std::pair<std::string, Rows>> values;
};

/// The graph's inputs that are no initializers and that `nodes` read; several are features one behind the other. Throws
/// Error(data) naming inputs that are no tables of numbers or whose width neither they nor the first operator say.
Inputs inputs_of(const pb::GraphProto& graph, const std::vector<const pb::NodeProto*>& nodes);

}  // namespace h5score::format::onnx
