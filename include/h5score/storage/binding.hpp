// Which source column feeds which feature. The sources of a run are one table, whatever the layout of its files; each
// model binds its features to columns of that table. Flat and archivable: workers decode by it.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

using base::u64;
using base::u8;

/// array: one N-d dataset, its rows flattened; columns: a group of 1-d datasets; compound: a dataset of records;
/// sparse: a CSR or CSC matrix.
enum class TableKind : u8 { array, columns, compound, sparse };

/// The feature columns that the input offers. Files may store named columns in another order, more of them, or lack
/// some that no binding reads: the first file's count.
struct SourceTable {
  TableKind kind = TableKind::array;
  std::string dataset;                   ///< absolute name of the dataset or group: "/images", "/photometry", "/X"
  u64 columns = 0;                       ///< of a flattened row
  std::vector<u64> row_shape;            ///< array: shape of a row; else {columns}
  std::vector<std::string> names;        ///< empty: the columns have none; else one each, all different
  std::string names_from;                ///< for messages: "members of the group", "fields", "/var/_index", "genes.txt"
  std::vector<base::ElementType> types;  ///< one for all columns, or one each
  /// What stored numbers mean, "x 0.01 + 273.15, missing: -32767", one for all columns or one each; empty: themselves.
  std::vector<std::string> meanings;

  [[nodiscard]] const base::ElementType& type(u64 column) const { return types[types.size() == 1 ? 0 : column]; }
  /// Where a column's values are, for people: "/photometry/mag_g", "/table.mag_g", "/images[:, 3, 7]", "/X[:, TP53]",
  /// "/t2m (x 0.01 + 273.15)".
  [[nodiscard]] std::string source_name(u64 column) const;
  /// The same without what the numbers mean.
  [[nodiscard]] std::string place_name(u64 column) const;
};

/// What feeds one feature: a column, the difference of two (`column` - `minus`), or a constant.
struct FeatureSource {
  static constexpr u64 none = ~u64{0};
  u64 column = none;
  u64 minus = none;
  double constant = 0;  ///< where column == none; NaN: missing
  bool operator==(const FeatureSource&) const = default;
};

/// The features of one model, in its order.
struct Binding {
  std::vector<FeatureSource> features;
  /// > 0: every row is first multiplied so that all columns of the table, bound or not, sum to this (a row that sums to
  /// 0 stays, one without a finite sum becomes NaN). Missing values do not count.
  double total_count = 0;
  bool operator==(const Binding&) const = default;
};

/// Done to columns before they are bound, in this order: a value equal to one of `missing` (rounded to the column's
/// stored type) becomes NaN; a NaN in a column with a fill value becomes that value.
struct Treatment {
  struct Fill {
    u64 column = 0;
    double value = 0;
    bool operator==(const Fill&) const = default;
  };
  std::vector<double> missing;
  std::vector<Fill> fills;
  bool operator==(const Treatment&) const = default;
};

template <class A>
void archive(A& ar, SourceTable& v) {
  ar(v.kind, v.dataset, v.columns, v.row_shape, v.names, v.names_from, v.types, v.meanings);
}
template <class A>
void archive(A& ar, FeatureSource& v) {
  ar(v.column, v.minus, v.constant);
}
template <class A>
void archive(A& ar, Binding& v) {
  ar(v.features, v.total_count);
}
template <class A>
void archive(A& ar, Treatment::Fill& v) {
  ar(v.column, v.value);
}
template <class A>
void archive(A& ar, Treatment& v) {
  ar(v.missing, v.fills);
}

}  // namespace h5score::storage
