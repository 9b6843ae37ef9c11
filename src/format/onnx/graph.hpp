// The model that grows while an ONNX graph is lowered: stages with the nodes that they read.
#pragma once

#include "values.hpp"

namespace h5score::format::onnx {

class Graph {
 public:
  /// `budget`: most elements that constants, weights and selections together may take, against files that would blow
  /// up in memory.
  Graph(u64 features, u64 budget) : widths_{features}, budget_(budget) {}

  /// Adds a stage and returns its node. Throws Error(data) where it does not fit its inputs.
  u64 add(model::Stage stage, std::vector<u64> inputs);
  u64 add(model::Stage stage, u64 input) { return add(std::move(stage), std::vector<u64>{input}); }

  [[nodiscard]] u64 width(u64 node) const { return widths_.at(node); }
  /// The stage behind a node, or nullptr where it is not of this type.
  template <class S>
  [[nodiscard]] const S* stage(u64 node) const {
    return node == 0 ? nullptr : std::get_if<S>(&stages_.at(node - 1));
  }
  [[nodiscard]] const std::vector<u64>& inputs(u64 node) const { return inputs_.at(node - 1); }

  /// The node whose columns are the elements of `rows` in order, through a Select where they are not yet.
  u64 node_of(const Rows& rows);
  /// Counts elements against the budget; throws Error(data) when it is used up.
  void spend(u64 count);

  /// The model whose last stage gives `node`, with the stages that lead to it, as a chain where it is one.
  model::Model finish(u64 node);

  model::Precision precision = model::Precision::float32;
  u64 declared_batch = 0;  ///< the fixed number of rows that the model declares; 0: any

 private:
  std::vector<model::Stage> stages_;
  std::vector<std::vector<u64>> inputs_;
  std::vector<u64> widths_;
  u64 budget_;
};

}  // namespace h5score::format::onnx
