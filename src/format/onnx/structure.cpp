// Single assignment and topological order.
#include "structure.hpp"

#include "h5score/base/error.hpp"

#include "../printable.hpp"

#include <set>
#include <string>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;
using Names = std::set<std::string>;

void give(Names& given, const std::string& name) {
  if (!name.empty() && !given.insert(name).second)
    throw Error(ExitCode::data, "the value " + shown(name) + " is given twice",
                "ONNX wants each value of a graph to come from one place");
}

// Initializers may be listed as inputs too, whose defaults they are.
Names given_from_outside(const pb::GraphProto& graph) {
  Names initializers, inputs;
  for (const auto& tensor : graph.initializer()) give(initializers, tensor.name());
  for (const auto& input : graph.input()) give(inputs, input.name());
  initializers.merge(inputs);
  return initializers;
}

}  // namespace

void check_structure(const pb::GraphProto& graph) {
  Names later;
  for (const auto& node : graph.node()) later.insert(node.output().begin(), node.output().end());
  Names given = given_from_outside(graph);
  for (const auto& node : graph.node()) {
    for (const auto& name : node.input())
      if (!name.empty() && !given.contains(name) && later.contains(name))
        throw Error(ExitCode::data, "the graph is in no topological order",
                    "node " + shown(node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name()) +
                        " reads " + shown(name) + ", which no earlier node gives");
    for (const auto& name : node.output()) give(given, name);
  }
  Names outputs;
  for (const auto& out : graph.output())
    if (!outputs.insert(out.name()).second)
      throw Error(ExitCode::data, "the output " + shown(out.name()) + " is listed twice");
}

}  // namespace h5score::format::onnx
