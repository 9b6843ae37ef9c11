// Layers that move columns, or do nothing once trained.
#include "h5score/base/narrow.hpp"

#include "layers.hpp"

#include <algorithm>
#include <numeric>

namespace h5score::format::keras {
namespace {

// A row of `in` with its axes in another order: axis k of the result is axis order[k] of `in`.
Tensor transpose(Scope& scope, const Tensor& in, const std::vector<u64>& order) {
  std::vector<u64> stride(in.shape.size(), 1);
  for (std::size_t k = stride.size() - 1; k > 0; --k) stride[k - 1] = stride[k] * in.shape[k];
  std::vector<u64> shape;
  for (const u64 axis : order) shape.push_back(in.shape[axis]);
  model::Select select{.columns = std::vector<u64>(in.width())};
  for (u64 i = 0; i < select.columns.size(); ++i) {
    u64 rest = i;
    for (std::size_t k = order.size(); k-- > 0; rest /= shape[k])
      select.columns[i] += rest % shape[k] * stride[order[k]];
  }
  if (std::is_sorted(select.columns.begin(), select.columns.end())) return {in.node, std::move(shape)};
  return scope.graph.add(std::move(select), in, std::move(shape));
}

}  // namespace

Tensor apply_input(Scope& /*scope*/, const Layer& layer, const std::vector<Tensor>& inputs) {
  const Json& config = *layer.config;
  for (const char* key : {"sparse", "ragged"})
    if (flag(config, key, false)) refuse(layer, "sparse and ragged inputs are not supported");
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    const Json& shape = member(config, key);
    if (!shape.is_null() && row_shape(shape) != inputs[0].shape) refuse(layer, "it is fed rows of another shape");
  }
  return inputs[0];
}

Tensor apply_identity(Scope& /*scope*/, const Layer& /*layer*/, const std::vector<Tensor>& inputs) {
  return inputs[0];
}

Tensor apply_flatten(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  Tensor out = inputs[0];
  // With channels_first Keras moves the channels to the end before it flattens.
  if (text(*layer.config, "data_format", "channels_last") == "channels_first" && out.shape.size() > 1) {
    std::vector<u64> order(out.shape.size());
    std::iota(order.begin(), order.end(), 1);
    order.back() = 0;
    out = transpose(scope, out, order);
  }
  out.shape = {out.width()};
  return out;
}

Tensor apply_reshape(Scope& /*scope*/, const Layer& layer, const std::vector<Tensor>& inputs) {
  const auto target = integers(member(*layer.config, "target_shape"), "target_shape");
  const u64 width = inputs[0].width();
  u64 known = 1;
  std::vector<u64> shape;
  std::size_t open = target.size();
  for (std::size_t k = 0; k < target.size(); ++k) {
    if (target[k] == -1 && open == target.size()) {
      open = k;
      shape.push_back(1);
    } else {
      if (target[k] < 1) refuse(layer, "its target shape is malformed");
      shape.push_back(base::narrow<u64>(target[k]));
      known = base::checked_mul(known, shape.back());
    }
  }
  if (open < target.size() && width % known == 0) shape[open] = width / known;
  if (base::checked_product(shape) != width) refuse(layer, "its target shape does not hold the values of a row");
  return {inputs[0].node, std::move(shape)};
}

Tensor apply_permute(Scope& scope, const Layer& layer, const std::vector<Tensor>& inputs) {
  const auto dims = integers(member(*layer.config, "dims"), "dims");
  std::vector<u64> order;
  for (const base::i64 dim : dims) order.push_back(base::narrow<u64>(std::max<base::i64>(dim, 1) - 1));
  std::vector<u64> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<u64> all(inputs[0].shape.size());
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all || all.empty()) refuse(layer, "its dims are no permutation of the axes of a row");
  return transpose(scope, inputs[0], order);
}

}  // namespace h5score::format::keras
