// Builds a model's graph of stages while layers are walked through: tensors with shapes outside, columns inside.
#pragma once

#include "h5score/model/model.hpp"

#include <vector>

namespace h5score::format::keras {

using base::u64;

/// One value of the network: a node of the model's graph (0 = the features, i + 1 = stage i) and its shape without the
/// batch, C order.
struct Tensor {
  u64 node = 0;
  std::vector<u64> shape;

  [[nodiscard]] u64 width() const;
  [[nodiscard]] u64 last() const { return shape.empty() ? 1 : shape.back(); }
};

class Graph {
 public:
  /// The features. Throws Error(data) where there are more than 2^22, as for any other tensor.
  static Tensor input(std::vector<u64> shape);
  /// Adds a stage that reads `in` and keeps its shape.
  Tensor add(model::Stage stage, const Tensor& in);
  Tensor add(model::Stage stage, const Tensor& in, std::vector<u64> shape);
  /// Joins tensors by one Combine.
  Tensor combine(model::CombineKind kind, const std::vector<Tensor>& in, std::vector<u64> shape);
  /// y = (x - offset) * factor + shift, all of `in`'s width; without division by factors that are 0.
  Tensor scale(const Tensor& in, std::vector<double> offset, std::vector<double> factor,
               const std::vector<double>& shift);
  /// y = x * factor + shift in all columns.
  Tensor scale(const Tensor& in, double factor, double shift);

  /// The model that computes `output` from `input`: without stages that it does not need, a chain where it is one.
  model::Model take(const Tensor& input, const Tensor& output);

 private:
  Tensor push(model::Stage stage, std::vector<u64> nodes, std::vector<u64> shape);

  std::vector<model::Stage> stages_;
  std::vector<std::vector<u64>> inputs_;
  u64 values_ = 0;
};

}  // namespace h5score::format::keras
