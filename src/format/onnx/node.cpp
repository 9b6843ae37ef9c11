// Access to attributes and inputs of nodes.
#include "node.hpp"

#include "h5score/base/error.hpp"

#include "../printable.hpp"
#include "tensor.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;

[[noreturn]] void refuse_values(const char* why) {
  throw Error(ExitCode::data, "a constant of another type is needed", why);
}

const char* kind_of(const Value& value) {
  constexpr const char* names[] = {"nothing", "constants", "values of the rows", "class labels", "scores in a map"};
  return names[value.index()];
}

// Text of a file in a message, without quotation marks.
std::string plain(const std::string& text) {
  const std::string quoted = shown(text);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

std::string domain_of(const std::string& domain) {
  return domain.empty() ? "ai.onnx" : domain;
}

void refuse_node(const pb::NodeProto& node, i64 opset, const std::string& why, const std::string& suggestion) {
  const std::string name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  const std::string domain = domain_of(node.domain()) == "ai.onnx" ? "" : node.domain() + " ";
  throw Refusal(
      ExitCode::data, "operator " + plain(node.op_type()) + " cannot be scored",
      "node " + shown(name) + ", " + plain(domain) + "opset " + std::to_string(opset) + (why.empty() ? "" : ": " + why),
      suggestion);
}

std::vector<double> numbers_of(const Constant& constant) {
  if (!constant.times_rows.empty()) refuse_values("a shape depends on the number of rows");
  if (const auto* reals = std::get_if<std::vector<double>>(&constant.values)) return *reals;
  if (const auto* whole = std::get_if<std::vector<i64>>(&constant.values)) return {whole->begin(), whole->end()};
  refuse_values("it holds text");
}

std::vector<i64> integers_of(const Constant& constant) {
  if (!constant.times_rows.empty()) refuse_values("a shape depends on the number of rows");
  if (const auto* whole = std::get_if<std::vector<i64>>(&constant.values)) return *whole;
  refuse_values("integers are needed");
}

Node::Node(const pb::NodeProto& proto, i64 opset, const std::string& folder, Graph& graph,
           std::vector<const Value*> inputs)
    : proto_(proto),
      opset_(opset),
      folder_(folder),
      graph_(graph),
      inputs_(std::move(inputs)),
      results_(static_cast<std::size_t>(proto.output_size())) {}

const pb::AttributeProto* Node::attribute(const char* name, pb::AttributeProto::AttributeType type) {
  asked_.insert(name);
  for (const auto& attribute : proto_.attribute()) {
    if (attribute.name() != name) continue;
    // Files of IR versions before 4 may leave the type out.
    if (attribute.type() != type && attribute.type() != pb::AttributeProto::UNDEFINED)
      refuse(std::string("attribute '") + name + "' is of another type than the operator says");
    return &attribute;
  }
  return nullptr;
}

i64 Node::integer(const char* name, i64 otherwise) {
  const auto* found = attribute(name, pb::AttributeProto::INT);
  return found == nullptr ? otherwise : found->i();
}

double Node::number(const char* name, double otherwise) {
  const auto* found = attribute(name, pb::AttributeProto::FLOAT);
  return found == nullptr ? otherwise : static_cast<double>(found->f());
}

std::string Node::text(const char* name, const std::string& otherwise) {
  const auto* found = attribute(name, pb::AttributeProto::STRING);
  return found == nullptr ? otherwise : found->s();
}

std::vector<i64> Node::integers(const char* name) {
  const auto* found = attribute(name, pb::AttributeProto::INTS);
  return found == nullptr ? std::vector<i64>{} : std::vector<i64>{found->ints().begin(), found->ints().end()};
}

std::vector<double> Node::numbers(const char* name) {
  const auto* found = attribute(name, pb::AttributeProto::FLOATS);
  return found == nullptr ? std::vector<double>{} : std::vector<double>{found->floats().begin(), found->floats().end()};
}

std::vector<std::string> Node::texts(const char* name) {
  const auto* found = attribute(name, pb::AttributeProto::STRINGS);
  return found == nullptr ? std::vector<std::string>{}
                          : std::vector<std::string>{found->strings().begin(), found->strings().end()};
}

std::optional<Constant> Node::tensor(const char* name) {
  const auto* found = attribute(name, pb::AttributeProto::TENSOR);
  if (found == nullptr) return std::nullopt;
  Constant constant = decode(found->t(), folder_);
  graph_.spend(elements(constant.dims));
  return constant;
}

bool Node::has(const char* name) {
  return std::any_of(proto_.attribute().begin(), proto_.attribute().end(),
                     [name](const auto& attribute) { return attribute.name() == name; });
}

void Node::ignore(std::initializer_list<const char*> names) {
  asked_.insert(names.begin(), names.end());
}

const Value& Node::value(u64 i) const {
  if (!given(i)) refuse("input " + std::to_string(i) + " is missing");
  return *inputs_[i];
}

const Rows& Node::rows(u64 i) const {
  const auto* found = std::get_if<Rows>(&value(i));
  if (found == nullptr)
    refuse("input " + std::to_string(i) + " holds " + kind_of(value(i)) + ", where values of the rows are needed");
  return *found;
}

const Constant& Node::constant(u64 i, const char* what) const {
  const auto* found = std::get_if<Constant>(&value(i));
  if (found == nullptr) refuse(std::string(what) + " depends on the rows, where a constant is needed");
  return *found;
}

std::vector<double> Node::constant_numbers(u64 i, const char* what) const {
  return numbers_of(constant(i, what));
}

std::vector<i64> Node::constant_integers(u64 i, const char* what) const {
  return integers_of(constant(i, what));
}

void Node::set(Value value, u64 output) {
  if (output < results_.size()) results_[output] = std::move(value);
}

u64 Node::axis(i64 axis, u64 rank) const {
  const auto extent = static_cast<i64>(rank);
  if (axis < -extent || axis >= extent)
    refuse("there is no axis " + std::to_string(axis) + " among " + std::to_string(rank));
  return static_cast<u64>(axis < 0 ? axis + extent : axis);
}

void Node::check_attributes() const {
  for (const auto& attribute : proto_.attribute())
    if (!asked_.contains(attribute.name())) refuse("its attribute " + shown(attribute.name()) + " is not supported");
}

void Node::refuse(const std::string& why, const std::string& suggestion) const {
  refuse_node(proto_, opset_, why, suggestion);
}

}  // namespace h5score::format::onnx
