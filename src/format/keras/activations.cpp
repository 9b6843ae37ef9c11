// Activation functions, by name (the option `activation`) and as layers of their own.
#include "h5score/base/narrow.hpp"

#include "format/printable.hpp"
#include "layers.hpp"

#include <algorithm>
#include <array>

namespace h5score::format::keras {
namespace {

using model::ActivationKind;
using model::CombineKind;

Tensor softmax(Scope& scope, const Tensor& in, bool log) {
  return scope.graph.add(model::Softmax{.group = in.shape.size() > 1 ? in.last() : 0, .log = log}, in);
}

Tensor simple(Scope& scope, const Tensor& in, ActivationKind kind, double alpha = 0) {
  return scope.graph.add(model::Activation{.kind = kind, .alpha = alpha}, in);
}

// Keras 1 and 2: 0.2 x + 0.5, Keras 3: x / 6 + 0.5, both limited to [0, 1]; the stage is the first.
Tensor hard_sigmoid(Scope& scope, const Tensor& in) {
  const Tensor argument = scope.keras_major >= 3 ? scope.graph.scale(in, 5.0 / 6.0, 0) : in;
  return simple(scope, argument, ActivationKind::hard_sigmoid);
}

Tensor product(Scope& scope, const Tensor& a, const Tensor& b) {
  return scope.graph.combine(CombineKind::multiply, {a, b}, a.shape);
}

Tensor mish(Scope& scope, const Tensor& in) {
  return product(scope, in, simple(scope, simple(scope, in, ActivationKind::softplus), ActivationKind::tanh));
}

Tensor log_sigmoid(Scope& scope, const Tensor& in) {
  const Tensor negative = scope.graph.scale(in, -1, 0);
  return scope.graph.scale(simple(scope, negative, ActivationKind::softplus), -1, 0);
}

struct Function {
  std::string_view name;
  Tensor (*apply)(Scope& scope, const Tensor& in);
};

template <ActivationKind kind>
Tensor stage(Scope& scope, const Tensor& in) {
  return simple(scope, in, kind);
}

constexpr std::array functions{
    Function{"relu", stage<ActivationKind::relu>},
    Function{"relu6", stage<ActivationKind::relu6>},
    Function{"selu", stage<ActivationKind::selu>},
    Function{"gelu", stage<ActivationKind::gelu>},
    Function{"silu", stage<ActivationKind::silu>},
    Function{"swish", stage<ActivationKind::silu>},
    Function{"sigmoid", stage<ActivationKind::sigmoid>},
    Function{"tanh", stage<ActivationKind::tanh>},
    Function{"softplus", stage<ActivationKind::softplus>},
    Function{"softsign", stage<ActivationKind::softsign>},
    Function{"exponential", stage<ActivationKind::exponential>},
    Function{"elu", [](Scope& scope, const Tensor& in) { return simple(scope, in, ActivationKind::elu, 1); }},
    Function{"leaky_relu",
             [](Scope& scope, const Tensor& in) { return simple(scope, in, ActivationKind::leaky_relu, 0.2); }},
    Function{"hard_sigmoid", hard_sigmoid},
    Function{"hard_silu", [](Scope& scope, const Tensor& in) { return product(scope, in, hard_sigmoid(scope, in)); }},
    Function{"hard_tanh",
             [](Scope& scope, const Tensor& in) {
               return scope.graph.add(model::Clip{-1, 1}, in);
             }},
    Function{"mish", mish},
    Function{"log_sigmoid", log_sigmoid},
    Function{"softmax", [](Scope& scope, const Tensor& in) { return softmax(scope, in, false); }},
    Function{"log_softmax", [](Scope& scope, const Tensor& in) { return softmax(scope, in, true); }},
    Function{"linear", [](Scope& /*scope*/, const Tensor& in) { return in; }},
};

// Above a threshold the value itself, else 0.
Tensor thresholded(Scope& scope, const Tensor& in, double threshold) {
  return product(scope, in, scope.graph.add(model::Binarize{threshold}, in));
}

Tensor relu(Scope& scope, const Layer& layer, const Json& config, const Tensor& in) {
  const double slope = number(config, "negative_slope", 0);
  const double threshold = number(config, "threshold", 0);
  const Json& limit = member(config, "max_value");
  if (slope != 0) {
    if (threshold != 0 || !limit.is_null()) refuse(layer, "a slope together with a threshold or a limit");
    return simple(scope, in, ActivationKind::leaky_relu, slope);
  }
  if (limit.is_null())
    return threshold == 0 ? simple(scope, in, ActivationKind::relu) : thresholded(scope, in, threshold);
  const double most = number(config, "max_value", 0);
  if (most < 0) refuse(layer, "its max_value is negative");
  const Tensor limited = threshold == 0 ? in : thresholded(scope, in, threshold);
  return scope.graph.add(model::Clip{0, most}, limited);
}

// max(x, 0) + alpha min(x, 0), with a slope of its own in each column.
Tensor prelu(Scope& scope, const Layer& layer, const Tensor& in) {
  if (layer.weights.empty() || layer.weights[0].shape.size() != in.shape.size())
    refuse(layer, "its weight 'alpha' is missing or has other dimensions than its input");
  const std::vector<u64>& shared = layer.weights[0].shape;
  for (std::size_t k = 0; k < shared.size(); ++k)
    if (shared[k] != in.shape[k] && shared[k] != 1) refuse(layer, "its weight 'alpha' does not fit its input");
  const auto& alpha = weight(layer, 0, "alpha", shared);
  std::vector<double> factor(in.width());
  for (u64 j = 0; j < factor.size(); ++j) {
    u64 rest = j;
    u64 at = 0;
    u64 stride = 1;
    for (std::size_t k = shared.size(); k-- > 0; rest /= in.shape[k]) {
      if (shared[k] > 1) at += rest % in.shape[k] * stride;
      stride *= shared[k];
    }
    factor[j] = -alpha[at];
  }
  const Tensor negative = simple(scope, scope.graph.scale(in, -1, 0), ActivationKind::relu);
  const Tensor below = scope.graph.add(model::Scale{std::vector<double>(in.width()), std::move(factor)}, negative);
  return scope.graph.combine(CombineKind::add, {simple(scope, in, ActivationKind::relu), below}, in.shape);
}

Tensor softmax_layer(Scope& scope, const Layer& layer, const Json& config, const Tensor& in) {
  const Json& axis = member(config, "axis");
  const auto rank = base::narrow<base::i64>(in.shape.size());
  if (!axis.is_null())
    for (const base::i64 k : integers(axis, "axis"))
      if (k != -1 && k != rank) refuse(layer, "a softmax along another axis than the last is not supported");
  return softmax(scope, in, false);
}

// A layer such as LeakyReLU, standing alone or as another layer's activation.
Tensor advanced(Scope& scope, const Layer& layer, const std::string& class_name, const Json& config, const Tensor& in) {
  if (class_name == "ReLU") return relu(scope, layer, config, in);
  if (class_name == "LeakyReLU") {
    const double slope = number(config, "negative_slope", number(config, "alpha", 0.3));
    return simple(scope, in, ActivationKind::leaky_relu, slope);
  }
  if (class_name == "ELU") return simple(scope, in, ActivationKind::elu, number(config, "alpha", 1));
  if (class_name == "ThresholdedReLU") return thresholded(scope, in, number(config, "theta", 1));
  if (class_name == "Softmax") return softmax_layer(scope, layer, config, in);
  refuse(layer, "its activation " + shown(class_name) + " is unknown here or its maker's own");
}

}  // namespace

std::span<const std::string_view> activation_functions() {
  static const auto names = [] {
    std::array<std::string_view, functions.size()> list;
    std::transform(functions.begin(), functions.end(), list.begin(), [](const Function& f) { return f.name; });
    return list;
  }();
  return names;
}

Tensor activate(Scope& scope, const Layer& layer, const Json& activation, const Tensor& in) {
  if (activation.is_null()) return in;
  if (activation.is_object() && is_custom(activation)) refuse(layer, "its activation is its maker's own");
  if (activation.is_object())
    return advanced(scope, layer, text(activation, "class_name", ""), member(activation, "config"), in);
  if (!activation.is_string()) refuse(layer, "its activation is malformed");
  const auto name = activation.get<std::string>();
  const auto* found = std::find_if(functions.begin(), functions.end(), [&](const auto& f) { return f.name == name; });
  if (found == functions.end()) refuse(layer, "its activation " + shown(name) + " is unknown here or its maker's own");
  return found->apply(scope, in);
}

Tensor apply_activation(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  return activate(scope, layer, member(*layer.config, "activation"), inputs[0]);
}

WeightNames prelu_weights(const Layer& /*layer*/) {
  return {{"alpha"}, {}};
}

Tensor apply_advanced_activation(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  if (layer.class_name == "PReLU") return prelu(scope, layer, inputs[0]);
  return advanced(scope, layer, layer.class_name, *layer.config, inputs[0]);
}

}  // namespace h5score::format::keras
