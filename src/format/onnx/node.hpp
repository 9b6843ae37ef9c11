// One operator of an ONNX graph with its inputs: what the lowering functions see.
#pragma once

#include "h5score/base/error.hpp"

#include "graph.hpp"
#include "proto.hpp"
#include "values.hpp"

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace h5score::format::onnx {

/// A refusal that names operator, node and opset already.
class Refusal : public base::Error {
 public:
  using base::Error::Error;
};

class Node {
 public:
  /// `inputs`: one value per input, or nullptr where an optional one is left out.
  Node(const pb::NodeProto& proto, i64 opset, const std::string& folder, Graph& graph,
       std::vector<const Value*> inputs);

  [[nodiscard]] Graph& graph() const { return graph_; }
  [[nodiscard]] i64 opset() const { return opset_; }

  // Attributes, with defaults where the node has none. Asking for one marks it as understood.
  i64 integer(const char* name, i64 otherwise);
  double number(const char* name, double otherwise);
  std::string text(const char* name, const std::string& otherwise);
  std::vector<i64> integers(const char* name);
  std::vector<double> numbers(const char* name);
  std::vector<std::string> texts(const char* name);
  std::optional<Constant> tensor(const char* name);
  bool has(const char* name);
  /// Marks attributes that do not change what a trained model computes as understood.
  void ignore(std::initializer_list<const char*> names);

  [[nodiscard]] u64 inputs() const { return inputs_.size(); }
  [[nodiscard]] u64 outputs() const { return static_cast<u64>(proto_.output_size()); }
  [[nodiscard]] bool given(u64 i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// Input i, whatever it is; refuses where there is none.
  [[nodiscard]] const Value& value(u64 i) const;
  /// Input i if it is of this kind, else nullptr.
  template <class T>
  [[nodiscard]] const T* get(u64 i) const {
    return given(i) ? std::get_if<T>(inputs_[i]) : nullptr;
  }
  /// Input i as real values per row; refuses constants and labels.
  [[nodiscard]] const Rows& rows(u64 i) const;
  /// Input i as a tensor that does not depend on the rows; `what` names it in the refusal.
  [[nodiscard]] const Constant& constant(u64 i, const char* what) const;
  [[nodiscard]] std::vector<double> constant_numbers(u64 i, const char* what) const;
  [[nodiscard]] std::vector<i64> constant_integers(u64 i, const char* what) const;

  void set(Value value, u64 output = 0);
  [[nodiscard]] const std::vector<Value>& results() const { return results_; }

  /// An axis from 0, from one that may count from the end; refuses where there is none such.
  [[nodiscard]] u64 axis(i64 axis, u64 rank) const;
  /// Refuses the node if it has an attribute that nobody asked for.
  void check_attributes() const;
  /// Throws Refusal: `operator Conv cannot be scored (node 'conv1', opset 11: why); suggestion`.
  [[noreturn]] void refuse(const std::string& why, const std::string& suggestion = {}) const;

 private:
  const pb::AttributeProto* attribute(const char* name, pb::AttributeProto::AttributeType type);

  const pb::NodeProto& proto_;
  i64 opset_;
  const std::string& folder_;
  Graph& graph_;
  std::vector<const Value*> inputs_;
  std::vector<Value> results_;
  std::set<std::string> asked_;
};

/// The same refusal for a node that has not been looked at yet.
[[noreturn]] void refuse_node(const pb::NodeProto& node, i64 opset, const std::string& why,
                              const std::string& suggestion = {});
/// "ai.onnx" for the two names of the default domain.
std::string domain_of(const std::string& domain);

/// All values of a constant as double or i64; throws Error(data) where they are strings, depend on the number of rows,
/// or (i64) are not whole.
std::vector<double> numbers_of(const Constant& constant);
std::vector<i64> integers_of(const Constant& constant);

}  // namespace h5score::format::onnx
