// Small random models of every family, for the tests of module model.
#pragma once

#include "h5score/model/evaluator.hpp"
#include "h5score/model/model.hpp"

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace h5score::model::testing {

/// Reproducible numbers; std:: distributions differ between libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11U) * 0x1p-53;
  }
  std::vector<double> vector(u64 n, double low = -1, double high = 1) {
    std::vector<double> values(n);
    for (double& v : values) v = uniform(low, high);
    return values;
  }
  Matrix matrix(u64 rows, u64 cols, double low = -1, double high = 1) {
    return {rows, cols, vector(rows * cols, low, high)};
  }
  u64 below(u64 n) { return engine_() % n; }

 private:
  std::mt19937_64 engine_;
};

inline std::vector<base::i64> class_codes(u64 c) {
  std::vector<base::i64> codes(c);
  for (u64 i = 0; i < c; ++i) codes[i] = static_cast<base::i64>(10 * i);
  return codes;
}

inline Affine affine(Random& random, u64 d, u64 k) {
  const double scale = 2 / std::sqrt(static_cast<double>(d));
  return {random.matrix(d, k, -scale, scale), random.vector(k)};
}

inline KernelExpansion expansion(Random& random, KernelKind kind, u64 m, u64 d, u64 k) {
  return {random.matrix(m, d), {kind, 1 / static_cast<double>(d), 0.5, 3}, random.matrix(m, k), random.vector(k)};
}

struct NamedModel {
  std::string name;
  Model model;
};

inline Head head(HeadKind kind, Link link, u64 classes) {
  Head h{kind, link, class_codes(classes), {}, {}, {}};
  if (link == Link::platt) {
    const u64 pairs = kind == HeadKind::binary ? 1 : classes * (classes - 1) / 2;
    for (u64 i = 0; i < pairs; ++i) {
      h.prob_a.push_back(-1.5 - 0.1 * static_cast<double>(i));
      h.prob_b.push_back(0.2 - 0.05 * static_cast<double>(i));
    }
  }
  return h;
}

/// Models that branch or move columns, each with d features.
inline void add_graphs(Random& random, u64 d, std::vector<NamedModel>& all) {
  const auto add = [&](const std::string& name, std::vector<Stage> stages, std::vector<std::vector<u64>> inputs = {}) {
    Model model;
    model.n_features = d;
    model.stages = std::move(stages);
    model.inputs = std::move(inputs);
    all.push_back({name, std::move(model)});
  };
  const Activation tanh{ActivationKind::tanh, 0};
  std::vector<u64> reversed(d);
  for (u64 j = 0; j < d; ++j) reversed[j] = d - 1 - j;
  std::vector<u64> repeated = reversed;
  repeated.insert(repeated.end(), {0, 5, 5});
  add("groups", {affine(random, d, 12), Softmax{4, false}});
  add("log_softmax", {affine(random, d, 12), Softmax{0, true}});
  add("log_groups", {affine(random, d, 12), Softmax{3, true}});
  add("binarize", {Binarize{0.25}, affine(random, d, 3)});
  add("mark", {MarkMissing{99}, Clip{-1.5, 1.5}, affine(random, d, 3)});
  add("select", {Select{{3, 1, 36, 3}}, Select{{2, 0, 1}}, affine(random, 3, 2)});
  add("permute", {Select{reversed}, Scale{random.vector(d), random.vector(d, 0.5, 2)}, affine(random, d, 3)});
  add("repeat", {Scale{random.vector(d), random.vector(d, 0.5, 2)}, Select{repeated}, affine(random, d + 3, 3)});
  add("columns", {Select{{36, 0}}});
  add("batch_norm", {affine(random, d, 9), Scale{random.vector(9), random.vector(9, 0.5, 2)}, tanh,
                     affine(random, 9, 4), Scale{random.vector(4), random.vector(4, 0.5, 2)}});
  add("residual", {affine(random, d, d), tanh, Combine{CombineKind::add}, affine(random, d, 3)},
      {{0}, {1}, {0, 2}, {3}});
  add("branches",
      {affine(random, d, 8), tanh, affine(random, d, 3), Select{{5, 6}}, Combine{CombineKind::concat},
       affine(random, 13, 4), Log1p{}, Softmax{}},
      {{0}, {1}, {0}, {0}, {2, 3, 4}, {5}, {4}, {6}});
  add("diamond",
      {affine(random, d, 6), tanh, Activation{ActivationKind::exponential, 0}, Combine{CombineKind::multiply},
       Combine{CombineKind::divide}, Combine{CombineKind::subtract}, Combine{CombineKind::minimum},
       Combine{CombineKind::maximum}},
      {{0}, {1}, {1}, {2, 1, 3}, {1, 3}, {4, 5, 1}, {6, 1}, {7, 2, 1}});
  add("thrice", {affine(random, d, 5), Combine{CombineKind::add}, Combine{CombineKind::concat}},
      {{0}, {1, 1, 1}, {2, 2}});
  add("kernel_and_skip",
      {expansion(random, KernelKind::rbf, 21, d, 2), affine(random, d, 2), Combine{CombineKind::add}},
      {{0}, {0}, {1, 2}});
  std::vector<Stage> deep;
  std::vector<std::vector<u64>> inputs;
  for (u64 block = 0; block < 12; ++block) {  // x + tanh(x W + b), and the first x again in every third
    const u64 x = 3 * block;
    deep.insert(deep.end(), {affine(random, d, d), tanh, Combine{CombineKind::add}});
    inputs.insert(inputs.end(),
                  {{x}, {x + 1}, block % 3 == 2 ? std::vector<u64>{0, x, x + 2} : std::vector<u64>{x, x + 2}});
  }
  deep.push_back(affine(random, d, 2));
  inputs.push_back({deep.size() - 1});
  add("deep", std::move(deep), std::move(inputs));
}

/// One model of every head, link, kernel, activation and preprocessing stage.
inline std::vector<NamedModel> every_family() {
  Random random(20240229);
  std::vector<NamedModel> all;
  u64 d = 37;
  const auto add = [&](const std::string& name, std::vector<Stage> stages, Head h) {
    Model model;
    model.n_features = d;
    model.stages = std::move(stages);
    model.head = std::move(h);
    all.push_back({name, std::move(model)});
  };
  const auto values = Head{};
  add("linear", {affine(random, d, 3)}, values);
  add("logistic_binary", {affine(random, d, 1)}, head(HeadKind::binary, Link::sigmoid, 2));
  add("logistic_binary_multinomial", {affine(random, d, 1)}, head(HeadKind::binary, Link::softmax, 2));
  add("logistic_multinomial", {affine(random, d, 10)}, head(HeadKind::multiclass, Link::softmax, 10));
  add("logistic_ovr", {affine(random, d, 4)}, head(HeadKind::multiclass, Link::normalized_sigmoid, 4));
  add("multilabel", {affine(random, d, 5)}, head(HeadKind::multilabel, Link::sigmoid, 5));
  add("svc_binary_platt", {expansion(random, KernelKind::rbf, 61, d, 1)}, head(HeadKind::binary, Link::platt, 2));
  for (const KernelKind kind : {KernelKind::linear, KernelKind::polynomial, KernelKind::rbf, KernelKind::sigmoid})
    add("svc_" + std::to_string(static_cast<int>(kind)), {expansion(random, kind, 61, d, 6)},
        head(HeadKind::one_vs_one, Link::platt, 4));
  KernelExpansion narrow = expansion(random, KernelKind::rbf, 61, d, 6);
  narrow.kernel.gamma = 100;
  add("svc_narrow_rbf", {narrow}, head(HeadKind::one_vs_one, Link::none, 4));
  Head ovr = head(HeadKind::one_vs_one, Link::platt, 4);
  ovr.decision_ovr = true;
  ovr.label_by_probability = true;
  add("svc_ovr", {Clip{-0.5, 0.5}, expansion(random, KernelKind::rbf, 61, d, 6)}, ovr);
  add("one_class", {expansion(random, KernelKind::rbf, 33, d, 1)}, head(HeadKind::one_class, Link::none, 2));
  add("svr", {Scale{random.vector(d), random.vector(d, 0.5, 2)}, expansion(random, KernelKind::rbf, 40, d, 1)}, values);
  for (u64 kind = 0; kind <= static_cast<u64>(ActivationKind::erf); ++kind)
    add("mlp_" + std::to_string(kind),
        {affine(random, d, 19), Activation{static_cast<ActivationKind>(kind), 0.3}, affine(random, 19, 5), Softmax{}},
        head(HeadKind::multiclass, Link::identity, 5));
  for (const Norm norm : {Norm::l1, Norm::l2, Norm::max})
    add("normalize_" + std::to_string(static_cast<int>(norm)),
        {Impute{random.vector(d), 0, true}, Clip{0, 0.9}, Log1p{}, Normalize{norm}, affine(random, d, 2)}, values);
  add("scaled", {Scale{random.vector(d, 90, 110), random.vector(d, 5, 9)}, affine(random, d, 7), affine(random, 7, 2)},
      values);
  add_graphs(random, d, all);
  d = 17000;  // so wide that a tile has the fewest rows
  add("wide", {Normalize{Norm::l2}, affine(random, d, 8)}, values);
  add("svr_wide", {expansion(random, KernelKind::rbf, 7, d, 2)}, values);
  return all;
}

}  // namespace h5score::model::testing
