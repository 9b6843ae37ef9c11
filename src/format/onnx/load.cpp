// ONNX files to models: what the outputs need is lowered node by node.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "../printable.hpp"
#include "heads.hpp"
#include "inputs.hpp"
#include "metadata.hpp"
#include "node.hpp"
#include "onnx.hpp"
#include "operators.hpp"
#include "structure.hpp"
#include "tensor.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;
using Nodes = std::vector<const pb::NodeProto*>;

// The nodes that lead to these values, in the file's order, which is topological.
Nodes nodes_for(const pb::GraphProto& graph, std::set<std::string> names) {
  Nodes nodes;
  for (int i = graph.node_size(); i-- > 0;) {
    const auto& node = graph.node(i);
    if (std::none_of(node.output().begin(), node.output().end(),
                     [&](const std::string& name) { return !name.empty() && names.contains(name); }))
      continue;
    nodes.push_back(&node);
    names.insert(node.input().begin(), node.input().end());
  }
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

u64 budget_of(const pb::ModelProto& proto) {
  constexpr u64 most = u64{1} << 29U;
  const auto& tensors = proto.graph().initializer();
  const bool external = std::any_of(tensors.begin(), tensors.end(), [](const auto& tensor) {
    return tensor.data_location() == pb::TensorProto::EXTERNAL;
  });
  return external ? most : std::min<u64>(most, (u64{1} << 24U) + 64 * proto.ByteSizeLong());
}

class Lowering {
 public:
  Lowering(const pb::ModelProto& proto, std::string folder) : proto_(proto), folder_(std::move(folder)) {
    for (const auto& import : proto.opset_import()) opsets_[domain_of(import.domain())] = import.version();
    for (const auto& tensor : proto.graph().initializer()) initializers_[tensor.name()] = &tensor;
    for (const auto& function : proto.functions()) functions_.emplace(domain_of(function.domain()), function.name());
  }

  model::Model run();

 private:
  [[nodiscard]] i64 opset(const pb::NodeProto& node) const {
    const auto found = opsets_.find(domain_of(node.domain()));
    return found == opsets_.end() ? 0 : found->second;
  }
  const Operator& supported(const pb::NodeProto& node) const;
  const Value* value(const std::string& name, Graph& graph);
  void lower(const pb::NodeProto& proto, Graph& graph);
  Value output(const std::string& name, Graph& graph);

  const pb::ModelProto& proto_;
  std::string folder_;
  std::map<std::string, i64> opsets_;
  std::map<std::string, const pb::TensorProto*> initializers_;
  std::set<std::pair<std::string, std::string>> functions_;  // domain, name
  std::map<std::string, Value> values_;
  std::set<const pb::NodeProto*> done_;
};

const Operator& Lowering::supported(const pb::NodeProto& node) const {
  const i64 version = opset(node);
  if (functions_.contains({domain_of(node.domain()), node.op_type()}))
    refuse_node(node, version, "it is a function of the model's own", "export the model with its functions inlined");
  const Operator* op = find_operator(node.domain(), node.op_type());
  if (op == nullptr) {
    const bool tree = node.op_type().starts_with("TreeEnsemble");
    const bool layer = node.op_type() == "LayerNormalization";
    refuse_node(node, version,
                tree    ? "tree ensembles are not supported yet"
                : layer ? "layer normalisations are not supported"
                        : "",
                "docs/models.md lists the supported operators");
  }
  if (const i64 newest = newest_opset(op->domain); version > newest)
    throw Error(ExitCode::data,
                (op->domain == std::string("ai.onnx") ? "" : std::string(op->domain) + " ") + "opset " +
                    std::to_string(version) + " is newer than this program knows (" + std::to_string(newest) + ")",
                "its operators may mean something else", "export the model with an older opset");
  if (version == 0) refuse_node(node, version, "the file does not import the operator set " + std::string(op->domain));
  if (version < op->since)
    refuse_node(node, version, "it is read from opset " + std::to_string(op->since) + " on",
                "export the model with a newer opset");
  return *op;
}

// nullptr for the empty name of an input that is left out.
const Value* Lowering::value(const std::string& name, Graph& graph) {
  if (name.empty()) return nullptr;
  if (const auto found = values_.find(name); found != values_.end()) return &found->second;
  const auto tensor = initializers_.find(name);
  if (tensor == initializers_.end())
    throw Error(ExitCode::data, "the value " + shown(name) + " is read, but no earlier node gives it");
  Constant constant = decode(*tensor->second, folder_);
  graph.spend(elements(constant.dims));
  return &values_.emplace(name, std::move(constant)).first->second;
}

void Lowering::lower(const pb::NodeProto& proto, Graph& graph) {
  const Operator& op = supported(proto);
  const i64 version = opset(proto);
  try {
    std::vector<const Value*> inputs;
    for (const auto& name : proto.input()) inputs.push_back(value(name, graph));
    Node node(proto, version, folder_, graph, std::move(inputs));
    op.lower(node);
    node.check_attributes();
    for (u64 i = 0; i < node.outputs(); ++i) {
      const std::string& name = proto.output(base::narrow<int>(i));
      const Value& result = node.results()[i];
      if (const auto* rows = std::get_if<Rows>(&result)) graph.spend(rows->columns.size());
      if (!name.empty() && !std::holds_alternative<std::monostate>(result)) values_[name] = result;
    }
  } catch (const Refusal&) {
    throw;
  } catch (const Error& e) {
    refuse_node(proto, version, e.what());
  }
}

Value Lowering::output(const std::string& name, Graph& graph) {
  for (const auto* node : nodes_for(proto_.graph(), {name}))
    if (done_.insert(node).second) lower(*node, graph);
  return *value(name, graph);
}

// An output has its rows along the first axis, in order. Of a model for one row at a time all values are that row's,
// and skl2onnx writes the targets of a multi-layer perceptron below one another, where scikit-learn has them side by
// side.
void check_output(const std::string& name, const Rows& rows, u64 declared_batch, bool of_skl2onnx) {
  const u64 above = elements({rows.dims.begin(), rows.dims.begin() + static_cast<std::ptrdiff_t>(rows.batch)});
  if (declared_batch == 1 || (of_skl2onnx && above == 1)) return;
  const std::string problem = "the model's output " + shown(name) + " cannot be scored";
  if (const u64 parts = rows.dims[rows.batch]; parts != 1)
    throw Error(
        ExitCode::data, problem,
        "a Reshape or Flatten makes " + std::to_string(parts) + " rows of each one: it would cut rows into several");
  for (u64 axis = 0; axis < rows.batch; ++axis)
    if (rows.dims[axis] != 1)
      throw Error(ExitCode::data, problem,
                  "the rows run along axis " + std::to_string(rows.batch) + " of it, not along the first");
}

model::Model Lowering::run() {
  const pb::GraphProto& source = proto_.graph();
  if (source.sparse_initializer_size() > 0) throw Error(ExitCode::data, "sparse initializers are not supported");
  std::set<std::string> names;
  for (const auto& out : source.output()) names.insert(out.name());
  if (names.empty() || names.contains("")) throw Error(ExitCode::data, "the graph has no outputs");
  constexpr std::size_t most_outputs = 1000;  // each costs a walk over all nodes
  if (names.size() > most_outputs)
    throw Error(ExitCode::data, "the graph has too many outputs",
                std::to_string(names.size()) + ", at most " + std::to_string(most_outputs) + " are read");
  check_structure(source);
  // An operator that is not supported is better news than the unknown width of what it reads.
  for (const auto* node : nodes_for(source, {source.output(0).name()})) supported(*node);
  Inputs inputs = inputs_of(source, nodes_for(source, names));

  Graph graph(inputs.features, budget_of(proto_));
  graph.precision = inputs.float64 ? model::Precision::float64 : model::Precision::float32;
  graph.declared_batch = inputs.declared_batch;
  for (auto& [name, rows] : inputs.values) values_[name] = std::move(rows);
  Outputs outputs;
  for (const auto& out : source.output()) {
    outputs.emplace_back(out.name(), output(out.name(), graph));
    if (const auto* rows = std::get_if<Rows>(&outputs.back().second))
      check_output(out.name(), *rows, graph.declared_batch, proto_.producer_name() == "skl2onnx");
    // The head of an SVM has all there is to know; exporters add graphs that compute its scores in another form.
    const auto* labels = std::get_if<Labels>(&outputs.back().second);
    if (labels != nullptr && labels->head) break;
  }
  model::Model model = with_head(graph, outputs);
  model.feature_names = std::move(inputs.feature_names);
  model.input_shape = std::move(inputs.row_shape);
  model.origin.library = is_utf8(proto_.producer_name()) ? proto_.producer_name() : "";
  model.origin.version = is_utf8(proto_.producer_version()) ? proto_.producer_version() : "";
  return model;
}

// Names end up in JSON and in HDF5 strings, which are UTF-8.
void check_names(const model::Model& model) {
  std::vector<std::string> names = model.feature_names;
  names.insert(names.end(), model.head.target_names.begin(), model.head.target_names.end());
  if (const auto* classes = std::get_if<std::vector<std::string>>(&model.head.classes))
    names.insert(names.end(), classes->begin(), classes->end());
  for (const auto& name : names)
    if (!is_utf8(name)) throw Error(ExitCode::data, "the name " + shown(name) + " is not UTF-8");
}

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

model::Model load(const std::string& path) {
  try {
    const pb::ModelProto proto = read_model(path);
    model::Model model = Lowering(proto, folder_of(path)).run();
    apply_metadata(proto, model);
    check_names(model);
    return model;
  } catch (const Error& e) {
    throw e.in(path);
  }
}

}  // namespace h5score::format::onnx
