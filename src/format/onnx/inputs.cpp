// Inputs: shapes, and widths that only the first operator knows.
#include "inputs.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "../printable.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;

[[noreturn]] void refuse(const std::string& input, const std::string& why, const std::string& suggestion = {}) {
  throw Error(ExitCode::data, "the model's input " + shown(input) + " cannot be scored", why, suggestion);
}

using Nodes = std::vector<const pb::NodeProto*>;
using Initializers = std::map<std::string, const pb::TensorProto*>;

const pb::TensorProto* initializer(const Initializers& initializers, const std::string& name) {
  const auto found = initializers.find(name);
  return found == initializers.end() ? nullptr : found->second;
}

u64 list_size(const pb::NodeProto& node, const char* name) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name)
      return base::narrow<u64>(std::max({attribute.floats_size(), attribute.ints_size(), attribute.strings_size()}));
  return 0;
}

i64 integer(const pb::NodeProto& node, const char* name, i64 otherwise) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name) return attribute.i();
  return otherwise;
}

i64 list_sum(const pb::NodeProto& node, const char* name) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name) {
      i64 sum = 0;
      for (const i64 value : attribute.ints()) sum += std::clamp<i64>(value, 0, i64{1} << 40);
      return sum;
    }
  return 0;
}

u64 divided(u64 total, i64 by) {
  return by <= 0 ? 0 : total / static_cast<u64>(by);
}

u64 svm_width(const pb::NodeProto& node, i64 vectors, i64 outputs) {
  if (vectors > 0) return divided(list_size(node, "support_vectors"), vectors);
  return divided(list_size(node, "coefficients"), outputs);
}

// How many columns a node wants from its first input; 0 where it does not say.
u64 wanted_width(const Initializers& initializers, const pb::NodeProto& node) {
  const std::string& op = node.op_type();
  const pb::TensorProto* second = node.input_size() > 1 ? initializer(initializers, node.input(1)) : nullptr;
  const auto extent = [&](int axis) -> u64 {
    return second == nullptr || axis < 0 || axis >= second->dims_size() || second->dims(axis) < 0
               ? 0
               : static_cast<u64>(second->dims(axis));
  };
  const auto labels =
      static_cast<i64>(std::max(list_size(node, "classlabels_ints"), list_size(node, "classlabels_strings")));
  if (op == "Gemm") return extent(integer(node, "transB", 0) != 0 ? 1 : 0);
  if (op == "MatMul" || op == "BatchNormalization") return extent(0);
  if (op == "LinearRegressor") return divided(list_size(node, "coefficients"), integer(node, "targets", 1));
  if (op == "LinearClassifier") {
    const auto outputs = static_cast<i64>(list_size(node, "intercepts"));
    return divided(list_size(node, "coefficients"), outputs > 0 ? outputs : labels);
  }
  if (op == "SVMRegressor") return svm_width(node, integer(node, "n_supports", 0), 1);
  if (op == "SVMClassifier") return svm_width(node, list_sum(node, "vectors_per_class"), labels);
  if (op == "ZipMap") return std::max(list_size(node, "classlabels_int64s"), list_size(node, "classlabels_strings"));
  const u64 lists = std::max(list_size(node, op == "Scaler" ? "scale" : "imputed_value_floats"),
                             list_size(node, op == "Scaler" ? "offset" : "imputed_value_int64s"));
  if (op == "Scaler" || op == "Imputer") return lists > 1 ? lists : 0;
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") {
    const u64 last = second == nullptr ? 0 : extent(second->dims_size() - 1);
    return last > 1 ? last : 0;
  }
  return 0;
}

// The width of an input that does not state it, through operators that keep it.
std::optional<u64> inferred_width(const Initializers& initializers, const Nodes& nodes, const std::string& input) {
  static const std::set<std::string> keep{"Cast", "Identity", "Dropout", "Add",     "Sub",       "Mul",
                                          "Div",  "Relu",     "Scaler",  "Imputer", "Binarizer", "Normalizer"};
  std::set<std::string> same{input};
  for (const auto* node : nodes) {
    if (node->input_size() == 0 || !same.contains(node->input(0))) continue;
    if (const u64 width = wanted_width(initializers, *node); width > 0) return width;
    if (keep.contains(node->op_type()) && node->output_size() > 0) same.insert(node->output(0));
  }
  return std::nullopt;
}

void check_type(const std::string& name, i64 type) {
  if (type == pb::TensorProto::STRING) refuse(name, "it is text", "encode it as numbers, in the data and in the model");
  if (type == pb::TensorProto::COMPLEX64 || type == pb::TensorProto::COMPLEX128) refuse(name, "it is complex");
}

bool is_integer(i64 type) {
  return type != pb::TensorProto::FLOAT && type != pb::TensorProto::DOUBLE && type != pb::TensorProto::FLOAT16 &&
         type != pb::TensorProto::BFLOAT16 && type != pb::TensorProto::UNDEFINED;
}

// Extents after the batch axis: as declared, or for a table as the first operator needs them.
Dims row_dims(const Initializers& initializers, const Nodes& nodes, const pb::ValueInfoProto& input) {
  const auto& type = input.type().tensor_type();
  const int rank = type.has_shape() && type.shape().dim_size() > 0 ? type.shape().dim_size() : 2;
  Dims dims;
  for (int axis = 1; axis < rank; ++axis) {
    i64 extent = axis < type.shape().dim_size() ? type.shape().dim(axis).dim_value() : 0;
    if (extent <= 0 && rank == 2)
      if (const auto width = inferred_width(initializers, nodes, input.name())) extent = static_cast<i64>(*width);
    if (extent <= 0)
      refuse(input.name(), "the model does not say how large axis " + std::to_string(axis) + " is",
             "export it with a fixed number of features");
    dims.push_back(static_cast<u64>(extent));
  }
  return dims;
}

// Inputs of the graph that are no initializers and that a node reads.
std::vector<const pb::ValueInfoProto*> real_inputs(const pb::GraphProto& graph, const Initializers& initializers,
                                                   const Nodes& nodes) {
  std::set<std::string> read;
  for (const auto* node : nodes) read.insert(node->input().begin(), node->input().end());
  std::vector<const pb::ValueInfoProto*> real;
  for (const auto& input : graph.input())
    if (initializer(initializers, input.name()) == nullptr && read.contains(input.name())) real.push_back(&input);
  if (real.empty()) throw Error(ExitCode::data, "the model has no input", "its outputs do not depend on the rows");
  return real;
}

std::string names_of(const std::vector<const pb::ValueInfoProto*>& inputs) {
  std::string names;
  for (const auto* input : inputs) names.append(names.empty() ? "" : ", ").append(shown(input->name()));
  return names;
}

// Adds one input's columns behind those of the inputs before it.
void add_input(Inputs& inputs, const pb::ValueInfoProto& input, const Dims& dims, bool only) {
  const auto& type = input.type().tensor_type();
  inputs.float64 = inputs.float64 || type.elem_type() == pb::TensorProto::DOUBLE;
  const i64 batch = type.shape().dim_size() > 0 ? type.shape().dim(0).dim_value() : 0;
  const u64 declared = batch > 0 ? static_cast<u64>(batch) : 0;
  inputs.declared_batch = inputs.values.empty() || inputs.declared_batch == declared ? declared : 0;
  if (dims.size() > 1) inputs.row_shape = dims;
  Rows rows;
  rows.dims = dims;
  rows.dims.insert(rows.dims.begin(), 1);
  rows.whole = is_integer(type.elem_type());
  const u64 width = elements(dims);
  if (width > u64{1} << 22U) refuse(input.name(), std::to_string(width) + " columns are too many");
  if (!only) {
    rows.columns.resize(width);
    std::iota(rows.columns.begin(), rows.columns.end(), inputs.features);
  }
  inputs.features = base::checked_add(inputs.features, width);
  inputs.values.emplace_back(input.name(), std::move(rows));
}

}  // namespace

Inputs inputs_of(const pb::GraphProto& graph, const Nodes& nodes) {
  Initializers initializers;
  for (const auto& tensor : graph.initializer()) initializers[tensor.name()] = &tensor;
  const auto real = real_inputs(graph, initializers, nodes);
  Inputs inputs;
  for (const auto* input : real) {
    if (!input->type().has_tensor_type()) refuse(input->name(), "it is no tensor");
    check_type(input->name(), input->type().tensor_type().elem_type());
    const Dims dims = row_dims(initializers, nodes, *input);
    if (real.size() > 1 && dims.size() > 1)
      throw Error(ExitCode::data, "the model has several inputs: " + names_of(real),
                  shown(input->name()) + " is no table of rows and columns", "give it one input");
    add_input(inputs, *input, dims, real.size() == 1);
    inputs.feature_names.push_back(input->name());
  }
  if (real.size() == 1 || inputs.features != real.size()) inputs.feature_names.clear();
  return inputs;
}

}  // namespace h5score::format::onnx
