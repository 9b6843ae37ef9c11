// Models as graphs: who reads whom, stages put in front, and what a leading scaler tells of the training data.
#include "graph.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace h5score::model {
namespace {

template <class InputsOf>
std::vector<u64> widths_of(u64 n_features, const std::vector<Stage>& stages, InputsOf nodes_of) {
  std::vector<u64> widths{n_features};
  for (u64 i = 0; i < stages.size(); ++i) {
    std::vector<u64> read;
    for (const u64 node : nodes_of(i)) read.push_back(widths.at(node));
    widths.push_back(output_width(stages[i], read));
  }
  return widths;
}

struct Moments {
  double mean = 0;
  double stddev = 1;
};

/// What column j had before `stage` where it has these moments behind it; NaN where they do not tell. Before a Log1p
/// stands the value that it maps to the mean: the counts' own mean may be many times that, so their deviation would
/// only mislead.
Moments before(const Stage& stage, u64 j, Moments after) {
  if (const auto* scale = std::get_if<Scale>(&stage)) {
    const double factor = scale->factor[j];
    if (factor == 0) return {scale->offset[j], std::numeric_limits<double>::quiet_NaN()};
    return {after.mean / factor + scale->offset[j], after.stddev / std::abs(factor)};
  }
  if (std::holds_alternative<Log1p>(stage)) return {std::expm1(after.mean), std::numeric_limits<double>::quiet_NaN()};
  return after;
}

/// Follows the columns of scalers back to the features that they come from.
class ScalerOrigins {
 public:
  explicit ScalerOrigins(const Model& model)
      : model_(model), widths_(node_widths(model)), passed_(model.stages.size()), known_(model.n_features) {
    reference_.mean.assign(model.n_features, kUnknown);
    reference_.stddev.assign(model.n_features, kUnknown);
    for (u64 i = model.stages.size(); i-- > 0;)
      if (std::holds_alternative<Scale>(model.stages[i])) add(i);
  }
  /// NaN for features that no scaler sees, or two that are not one behind the other.
  [[nodiscard]] std::optional<FeatureReference> reference() const {
    if (std::find(known_.begin(), known_.end(), true) == known_.end()) return std::nullopt;
    return reference_;
  }

 private:
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  struct Origin {
    u64 feature = 0;
    Moments moments;
  };

  void add(u64 scale) {
    std::vector<Origin> origins;
    for (u64 j = 0; j < widths_[scale + 1]; ++j) {
      if (!passed_[scale].empty() && passed_[scale][j]) continue;  // a scaler behind it says the same and more
      if (const auto origin = follow(scale, j)) origins.push_back(*origin);
    }
    if (scales_to_range(origins)) return;
    for (const Origin& origin : origins) {
      const bool twice = known_[origin.feature];
      known_[origin.feature] = true;
      reference_.mean[origin.feature] = twice ? kUnknown : origin.moments.mean;
      reference_.stddev[origin.feature] = twice ? kUnknown : origin.moments.stddev;
    }
  }

  /// Scalers by the largest value have offsets of 0, those to a range the minimum: nothing of the mean.
  [[nodiscard]] bool scales_to_range(const std::vector<Origin>& origins) const {
    const auto all = [&](auto holds) { return std::all_of(origins.begin(), origins.end(), holds); };
    if (all([](const Origin& origin) { return origin.moments.mean == 0; })) return true;
    if (!model_.reference || model_.reference->minimum.empty()) return false;
    return all([&](const Origin& origin) { return origin.moments.mean == model_.reference->minimum[origin.feature]; });
  }

  /// Where column j of a scaler's output comes from; nullopt where columns were mixed on the way.
  std::optional<Origin> follow(u64 scale, u64 j) {
    Moments moments;
    u64 node = scale + 1;
    while (node != 0) {
      const u64 stage = node - 1;
      if (std::holds_alternative<Scale>(model_.stages[stage])) {
        passed_[stage].resize(widths_[node]);
        passed_[stage][j] = true;
      }
      moments = before(model_.stages[stage], j, moments);
      const auto from = source(stage, j);
      if (!from) return std::nullopt;
      std::tie(node, j) = *from;
    }
    return Origin{j, moments};
  }

  /// The node and its column that column j of a stage's output is made of, in units that before() knows.
  [[nodiscard]] std::optional<std::pair<u64, u64>> source(u64 stage, u64 j) const {
    const std::vector<u64> nodes = inputs_of(model_, stage);
    const Stage& s = model_.stages[stage];
    if (const auto* select = std::get_if<Select>(&s)) return std::pair(nodes[0], select->columns[j]);
    if (const auto* combine = std::get_if<Combine>(&s)) {
      if (combine->kind != CombineKind::concat) return std::nullopt;
      for (const u64 node : nodes) {
        if (j < widths_[node]) return std::pair(node, j);
        j -= widths_[node];
      }
    }
    const bool columnwise = std::holds_alternative<Scale>(s) || std::holds_alternative<Log1p>(s) ||
                            std::holds_alternative<Impute>(s) || std::holds_alternative<MarkMissing>(s) ||
                            std::holds_alternative<Clip>(s);
    if (!columnwise) return std::nullopt;
    return std::pair(nodes[0], j);
  }

  const Model& model_;
  std::vector<u64> widths_;
  std::vector<std::vector<bool>> passed_;  ///< columns of scalers that another one lies behind
  std::vector<bool> known_;
  FeatureReference reference_;
};

}  // namespace

bool is_chain(const Model& model) {
  for (u64 i = 0; i < model.inputs.size(); ++i)
    if (model.inputs[i] != std::vector<u64>{i}) return false;
  return true;
}

std::vector<u64> inputs_of(const Model& model, u64 stage) {
  return model.inputs.empty() ? std::vector<u64>{stage} : model.inputs.at(stage);
}

std::vector<u64> node_widths(const Model& model) {
  return widths_of(model.n_features, model.stages, [&](u64 i) { return inputs_of(model, i); });
}
std::vector<u64> node_widths(const Graph& graph) {
  return widths_of(graph.n_features, graph.stages, [&](u64 i) { return graph.inputs[i]; });
}

std::optional<FeatureReference> training_reference(const Model& model) {
  std::optional<FeatureReference> reference = model.reference;
  if (reference && !reference->mean.empty() && !reference->stddev.empty()) return reference;
  const std::optional<FeatureReference> scaler = ScalerOrigins(model).reference();
  if (!scaler || !reference) return scaler ? scaler : reference;
  if (reference->mean.empty()) reference->mean = scaler->mean;
  if (reference->stddev.empty()) reference->stddev = scaler->stddev;
  return reference;
}

void prepend(Model& model, std::vector<Stage> stages) {
  const u64 added = stages.size();
  if (!model.inputs.empty()) {
    for (auto& nodes : model.inputs)
      for (u64& node : nodes) node += added;  // the features become the last added stage
    std::vector<std::vector<u64>> chain(added);
    for (u64 i = 0; i < added; ++i) chain[i] = {i};
    model.inputs.insert(model.inputs.begin(), chain.begin(), chain.end());
  }
  model.stages.insert(model.stages.begin(), std::make_move_iterator(stages.begin()),
                      std::make_move_iterator(stages.end()));
}

}  // namespace h5score::model
