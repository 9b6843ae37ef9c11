// Casts: exact ones of constants and labels, harmless ones of rows.
#include "moves.hpp"
#include "operators.hpp"

#include <algorithm>
#include <cmath>

namespace h5score::format::onnx::lower {
namespace {

enum class Kind : base::u8 { real, whole, boolean, text };

Kind kind_of(const Node& node, i64 type) {
  switch (type) {
    case pb::TensorProto::FLOAT:
    case pb::TensorProto::DOUBLE:
    case pb::TensorProto::FLOAT16:
    case pb::TensorProto::BFLOAT16:
      return Kind::real;
    case pb::TensorProto::BOOL:
      return Kind::boolean;
    case pb::TensorProto::STRING:
      return Kind::text;
    case pb::TensorProto::INT8:
    case pb::TensorProto::INT16:
    case pb::TensorProto::INT32:
    case pb::TensorProto::INT64:
    case pb::TensorProto::UINT8:
    case pb::TensorProto::UINT16:
    case pb::TensorProto::UINT32:
    case pb::TensorProto::UINT64:
      return Kind::whole;
    default:
      node.refuse("a cast to data type " + std::to_string(type));
  }
}

i64 truncated(const Node& node, double value) {
  if (!(std::abs(value) < 9e18)) node.refuse("a constant does not fit an integer");
  return static_cast<i64>(value);
}

Constant cast_constant(const Node& node, const Constant& from, Kind kind) {
  node.graph().spend(elements(from.dims));
  if (std::holds_alternative<std::vector<std::string>>(from.values)) {
    if (kind != Kind::text) node.refuse("a cast of text to numbers");
    return from;
  }
  if (kind == Kind::text) node.refuse("a cast of numbers to text");
  const auto* whole = std::get_if<std::vector<i64>>(&from.values);
  if (kind == Kind::whole && whole != nullptr) return from;
  Constant to{.dims = from.dims, .values = {}, .times_rows = {}};
  const std::vector<double> values = numbers_of(from);
  if (kind == Kind::real) {
    to.values = values;
  } else {
    std::vector<i64> integers;
    for (const double value : values)
      integers.push_back(kind == Kind::boolean ? i64{value != 0} : truncated(node, value));
    to.values = std::move(integers);
  }
  return to;
}

Labels cast_labels(const Node& node, const Labels& from, Kind kind) {
  Labels to = from;
  const u64 count = model::class_count(from.classes);
  const bool was_text = std::holds_alternative<std::vector<std::string>>(from.classes);
  if (kind == Kind::text) {
    std::vector<std::string> names;
    for (u64 i = 0; i < count; ++i) names.push_back(model::class_name(from.classes, i));
    to.classes = std::move(names);
  } else if (was_text || kind == Kind::boolean) {
    node.refuse("a cast of class labels to another kind");
  } else if (const auto* reals = std::get_if<std::vector<double>>(&from.classes); reals != nullptr) {
    std::vector<i64> codes;
    for (const double label : *reals) codes.push_back(truncated(node, label));
    if (kind == Kind::whole) to.classes = std::move(codes);
  }
  return to;
}

}  // namespace

void cast(Node& node) {
  node.ignore({"saturate", "round_mode"});
  const i64 type = node.integer("to", 0);
  const Kind kind = kind_of(node, type);
  if (const auto* constant = node.get<Constant>(0)) return node.set(cast_constant(node, *constant, kind));
  if (const auto* labels = node.get<Labels>(0)) return node.set(cast_labels(node, *labels, kind));
  if (const auto* scores = node.get<Scores>(0); scores != nullptr && kind == Kind::real) return node.set(*scores);
  const Rows& rows = node.rows(0);
  if (kind == Kind::text || (kind == Kind::boolean && !rows.binary))
    node.refuse("a cast of the rows to data type " + std::to_string(type));
  if (kind == Kind::whole && !rows.whole && !rows.binary) node.refuse("it would cut decimals off the rows");
  const bool wide = kind != Kind::whole || type == pb::TensorProto::INT32 || type == pb::TensorProto::INT64;
  if (!wide && !rows.binary) node.refuse("integers of data type " + std::to_string(type) + " cannot hold all rows");
  if (type == pb::TensorProto::FLOAT16 || type == pb::TensorProto::BFLOAT16)
    node.refuse("it would round the rows to 16 bits");
  if (type == pb::TensorProto::DOUBLE) node.graph().precision = model::Precision::float64;
  Rows result = rows;
  result.whole = kind != Kind::real;
  node.set(std::move(result));
}

}  // namespace h5score::format::onnx::lower
