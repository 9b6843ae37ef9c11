// Layers with parameters: Dense, and the normalisations by stored statistics.
#include "h5score/base/narrow.hpp"

#include "layers.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::keras {
namespace {

// The same layer at each of `times` positions of a row: W once per position along the diagonal.
model::Affine repeated(const model::Affine& affine, u64 times) {
  const auto& [weights, bias] = affine;
  model::Affine wide{.weights = {.rows = weights.rows * times, .cols = weights.cols * times, .values = {}}, .bias = {}};
  wide.weights.values.resize(wide.weights.rows * wide.weights.cols);
  for (u64 t = 0; t < times; ++t) {
    for (u64 i = 0; i < weights.rows; ++i)
      std::copy_n(weights.values.data() + i * weights.cols, weights.cols,
                  wide.weights.values.data() + (t * weights.rows + i) * wide.weights.cols + t * weights.cols);
    wide.bias.insert(wide.bias.end(), bias.begin(), bias.end());
  }
  return wide;
}

// Values along `axis` for every column of the row.
std::vector<double> spread(const std::vector<double>& values, const std::vector<u64>& positions) {
  std::vector<double> result;
  result.reserve(positions.size());
  for (const u64 at : positions) result.push_back(values[at]);
  return result;
}

std::vector<double> inverse_root(const std::vector<double>& variance, double epsilon, double least) {
  std::vector<double> result;
  for (const double v : variance) result.push_back(1 / std::max(std::sqrt(v + epsilon), least));
  return result;
}

bool uses_bias(const Layer& layer) {
  return flag(*layer.config, "use_bias", flag(*layer.config, "bias", true));  // Keras 1: bias
}

}  // namespace

WeightNames dense_weights(const Layer& layer) {
  if (uses_bias(layer)) return {{"kernel", "bias"}, {}};
  return {{"kernel"}, {}};
}

Tensor apply_dense(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Json& config = *layer.config;
  const Tensor& in = inputs[0];
  const auto units = count(config, count(config, "units") ? "units" : "output_dim");  // Keras 1: output_dim
  if (!units || *units == 0) refuse(layer, "it does not say how many units it has");
  if (in.shape.empty()) refuse(layer, "its input has no features");
  if (!member(config, "lora_rank").is_null() || !member(config, "quantization_mode").is_null())
    refuse(layer, "quantised and low-rank layers are not supported");
  const u64 d = in.last();
  const u64 times = in.width() / d;
  model::Affine affine{.weights = {.rows = d, .cols = *units, .values = weight(layer, 0, "kernel", {d, *units})},
                       .bias = std::vector<double>(*units)};
  if (uses_bias(layer)) affine.bias = weight(layer, 1, "bias", {*units});
  if (times > 1) {
    constexpr u64 most = u64{1} << 24;
    if (base::checked_mul(base::checked_mul(d, *units), base::checked_mul(times, times)) > most)
      refuse(layer, "it is applied at " + std::to_string(times) + " positions of a row, which is too large");
    affine = repeated(affine, times);
  }
  std::vector<u64> shape = in.shape;
  shape.back() = *units;
  const Tensor out = scope.graph.add(std::move(affine), in, std::move(shape));
  return activate(scope, layer, member(config, "activation"), out);
}

WeightNames batch_normalization_weights(const Layer& layer) {
  WeightNames names{{}, {"moving_mean", "moving_variance"}};
  if (flag(*layer.config, "scale", true)) names.trainable.emplace_back("gamma");
  if (flag(*layer.config, "center", true)) names.trainable.emplace_back("beta");
  return names;
}

Tensor apply_batch_normalization(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Json& config = *layer.config;
  const Tensor& in = inputs[0];
  if (in.shape.empty()) refuse(layer, "its input has no features");
  if (count(config, "mode").value_or(0) != 0) refuse(layer, "it normalises by the statistics of each batch (mode)");
  const u64 axis = row_axis(layer, "axis", in, in.shape.size() - 1);
  const u64 d = in.shape[axis];
  const bool scaled = flag(config, "scale", true);
  const bool centred = flag(config, "center", true);
  std::size_t at = 0;
  std::vector<double> factor(d, 1.0);
  std::vector<double> shift(d, 0.0);
  if (scaled) factor = weight(layer, at++, "gamma", {d});
  if (centred) shift = weight(layer, at++, "beta", {d});
  const auto& mean = weight(layer, at++, "moving_mean", {d});
  const auto root = inverse_root(weight(layer, at, "moving_variance", {d}), number(config, "epsilon", 1e-3), 0);
  for (u64 j = 0; j < d; ++j) factor[j] *= root[j];
  const auto positions = positions_along(in.shape, axis);
  return scope.graph.scale(in, spread(mean, positions), spread(factor, positions), spread(shift, positions));
}

WeightNames normalization_weights(const Layer& layer) {
  if (!member(*layer.config, "mean").is_null()) return {};
  return {{}, {"mean", "variance", "count"}};
}

Tensor apply_normalization(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Json& config = *layer.config;
  const Tensor& in = inputs[0];
  if (flag(config, "invert", false)) refuse(layer, "inverted normalisation is not supported");
  const Json& axes = member(config, "axis");
  const bool whole = axes.is_null() || (axes.is_array() && axes.empty()) || in.shape.empty();
  const u64 axis = whole ? 0 : row_axis(layer, "axis", in, 0);
  const u64 d = whole ? 1 : in.shape[axis];
  const std::vector<u64> shape = whole ? std::vector<u64>{} : std::vector<u64>{d};
  std::vector<double> mean;
  std::vector<double> variance;
  if (const Json& given = member(config, "mean"); !given.is_null()) {
    mean = numbers(given, "mean");
    variance = numbers(member(config, "variance"), "variance");
    if (mean.size() == 1) mean.resize(d, mean[0]);
    if (variance.size() == 1) variance.resize(d, variance[0]);
    if (mean.size() != d || variance.size() != d) refuse(layer, "its mean and variance do not fit its input");
  } else {
    mean = weight(layer, 0, "mean", shape);
    variance = weight(layer, 1, "variance", shape);
  }
  // Keras divides by max(sqrt(variance), 1e-7), its epsilon().
  const auto root = inverse_root(variance, 0, 1e-7);
  const auto positions = whole ? std::vector<u64>(in.width()) : positions_along(in.shape, axis);
  return scope.graph.add(model::Scale{spread(mean, positions), spread(root, positions)}, in);
}

Tensor apply_rescaling(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Tensor& in = inputs[0];
  const auto spread_over = [&](const char* key, double otherwise) {
    const Json& value = member(*layer.config, key);
    auto list = value.is_null() ? std::vector<double>{otherwise} : numbers(value, key);
    if (list.size() != 1 && list.size() != in.last())
      refuse(layer, std::string("'") + key + "' does not fit its input");
    std::vector<double> result(in.width());
    for (u64 j = 0; j < result.size(); ++j) result[j] = list[j % list.size()];
    return result;
  };
  return scope.graph.scale(in, std::vector<double>(in.width()), spread_over("scale", 1), spread_over("offset", 0));
}

}  // namespace h5score::format::keras
