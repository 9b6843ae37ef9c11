// Which columns matter, found by walking a graph from its end.
#include "graph.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::model {
namespace {

void merge(ColumnUse& into, u64 column, const ColumnUse& from, u64 j) {
  if (from.read[j]) into.read[column] = true;
  if (from.exposed[j]) into.exposed[column] = true;
}

/// Adds the use that a stage makes of its input k, whose columns are `in`, for the use `out` of its own columns.
struct AddUse {
  const ColumnUse& out;
  ColumnUse& in;
  u64 first;  ///< column of `out` where this input begins (concat)

  void operator()(const Impute& s) const {
    for (u64 j = 0; j < in.read.size(); ++j) {
      if (out.read[j]) in.read[j] = true;
      const bool replaced = s.missing_is_nan && !std::isnan(s.statistics[j]);
      if (out.exposed[j] && !replaced) in.exposed[j] = true;
    }
  }
  void operator()(const Select& s) const {
    for (u64 j = 0; j < s.columns.size(); ++j) merge(in, s.columns[j], out, j);
  }
  void operator()(const Affine&) const { mixed(); }
  void operator()(const Softmax&) const { mixed(); }
  void operator()(const KernelExpansion&) const { mixed(); }
  void operator()(const Normalize&) const { mixed(); }
  template <class Columnwise>
  void operator()(const Columnwise&) const {
    for (u64 j = 0; j < in.read.size(); ++j) merge(in, j, out, first + j);
  }

 private:
  void mixed() const {
    if (std::find(out.read.begin(), out.read.end(), true) == out.read.end()) return;
    in.read.assign(in.read.size(), true);
    in.exposed.assign(in.exposed.size(), true);
  }
};

}  // namespace

std::vector<ColumnUse> column_uses(const Graph& graph) {
  const std::vector<u64> widths = node_widths(graph);
  std::vector<ColumnUse> uses;
  for (const u64 width : widths) uses.push_back({std::vector<bool>(width), std::vector<bool>(width)});
  uses[graph.output] = {std::vector<bool>(widths[graph.output], true), std::vector<bool>(widths[graph.output], true)};
  for (u64 i = graph.stages.size(); i-- > 0;) {
    const auto* combine = std::get_if<Combine>(&graph.stages[i]);
    u64 first = 0;
    for (const u64 node : graph.inputs[i]) {
      std::visit(AddUse{uses[i + 1], uses[node], first}, graph.stages[i]);
      if (combine != nullptr && combine->kind == CombineKind::concat) first += widths[node];
    }
  }
  return uses;
}

}  // namespace h5score::model
