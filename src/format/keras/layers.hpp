// The layers that can be scored: one table, from class names to stages.
#pragma once

#include "format/keras/graph.hpp"
#include "format/keras/network.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace h5score::format::keras {

/// What layers share while a network is walked through.
struct Scope {
  Graph& graph;
  u64 keras_major = 1;  ///< some functions changed between versions
};

/// Names of a layer's weights in Keras' order: those that training changes come first.
struct WeightNames {
  std::vector<std::string> trainable;
  std::vector<std::string> fixed;
};

struct LayerKind {
  std::string_view class_name;
  Tensor (*apply)(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
  WeightNames (*weights)(const Layer& layer);  ///< null: it has none
};
std::span<const LayerKind> layer_kinds();

/// The table's row; throws Error(data) as refuse() does, saying why, for any other class.
const LayerKind& kind_of(const Layer& layer);
WeightNames weight_names(const Layer& layer);

/// A weight of the given shape; throws Error(data) naming layer, weight and both shapes.
const std::vector<double>& weight(const Layer& layer, std::size_t i, const char* what, const std::vector<u64>& shape);
/// The axis that an option of the layer names, counted without the batch; `otherwise` (counted so) where it is absent.
/// Throws Error(data) unless it is one axis of a row.
u64 row_axis(const Layer& layer, const char* key, const Tensor& in, u64 otherwise);
/// Position along `axis` of every column of a row of this shape.
std::vector<u64> positions_along(const std::vector<u64>& shape, u64 axis);

// Definitions: layers_dense.cpp, layers_shape.cpp, layers_merge.cpp, activations.cpp.
Tensor apply_dense(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_batch_normalization(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_normalization(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_rescaling(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
WeightNames dense_weights(const Layer& layer);
WeightNames batch_normalization_weights(const Layer& layer);
WeightNames normalization_weights(const Layer& layer);

Tensor apply_input(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_identity(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_flatten(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_reshape(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_permute(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);

Tensor apply_concatenate(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_merge(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_arithmetic(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);

/// The function that an option `activation` names: a text, or the description of an activation layer.
Tensor activate(Scope& scope, const Layer& layer, const Json& activation, const Tensor& in);
std::span<const std::string_view> activation_functions();
Tensor apply_activation(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
Tensor apply_advanced_activation(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs);
WeightNames prelu_weights(const Layer& layer);

}  // namespace h5score::format::keras
