// Convolutions and averages that are affine maps of a row in disguise.
#include "h5score/base/narrow.hpp"

#include "elementwise.hpp"
#include "operators.hpp"

#include <algorithm>

namespace h5score::format::onnx::lower {
namespace {

constexpr const char* supported_conv = "supported are 1x1 and full-width convolutions";

Dims without_first(const Dims& dims, u64 count) {
  return {dims.begin() + static_cast<std::ptrdiff_t>(std::min<u64>(count, dims.size())), dims.end()};
}

bool all_are(const std::vector<i64>& values, i64 value) {
  return std::all_of(values.begin(), values.end(), [value](i64 v) { return v == value; });
}

// Strides, padding and dilation as they stand in Conv and the pools.
struct Window {
  Dims kernel;
  bool plain = false;     ///< no padding, no dilation
  bool one_step = false;  ///< strides of 1
};

Window window_of(Node& node, Dims kernel) {
  const auto shape = node.integers("kernel_shape");
  if (!shape.empty()) kernel.assign(shape.begin(), shape.end());
  const std::string pad = node.text("auto_pad", "NOTSET");
  const auto pads = node.integers("pads");
  const auto dilations = node.integers("dilations");
  const auto strides = node.integers("strides");
  const bool ones = std::all_of(kernel.begin(), kernel.end(), [](u64 extent) { return extent == 1; });
  const bool padded = !all_are(pads, 0) || (pad != "NOTSET" && pad != "VALID" && !ones);
  return {std::move(kernel), !padded && all_are(dilations, 1), all_are(strides, 1)};
}

// Rows of shape batch x channels x positions.
const Rows& image(const Node& node) {
  const Rows& x = node.rows(0);
  if (x.batch != 0 || x.dims.size() < 3 || x.dims[0] != 1) node.refuse("values of shape " + text(x.dims));
  return x;
}

Rows affine_rows(Graph& graph, const Rows& x, model::Affine affine, Dims dims) {
  Rows result = x;
  result.node = graph.add(std::move(affine), graph.node_of(x));
  result.columns.clear();
  result.dims = std::move(dims);
  result.whole = result.binary = false;
  return result;
}

// Sums (times `factor`) over all axes that `over` marks.
Rows reduced(Graph& graph, const Rows& x, const std::vector<bool>& over, bool keep, bool average) {
  Dims kept, result;
  u64 batch = 0;
  u64 count = 1;
  for (u64 i = 0; i < x.dims.size(); ++i) {
    kept.push_back(over[i] ? 1 : x.dims[i]);
    if (over[i]) count *= x.dims[i];
    if (i == x.batch) batch = result.size();
    if (!over[i] || keep) result.push_back(kept.back());
  }
  const u64 d = elements(x.dims);
  const u64 k = elements(kept);
  graph.spend(base::checked_mul(d, k));
  model::Affine affine{{d, k, std::vector<double>(d * k, 0)}, std::vector<double>(k, 0)};
  const auto target = broadcast_source(graph, kept, x.dims);
  for (u64 i = 0; i < d; ++i) affine.weights.values[i * k + target[i]] = average ? 1 / static_cast<double>(count) : 1;
  Rows rows = affine_rows(graph, x, std::move(affine), std::move(result));
  rows.batch = batch;
  return rows;
}

void reduce(Node& node, bool average) {
  const Rows& x = node.rows(0);
  const bool keep = node.integer("keepdims", 1) != 0;
  const bool nothing_is_all = node.integer("noop_with_empty_axes", 0) == 0;
  const auto axes = node.given(1) ? node.constant_integers(1, "the list of axes") : node.integers("axes");
  if (axes.empty() && !nothing_is_all) return node.set(x);
  std::vector<bool> over(x.dims.size(), axes.empty());
  for (const i64 axis : axes) over[node.axis(axis, x.dims.size())] = true;
  if (over[x.batch]) node.refuse("it would mix values of different rows");
  node.set(reduced(node.graph(), x, over, keep, average));
}

void average_positions(Node& node) {
  const Rows& x = image(node);
  std::vector<bool> over(x.dims.size(), true);
  over[0] = over[1] = false;
  node.set(reduced(node.graph(), x, over, true, true));
}

}  // namespace

void conv(Node& node) {
  const Rows& x = image(node);
  const Constant& constant = node.constant(1, "its weights");
  const auto groups = static_cast<u64>(std::max<i64>(node.integer("group", 1), 0));
  if (constant.dims.size() != x.dims.size())
    node.refuse("weights " + text(constant.dims) + " for values of shape " + text(x.dims));
  const Dims positions = without_first(x.dims, 2);
  const Window window = window_of(node, without_first(constant.dims, 2));
  const bool pointwise = elements(window.kernel) == 1 && window.one_step;
  const bool full = window.kernel == positions;
  if (!window.plain || !(pointwise || full) || without_first(constant.dims, 2) != window.kernel)
    node.refuse("kernel " + text(window.kernel) + (window.plain ? "" : " with padding or dilation") + " on " +
                    text(without_first(x.dims, 1)),
                supported_conv);
  const u64 outputs = constant.dims[0];
  if (groups == 0 || outputs % groups != 0 || constant.dims[1] * groups != x.dims[1])
    node.refuse("weights " + text(constant.dims) + " for values of shape " + text(x.dims));

  const u64 at = elements(positions);
  const u64 out_at = full ? 1 : at;
  const u64 d = elements(x.dims);
  const u64 k = base::checked_mul(outputs, out_at);
  node.graph().spend(base::checked_mul(d, k));
  const auto weights = numbers_of(constant);
  model::Affine affine{{d, k, std::vector<double>(d * k, 0)}, std::vector<double>(k, 0)};
  for (u64 m = 0; m < outputs; ++m)
    for (u64 c = 0; c < constant.dims[1]; ++c)
      for (u64 p = 0; p < at; ++p) {
        const u64 channel = m / (outputs / groups) * constant.dims[1] + c;
        const u64 weight = (m * constant.dims[1] + c) * (full ? at : 1) + (full ? p : 0);
        affine.weights.values[(channel * at + p) * k + m * out_at + (full ? 0 : p)] = weights[weight];
      }
  if (node.given(2)) {
    const auto bias = node.constant_numbers(2, "its bias");
    if (bias.size() != outputs) node.refuse("its bias has " + std::to_string(bias.size()) + " values");
    for (u64 i = 0; i < k; ++i) affine.bias[i] = bias[i / out_at];
  }
  Dims dims = x.dims;
  dims[1] = outputs;
  if (full) std::fill(dims.begin() + 2, dims.end(), 1);
  node.set(affine_rows(node.graph(), x, std::move(affine), std::move(dims)));
}

void global_average_pool(Node& node) {
  average_positions(node);
}

void average_pool(Node& node) {
  node.ignore({"ceil_mode", "count_include_pad"});
  const Window window = window_of(node, {});
  const Dims positions = without_first(node.rows(0).dims, 2);
  if (!window.plain || window.kernel != positions)
    node.refuse("kernel " + text(window.kernel) + " on " + text(without_first(node.rows(0).dims, 1)),
                "supported are averages over all positions");
  average_positions(node);
}

void reduce_mean(Node& node) {
  reduce(node, true);
}
void reduce_sum(Node& node) {
  reduce(node, false);
}

}  // namespace h5score::format::onnx::lower
