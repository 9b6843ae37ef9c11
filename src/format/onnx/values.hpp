// What flows along the edges of an ONNX graph while it is lowered to stages.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace h5score::format::onnx {

using base::i64;
using base::u64;

using Dims = std::vector<u64>;
/// Product of all extents; throws Error(data) where it overflows, also of those beside a 0.
u64 elements(const Dims& dims);
/// "1x28x28"; "scalar" without extents.
std::string text(const Dims& dims);

/// A tensor that does not depend on the rows.
struct Constant {
  Dims dims;
  std::variant<std::vector<double>, std::vector<i64>, std::vector<std::string>> values;
  /// Of a shape: entry i stands for values[i] times the number of rows. Empty: no entry does.
  std::vector<bool> times_rows;
};

/// A tensor with one part per row. Along axis `batch` it has dims[batch] entries per row (more than 1 where a Reshape
/// has merged the batch with another axis); the other extents are as ONNX sees them.
struct Rows {
  u64 node = 0;  ///< of the model graph: 0 = features
  Dims dims;
  u64 batch = 0;
  std::vector<u64> columns;  ///< element j is column columns[j] of the node; empty: column j
  bool whole = false;        ///< of an integer type: casts to integers change nothing, a division cuts
  bool binary = false;       ///< only 0 and 1: no cast changes anything
};

/// The predicted class of each row: the first largest of several columns, or whether one column is above 0.
struct Labels {
  u64 node = 0;
  std::optional<model::Head> head;  ///< where the rule is more than that (votes of an SVM)
  model::ClassLabels classes;
  bool positions = false;  ///< `classes` are 0, 1, ...: an ArgMax that may still pick from a list of classes
};

/// Scores for people, in a map or computed by the head, with which nothing can be computed.
struct Scores {
  u64 node = 0;
  std::optional<model::Head> head;
  std::optional<model::ClassLabels> classes;
};

using Value = std::variant<std::monostate, Constant, Rows, Labels, Scores>;

}  // namespace h5score::format::onnx
