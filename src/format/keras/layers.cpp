// The table of layers, and why others are refused.
#include "layers.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <algorithm>
#include <array>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

constexpr LayerKind kinds[] = {
    {"InputLayer", apply_input, nullptr},
    {"Dense", apply_dense, dense_weights},
    {"Activation", apply_activation, nullptr},
    {"ReLU", apply_advanced_activation, nullptr},
    {"LeakyReLU", apply_advanced_activation, nullptr},
    {"PReLU", apply_advanced_activation, prelu_weights},
    {"ELU", apply_advanced_activation, nullptr},
    {"ThresholdedReLU", apply_advanced_activation, nullptr},
    {"Softmax", apply_advanced_activation, nullptr},
    {"BatchNormalization", apply_batch_normalization, batch_normalization_weights},
    {"Normalization", apply_normalization, normalization_weights},
    {"Rescaling", apply_rescaling, nullptr},
    {"Flatten", apply_flatten, nullptr},
    {"Reshape", apply_reshape, nullptr},
    {"Permute", apply_permute, nullptr},
    {"Concatenate", apply_concatenate, nullptr},
    {"Add", apply_arithmetic, nullptr},
    {"Subtract", apply_arithmetic, nullptr},
    {"Multiply", apply_arithmetic, nullptr},
    {"Average", apply_arithmetic, nullptr},
    {"Maximum", apply_arithmetic, nullptr},
    {"Minimum", apply_arithmetic, nullptr},
    {"Merge", apply_merge, nullptr},
    // What only acts while training.
    {"Dropout", apply_identity, nullptr},
    {"AlphaDropout", apply_identity, nullptr},
    {"GaussianDropout", apply_identity, nullptr},
    {"GaussianNoise", apply_identity, nullptr},
    {"SpatialDropout1D", apply_identity, nullptr},
    {"SpatialDropout2D", apply_identity, nullptr},
    {"SpatialDropout3D", apply_identity, nullptr},
    {"ActivityRegularization", apply_identity, nullptr},
    {"Identity", apply_identity, nullptr},
};

// Why a class is not in the table: the first part of its name that is known.
struct Reason {
  std::string_view part;
  const char* why;
};
constexpr Reason reasons[] = {
    {"Lambda", "it holds Python code, which is never run"},
    {"OpLambda", "operations outside layers are not supported"},
    {"QDense", "quantised layers are not supported"},
    {"QActivation", "quantised layers are not supported"},
    {"QConv", "quantised layers are not supported"},
    {"QBatch", "quantised layers are not supported"},
    {"Binary", "quantised layers are not supported"},
    {"Ternary", "quantised layers are not supported"},
    {"Conv", "convolutions are not supported"},
    {"Pooling", "pooling is not supported"},
    {"LSTM", "recurrent layers are not supported"},
    {"GRU", "recurrent layers are not supported"},
    {"RNN", "recurrent layers are not supported"},
    {"Bidirectional", "recurrent layers are not supported"},
    {"TimeDistributed", "recurrent layers are not supported"},
    {"Attention", "attention is not supported"},
    {"Embedding", "embeddings are not supported"},
    {"LayerNormalization", "a row's own statistics are not supported"},
    {"GroupNormalization", "a row's own statistics are not supported"},
    {"UnitNormalization", "a row's own statistics are not supported"},
};

}  // namespace

std::span<const LayerKind> layer_kinds() {
  return kinds;
}

const LayerKind& kind_of(const Layer& layer) {
  const auto* found = std::find_if(std::begin(kinds), std::end(kinds),
                                   [&](const LayerKind& kind) { return kind.class_name == layer.class_name; });
  if (found != std::end(kinds)) return *found;
  for (const Reason& reason : reasons)
    if (layer.class_name.find(reason.part) != std::string::npos) refuse(layer, reason.why);
  refuse(layer, "the class is unknown here or its maker's own");
}

WeightNames weight_names(const Layer& layer) {
  const LayerKind& kind = kind_of(layer);
  return kind.weights == nullptr ? WeightNames{} : kind.weights(layer);
}

const std::vector<double>& weight(const Layer& layer, std::size_t i, const char* what, const std::vector<u64>& shape) {
  const auto by = [](const std::vector<u64>& extents) {
    std::string text;
    for (const u64 n : extents) text += (text.empty() ? "" : " x ") + std::to_string(n);
    return text.empty() ? "scalar" : text;
  };
  if (i >= layer.weights.size()) throw Error(ExitCode::data, label(layer) + ": its weight '" + what + "' is missing");
  const Array& array = layer.weights[i];
  if (array.shape != shape)
    throw Error(ExitCode::data, label(layer) + ": its weight '" + what + "' is " + by(array.shape),
                by(shape) + " expected");
  return array.values;
}

u64 row_axis(const Layer& layer, const char* key, const Tensor& in, u64 otherwise) {
  const Json& value = member(*layer.config, key);
  if (value.is_null()) return otherwise;
  const auto list = integers(value, key);
  const auto rank = base::narrow<base::i64>(in.shape.size());
  if (list.size() != 1) refuse(layer, std::string("'") + key + "' names more than one axis");
  const base::i64 axis = list[0] < 0 ? list[0] + rank : list[0] - 1;
  if (axis < 0 || axis >= rank || list[0] == 0) refuse(layer, std::string("'") + key + "' is not an axis of its rows");
  return base::narrow<u64>(axis);
}

std::vector<u64> positions_along(const std::vector<u64>& shape, u64 axis) {
  const u64 inner = base::checked_product(std::span(shape).subspan(axis + 1));
  std::vector<u64> positions(base::checked_product(shape));
  for (u64 i = 0; i < positions.size(); ++i) positions[i] = i / inner % shape[axis];
  return positions;
}

}  // namespace h5score::format::keras
