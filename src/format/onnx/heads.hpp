// From the outputs of an ONNX graph to a head.
#pragma once

#include "graph.hpp"

#include <string>
#include <utility>
#include <vector>

namespace h5score::format::onnx {

using Outputs = std::vector<std::pair<std::string, Value>>;

/// The finished model: its last stage gives what the head needs. Labels with their scores or probabilities become a
/// classifier, several tables of values one table with target names; one table keeps a head of values, to be set by
/// who knows the classes. Throws Error(data) where outputs do not belong together.
model::Model with_head(Graph& graph, const Outputs& outputs);

}  // namespace h5score::format::onnx
