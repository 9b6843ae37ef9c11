// Growing and pruning of stage graphs.
#include "graph.hpp"

#include "h5score/base/error.hpp"

#include "fuse.hpp"

#include <utility>

namespace h5score::format::onnx {

u64 Graph::add(model::Stage stage, std::vector<u64> inputs) {
  std::vector<u64> widths;
  for (const u64 node : inputs) widths.push_back(width(node));
  widths_.push_back(model::output_width(stage, widths));
  stages_.push_back(std::move(stage));
  inputs_.push_back(std::move(inputs));
  return stages_.size();
}

u64 Graph::node_of(const Rows& rows) {
  bool in_order = rows.columns.empty() || rows.columns.size() == width(rows.node);
  for (u64 i = 0; in_order && i < rows.columns.size(); ++i) in_order = rows.columns[i] == i;
  if (in_order) return rows.node;
  return add(model::Select{rows.columns}, rows.node);
}

void Graph::spend(u64 count) {
  if (count > budget_)
    throw base::Error(base::ExitCode::data, "the graph needs too much memory",
                      std::to_string(count) + " elements more than a model of its size may take");
  budget_ -= count;
}

namespace {

// Without the stages that do not lead to the last one that does; a chain where it is one.
void prune(model::Model& model, u64 last) {
  std::vector<bool> needed(last + 1, false);
  needed[last] = true;
  for (u64 i = last; i > 0; --i)
    if (needed[i])
      for (const u64 input : model.inputs[i - 1]) needed[input] = true;

  std::vector<model::Stage> stages;
  std::vector<std::vector<u64>> inputs;
  std::vector<u64> renumbered(last + 1, 0);
  bool chain = true;
  for (u64 i = 1; i <= last; ++i) {
    if (!needed[i]) continue;
    std::vector<u64> from;
    for (const u64 input : model.inputs[i - 1]) from.push_back(renumbered[input]);
    chain = chain && from == std::vector<u64>{stages.size()};
    inputs.push_back(std::move(from));
    stages.push_back(std::move(model.stages[i - 1]));
    renumbered[i] = stages.size();
  }
  if (chain) inputs.clear();
  model.stages = std::move(stages);
  model.inputs = std::move(inputs);
}

}  // namespace

model::Model Graph::finish(u64 node) {
  // A model has at least one stage.
  if (node == 0) node = add(model::Activation{}, 0);
  model::Model model;
  model.n_features = widths_[0];
  model.precision = precision;
  model.stages = std::move(stages_);
  model.inputs = std::move(inputs_);
  prune(model, node);
  fuse(model);
  prune(model, model.stages.size());
  return model;
}

}  // namespace h5score::format::onnx
