// The words that model files use for kinds of stages, activations, kernels, heads and links. They are part of the
// native format, so they live here and never change, whatever the code calls the things.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/model/model.hpp"

#include "printable.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace h5score::format {

template <class E, std::size_t N>
using Names = std::array<std::pair<std::string_view, E>, N>;

inline constexpr Names<model::ActivationKind, 16> activation_names{{
    {"identity", model::ActivationKind::identity},
    {"relu", model::ActivationKind::relu},
    {"relu6", model::ActivationKind::relu6},
    {"leaky_relu", model::ActivationKind::leaky_relu},
    {"elu", model::ActivationKind::elu},
    {"selu", model::ActivationKind::selu},
    {"gelu", model::ActivationKind::gelu},
    {"gelu_tanh", model::ActivationKind::gelu_tanh},
    {"silu", model::ActivationKind::silu},
    {"sigmoid", model::ActivationKind::sigmoid},
    {"hard_sigmoid", model::ActivationKind::hard_sigmoid},
    {"tanh", model::ActivationKind::tanh},
    {"softplus", model::ActivationKind::softplus},
    {"softsign", model::ActivationKind::softsign},
    {"exponential", model::ActivationKind::exponential},
    {"erf", model::ActivationKind::erf},
}};

/// LIBSVM's words too.
inline constexpr Names<model::KernelKind, 4> kernel_names{{
    {"linear", model::KernelKind::linear},
    {"polynomial", model::KernelKind::polynomial},
    {"rbf", model::KernelKind::rbf},
    {"sigmoid", model::KernelKind::sigmoid},
}};

inline constexpr Names<model::Norm, 3> norm_names{{
    {"l1", model::Norm::l1},
    {"l2", model::Norm::l2},
    {"max", model::Norm::max},
}};

inline constexpr Names<model::CombineKind, 7> combine_names{{
    {"concat", model::CombineKind::concat},
    {"add", model::CombineKind::add},
    {"subtract", model::CombineKind::subtract},
    {"multiply", model::CombineKind::multiply},
    {"divide", model::CombineKind::divide},
    {"minimum", model::CombineKind::minimum},
    {"maximum", model::CombineKind::maximum},
}};

inline constexpr Names<model::HeadKind, 6> head_names{{
    {"values", model::HeadKind::values},
    {"binary", model::HeadKind::binary},
    {"multiclass", model::HeadKind::multiclass},
    {"multilabel", model::HeadKind::multilabel},
    {"one_vs_one", model::HeadKind::one_vs_one},
    {"one_class", model::HeadKind::one_class},
}};

inline constexpr Names<model::Link, 6> link_names{{
    {"none", model::Link::none},
    {"identity", model::Link::identity},
    {"sigmoid", model::Link::sigmoid},
    {"softmax", model::Link::softmax},
    {"normalized_sigmoid", model::Link::normalized_sigmoid},
    {"platt", model::Link::platt},
}};

inline constexpr Names<model::Precision, 2> precision_names{{
    {"float32", model::Precision::float32},
    {"float64", model::Precision::float64},
}};

/// The value that `name` stands for; throws Error(data) `what 'name' is unknown (known: ...)`.
template <class E, std::size_t N>
E value_of(const Names<E, N>& names, std::string_view name, const std::string& what) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == name; });
  if (found != names.end()) return found->second;
  std::string known;
  for (const auto& entry : names) known.append(known.empty() ? "" : ", ").append(entry.first);
  throw base::Error(base::ExitCode::data, what + " " + shown(name) + " is unknown", "known: " + known);
}

template <class E, std::size_t N>
std::string name_of(const Names<E, N>& names, E value) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.second == value; });
  if (found == names.end()) throw base::Error(base::ExitCode::internal, "a model part has no name in the file format");
  return std::string(found->first);
}

}  // namespace h5score::format
