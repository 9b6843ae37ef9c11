// Fusion of stages.
#include "fuse.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace h5score::format::onnx {
namespace {

using base::u64;
using model::Activation;
using model::ActivationKind;
using model::Scale;

bool all_near(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return std::abs(v - value) < 1e-6; });
}

// Builds the fused graph stage by stage; node numbers are the new ones.
class Fusion {
 public:
  explicit Fusion(model::Model& model) : model_(model), consumers_(model.stages.size() + 1), renumbered_{0} {
    for (u64 i = 0; i < model.stages.size(); ++i)
      for (const u64 node : model::inputs_of(model, i)) consumers_[node].push_back(i);
  }

  void run() {
    for (u64 i = 0; i < model_.stages.size(); ++i) renumbered_.push_back(fused(i));
    model_.stages = std::move(stages_);
    model_.inputs = std::move(inputs_);
  }

 private:
  u64 fused(u64 i) {
    std::vector<u64> from;
    for (const u64 node : model::inputs_of(model_, i)) from.push_back(renumbered_[node]);
    model::Stage& stage = model_.stages[i];
    if (const auto* scale = std::get_if<Scale>(&stage)) {
      if (folded(i, *scale, from[0])) return from[0];
      if (const auto x = halved_product(*scale, from[0])) return add(Activation{ActivationKind::gelu, 0}, {*x});
    }
    if (const auto* combine = std::get_if<model::Combine>(&stage);
        combine != nullptr && combine->kind == model::CombineKind::multiply && from.size() == 2)
      for (const auto& [a, b] : {std::pair(from[0], from[1]), std::pair(from[1], from[0])}) {
        if (is(b, ActivationKind::sigmoid) && inputs_[b - 1][0] == a)
          return add(Activation{ActivationKind::silu, 0}, {a});
        if (const auto x = half(a); x && gate(b) == x) return add(Activation{ActivationKind::gelu, 0}, {*x});
        if (const auto t = half(b); t && gate(*t) == a) return add(Activation{ActivationKind::gelu, 0}, {a});
      }
    return add(std::move(stage), std::move(from));
  }

  u64 add(model::Stage stage, std::vector<u64> from) {
    stages_.push_back(std::move(stage));
    inputs_.push_back(std::move(from));
    return stages_.size();
  }

  // (x W + b - o) f becomes part of the Affine before it.
  bool folded(u64 i, const Scale& scale, u64 from) {
    auto* affine = from == 0 ? nullptr : std::get_if<model::Affine>(&stages_[from - 1]);
    if (affine == nullptr || consumers_[model::inputs_of(model_, i)[0]].size() != 1) return false;
    const u64 k = affine->weights.cols;
    for (u64 at = 0; at < affine->weights.values.size(); ++at) affine->weights.values[at] *= scale.factor[at % k];
    for (u64 j = 0; j < k; ++j) affine->bias[j] = (affine->bias[j] - scale.offset[j]) * scale.factor[j];
    return true;
  }

  template <class S>
  const S* stage(u64 node) const {
    return node == 0 ? nullptr : std::get_if<S>(&stages_[node - 1]);
  }
  bool is(u64 node, ActivationKind kind) const {
    const auto* activation = stage<Activation>(node);
    return activation != nullptr && activation->kind == kind;
  }
  // x of a node x / 2.
  std::optional<u64> half(u64 node) const {
    const auto* scale = stage<Scale>(node);
    if (scale == nullptr || !all_near(scale->factor, 0.5) || !all_near(scale->offset, 0)) return std::nullopt;
    return inputs_[node - 1][0];
  }
  // x of a node 1 + erf(x / sqrt 2).
  std::optional<u64> gate(u64 node) const {
    const auto* plus_one = stage<Scale>(node);
    if (plus_one == nullptr || !all_near(plus_one->factor, 1) || !all_near(plus_one->offset, -1)) return std::nullopt;
    const u64 erf = inputs_[node - 1][0];
    if (!is(erf, ActivationKind::erf)) return std::nullopt;
    const u64 scaled = inputs_[erf - 1][0];
    const auto* scale = stage<Scale>(scaled);
    if (scale == nullptr || !all_near(scale->factor, std::sqrt(0.5)) || !all_near(scale->offset, 0))
      return std::nullopt;
    return inputs_[scaled - 1][0];
  }
  // x of a Scale by 1/2 over x times its gate.
  std::optional<u64> halved_product(const Scale& scale, u64 from) const {
    const auto* product = stage<model::Combine>(from);
    if (!all_near(scale.factor, 0.5) || !all_near(scale.offset, 0) || product == nullptr ||
        product->kind != model::CombineKind::multiply || inputs_[from - 1].size() != 2)
      return std::nullopt;
    const u64 a = inputs_[from - 1][0];
    const u64 b = inputs_[from - 1][1];
    if (gate(b) == a) return a;
    if (gate(a) == b) return b;
    return std::nullopt;
  }

  model::Model& model_;
  std::vector<std::vector<u64>> consumers_;
  std::vector<u64> renumbered_;
  std::vector<model::Stage> stages_;
  std::vector<std::vector<u64>> inputs_;
};

}  // namespace

void fuse(model::Model& model) {
  Fusion(model).run();
}

}  // namespace h5score::format::onnx
