// Layers that join several tensors.
#include "h5score/base/narrow.hpp"

#include "layers.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace h5score::format::keras {
namespace {

using model::CombineKind;

void require_several(const Layer& layer, const std::vector<Tensor>& inputs) {
  if (inputs.size() < 2) refuse(layer, "it joins less than two tensors");
}

// Joined side by side as whole rows, then brought into the order of a join along `axis`.
Tensor concatenate(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs, u64 axis) {
  std::vector<u64> shape = inputs[0].shape;
  shape[axis] = 0;
  for (const Tensor& in : inputs) {
    std::vector<u64> other = in.shape;
    if (other.size() != shape.size()) refuse(layer, "its inputs have different numbers of dimensions");
    shape[axis] = base::checked_add(shape[axis], std::exchange(other[axis], shape[axis]));
    other[axis] = shape[axis];
    if (other != shape) refuse(layer, "its inputs have different shapes");
  }
  const u64 outer = base::checked_product(std::span(shape).first(axis));
  Tensor joined = scope.graph.combine(CombineKind::concat, inputs, shape);
  if (outer == 1) return joined;
  model::Select select;
  for (u64 o = 0; o < outer; ++o) {
    u64 begin = 0;
    for (const Tensor& in : inputs) {
      const u64 run = in.width() / outer;
      for (u64 j = 0; j < run; ++j) select.columns.push_back(begin + o * run + j);
      begin += in.width();
    }
  }
  return scope.graph.add(std::move(select), joined);
}

Tensor elementwise(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs, CombineKind kind) {
  require_several(layer, inputs);
  for (const Tensor& in : inputs)
    if (in.shape != inputs[0].shape) refuse(layer, "its inputs have different shapes, and are not broadcast here");
  return scope.graph.combine(kind, inputs, inputs[0].shape);
}

Tensor average(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Tensor sum = elementwise(scope, layer, inputs, CombineKind::add);
  return scope.graph.scale(sum, 1.0 / static_cast<double>(inputs.size()), 0);
}

struct Named {
  std::string_view name;
  CombineKind kind;
};

}  // namespace

Tensor apply_concatenate(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  require_several(layer, inputs);
  if (inputs[0].shape.empty()) refuse(layer, "its inputs have no features");
  return concatenate(scope, layer, inputs, row_axis(layer, "axis", inputs[0], inputs[0].shape.size() - 1));
}

Tensor apply_arithmetic(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  static constexpr std::array<Named, 5> kinds{{{"Add", CombineKind::add},
                                               {"Subtract", CombineKind::subtract},
                                               {"Multiply", CombineKind::multiply},
                                               {"Maximum", CombineKind::maximum},
                                               {"Minimum", CombineKind::minimum}}};
  if (layer.class_name == "Average") return average(scope, layer, inputs);
  const auto* found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Named& entry) { return entry.name == layer.class_name; });
  if (found->kind == CombineKind::subtract && inputs.size() != 2) refuse(layer, "it subtracts exactly two tensors");
  return elementwise(scope, layer, inputs, found->kind);
}

// Keras 1.
Tensor apply_merge(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  require_several(layer, inputs);
  const std::string mode = text(*layer.config, "mode", "sum");
  if (mode == "concat") {
    if (inputs[0].shape.empty()) refuse(layer, "its inputs have no features");
    return concatenate(scope, layer, inputs, row_axis(layer, "concat_axis", inputs[0], inputs[0].shape.size() - 1));
  }
  if (mode == "ave") return average(scope, layer, inputs);
  if (mode == "sum") return elementwise(scope, layer, inputs, CombineKind::add);
  if (mode == "mul") return elementwise(scope, layer, inputs, CombineKind::multiply);
  if (mode == "max") return elementwise(scope, layer, inputs, CombineKind::maximum);
  refuse(layer, "its mode is not supported");
}

}  // namespace h5score::format::keras
