// Graphs of stages.
#include "graph.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

// A layer that is used a thousand times, in networks nested in networks, must not fill the memory.
constexpr u64 most_stages = 10'000;
constexpr u64 most_values = u64{1} << 29;
constexpr u64 most_columns = u64{1} << 22;

void check_width(const std::vector<u64>& shape) {
  const u64 width = base::checked_product(shape);
  if (width == 0 || width > most_columns)
    throw Error(ExitCode::data, "a tensor has " + std::to_string(width) + " values per row", "1 to 2^22 are supported");
}

u64 parameters_of(const model::Stage& stage) {
  if (const auto* affine = std::get_if<model::Affine>(&stage)) return affine->weights.values.size();
  if (const auto* scale = std::get_if<model::Scale>(&stage)) return 2 * scale->offset.size();
  if (const auto* select = std::get_if<model::Select>(&stage)) return select->columns.size();
  return 0;
}

}  // namespace

u64 Tensor::width() const {
  return base::checked_product(shape);
}

Tensor Graph::input(std::vector<u64> shape) {
  check_width(shape);
  return {0, std::move(shape)};
}

Tensor Graph::push(model::Stage stage, std::vector<u64> nodes, std::vector<u64> shape) {
  check_width(shape);
  values_ += parameters_of(stage);
  if (stages_.size() >= most_stages || values_ > most_values)
    throw Error(ExitCode::data, "the network is too large",
                "more than 10,000 stages or 2^29 parameters, counting shared layers as often as they are used");
  stages_.push_back(std::move(stage));
  inputs_.push_back(std::move(nodes));
  return {stages_.size(), std::move(shape)};
}

Tensor Graph::add(model::Stage stage, const Tensor& in) {
  return add(std::move(stage), in, in.shape);
}

Tensor Graph::add(model::Stage stage, const Tensor& in, std::vector<u64> shape) {
  return push(std::move(stage), {in.node}, std::move(shape));
}

Tensor Graph::combine(model::CombineKind kind, const std::vector<Tensor>& in, std::vector<u64> shape) {
  std::vector<u64> nodes;
  for (const Tensor& tensor : in) nodes.push_back(tensor.node);
  return push(model::Combine{kind}, std::move(nodes), std::move(shape));
}

Tensor Graph::scale(const Tensor& in, std::vector<double> offset, std::vector<double> factor,
                    const std::vector<double>& shift) {
  // (x - offset) * factor + shift = (x - (offset - shift / factor)) * factor: one stage instead of two.
  std::vector<double> joined(offset.size());
  for (std::size_t j = 0; j < offset.size(); ++j)
    joined[j] = shift[j] == 0 ? offset[j] : offset[j] - shift[j] / factor[j];
  // Not where a factor is 0, or so small that the quotient leaves the range of a float32.
  if (std::all_of(joined.begin(), joined.end(), [](double v) { return std::abs(v) < 1e30; }))
    return add(model::Scale{std::move(joined), std::move(factor)}, in);
  const Tensor scaled = add(model::Scale{std::move(offset), std::move(factor)}, in);
  std::vector<double> negative;
  for (const double v : shift) negative.push_back(-v);
  std::vector<double> ones(shift.size(), 1.0);
  return add(model::Scale{std::move(negative), std::move(ones)}, scaled);
}

Tensor Graph::scale(const Tensor& in, double factor, double shift) {
  const u64 n = in.width();
  return scale(in, std::vector<double>(n), std::vector<double>(n, factor), std::vector<double>(n, shift));
}

model::Model Graph::take(const Tensor& input, const Tensor& output) {
  std::vector<bool> needed(stages_.size() + 1);
  needed[output.node] = true;
  for (u64 node = output.node; node > 0; --node)
    if (needed[node])
      for (const u64 from : inputs_[node - 1]) needed[from] = true;
  model::Model model;
  model.n_features = input.width();
  if (input.shape.size() > 1) model.input_shape = input.shape;
  std::vector<u64> renumbered(stages_.size() + 1);
  bool chain = true;
  for (u64 node = 1; node <= output.node; ++node) {
    if (!needed[node]) continue;
    for (u64& from : inputs_[node - 1]) from = renumbered[from];
    chain = chain && inputs_[node - 1] == std::vector<u64>{model.stages.size()};
    model.stages.push_back(std::move(stages_[node - 1]));
    model.inputs.push_back(std::move(inputs_[node - 1]));
    renumbered[node] = model.stages.size();
  }
  if (chain) model.inputs.clear();
  if (model.stages.empty()) model.stages.emplace_back(model::Activation{});
  return model;
}

}  // namespace h5score::format::keras
