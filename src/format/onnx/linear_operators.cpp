// Gemm, MatMul and BatchNormalization: affine maps of a row.
#include "h5score/base/narrow.hpp"

#include "elementwise.hpp"
#include "operators.hpp"

#include <cmath>

namespace h5score::format::onnx::lower {
namespace {

constexpr const char* mixes = "it would mix values of different rows";

struct Matrix {
  u64 rows = 0, cols = 0;
  std::vector<double> values;
};

Matrix matrix_of(const Node& node, const Constant& constant, bool transposed) {
  if (constant.dims.size() != 2) node.refuse("its weights have shape " + text(constant.dims));
  Matrix matrix{constant.dims[0], constant.dims[1], numbers_of(constant)};
  if (!transposed) return matrix;
  Matrix turned{matrix.cols, matrix.rows, std::vector<double>(matrix.values.size())};
  for (u64 i = 0; i < matrix.rows; ++i)
    for (u64 j = 0; j < matrix.cols; ++j) turned.values[j * matrix.rows + i] = matrix.values[i * matrix.cols + j];
  return turned;
}

// x W along the last axis; what stands before it is repeated, so that the whole matrix is block diagonal.
Rows product(const Node& node, const Rows& x, const Matrix& w) {
  Graph& graph = node.graph();
  if (x.dims.empty() || x.batch == x.dims.size() - 1) node.refuse(mixes);
  if (x.dims.back() != w.rows)
    node.refuse("weights " + text({w.rows, w.cols}) + " for values of shape " + text(x.dims));
  const u64 repeats = w.rows == 0 ? 0 : elements(x.dims) / w.rows;
  const u64 d = repeats * w.rows;
  const u64 k = repeats * w.cols;
  graph.spend(base::checked_mul(d, k));
  model::Affine affine{{d, k, std::vector<double>(d * k, 0)}, std::vector<double>(k, 0)};
  for (u64 r = 0; r < repeats; ++r)
    for (u64 i = 0; i < w.rows; ++i)
      for (u64 j = 0; j < w.cols; ++j)
        affine.weights.values[(r * w.rows + i) * k + r * w.cols + j] = w.values[i * w.cols + j];
  Rows result = x;
  result.node = graph.add(std::move(affine), graph.node_of(x));
  result.columns.clear();
  result.dims.back() = w.cols;
  result.whole = result.binary = false;
  return result;
}

Rows swapped(Graph& graph, const Rows& rows) {
  std::vector<u64> order;
  for (u64 i = 0; i < rows.dims.size(); ++i) order.push_back(i);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return std::get<Rows>(transposed(graph, rows, {rows.dims, rows.batch}, order));
}

}  // namespace

void gemm(Node& node) {
  node.ignore({"broadcast"});
  const double alpha = node.number("alpha", 1);
  const double beta = node.number("beta", 1);
  const bool transposed_b = node.integer("transB", 0) != 0;
  if (node.integer("transA", 0) != 0) node.refuse("transA = 1 would mix values of different rows");
  Matrix weights = matrix_of(node, node.constant(1, "its second matrix"), transposed_b);
  for (double& w : weights.values) w *= alpha;
  const Rows& x = node.rows(0);
  if (x.dims.size() != 2) node.refuse("its first matrix has shape " + text(x.dims));
  Value result = product(node, x, weights);
  if (!node.given(2) || beta == 0) return node.set(std::move(result));
  Value bias = node.value(2);
  if (beta != 1) bias = binary(node, model::CombineKind::multiply, bias, Constant{{}, std::vector<double>{beta}, {}});
  const Dims dims = std::get<Rows>(result).dims;
  result = binary(node, model::CombineKind::add, result, bias);
  if (std::get<Rows>(result).dims != dims) node.refuse("its bias does not fit " + text(dims));
  node.set(std::move(result));
}

void mat_mul(Node& node) {
  const auto* left = node.get<Rows>(0);
  const auto* right = node.get<Rows>(1);
  if (left != nullptr && right != nullptr) node.refuse("both factors depend on the rows");
  Constant factor = node.constant(left != nullptr ? 1 : 0, "a factor");
  while (factor.dims.size() > 2 && factor.dims[0] == 1) factor.dims.erase(factor.dims.begin());
  if (factor.dims.size() > 2) node.refuse("its weights have shape " + text(factor.dims), "one matrix is supported");
  const bool vector = factor.dims.size() == 1;
  if (left != nullptr) {
    if (vector) factor.dims.push_back(1);
    Rows result = product(node, *left, matrix_of(node, factor, false));
    if (vector) result.dims.pop_back();
    return node.set(std::move(result));
  }
  // A x = (x' A')' on the last two axes.
  const Rows& x = node.rows(1);
  if (x.dims.size() < 3 || x.batch + 2 >= x.dims.size()) node.refuse(mixes);
  if (vector) node.refuse("a vector stands before values of the rows");
  const Rows turned = product(node, swapped(node.graph(), x), matrix_of(node, factor, true));
  node.set(swapped(node.graph(), turned));
}

void batch_normalization(Node& node) {
  const double epsilon = node.number("epsilon", 1e-5);
  node.ignore({"momentum", "is_test", "consumed_inputs"});
  if (node.opset() >= 14 && node.integer("training_mode", 0) != 0) node.refuse("it is in training mode");
  const bool spatial = node.opset() >= 9 || node.integer("spatial", 1) != 0;
  const Rows& x = node.rows(0);
  if (x.batch != 0 || x.dims.size() < 2 || (!spatial && x.dims.size() > 2))
    node.refuse("values of shape " + text(x.dims));
  // One number per channel, which is axis 1.
  const auto per_channel = [&](u64 input, const char* what) {
    Constant constant = node.constant(input, what);
    if (elements(constant.dims) != x.dims[1])
      node.refuse(std::string(what) + " has shape " + text(constant.dims) + ", the rows have " +
                  std::to_string(x.dims[1]) + " channels");
    constant.dims = {x.dims[1]};
    constant.dims.resize(x.dims.size() - 1, 1);
    return spread(node, constant, x.dims, x.batch);
  };
  auto factor = per_channel(1, "scale");
  const auto bias = per_channel(2, "bias");
  const auto mean = per_channel(3, "mean");
  const auto variance = per_channel(4, "variance");
  for (u64 i = 0; i < factor.size(); ++i) {
    if (!(variance[i] + epsilon > 0)) node.refuse("a variance is not above 0");
    factor[i] /= std::sqrt(variance[i] + epsilon);
  }
  Rows result = x;
  result.node = node.graph().add(model::Scale{mean, factor}, node.graph().node_of(x));
  result.columns.clear();
  result.whole = result.binary = false;
  node.set(linear(node.graph(), result, std::vector<double>(bias.size(), 1), bias));
}

}  // namespace h5score::format::onnx::lower
