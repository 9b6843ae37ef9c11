// The features of one binding from the rows of a sparse matrix: only stored elements are looked at, and of these only
// the columns that are bound are kept.
#pragma once

#include "h5score/storage/layout.hpp"

#include "convert.hpp"

#include <optional>
#include <span>
#include <vector>

namespace h5score::storage {

/// Rows of a matrix in memory: row i has elements offsets[i] to offsets[i + 1].
struct SparseRows {
  std::span<const u64> offsets;
  std::span<const u32> columns;  ///< of each element, of the table; the table's width for one that it does not have
  const std::byte* values = nullptr;
};

/// Column numbers as stored in `file` to columns of a table of `table_columns`, for `count` elements. Uses `buffer`
/// where they cannot be used in place. Returns the number of the first element whose column the file's matrix does not
/// have, in `bad`.
std::span<const u32> table_columns(const std::byte* stored, u64 count, const FileFormat& file, std::vector<u32>& buffer,
                                   std::optional<u64>& bad);

class SparseGather {
 public:
  /// Throws Error(internal) for a column that the table does not have.
  SparseGather(const RowFormat& run, const FileFormat& file, const Binding& binding);

  /// As DecodedBlock::fill_tile(). Elements that are not stored are 0, which no treatment applies to; elements of one
  /// row and column are summed in T.
  template <class T>
  void fill(const SparseRows& rows, u64 first_row, u64 count, T* out, u64 stride) const;

 private:
  struct Target {
    u32 feature = 0;
    bool minus = false;
  };
  struct Constant {
    u64 feature = 0;
    double value = 0;
  };
  // A table whose columns are one feature each at most, which is not a difference.
  void find_only_features();
  template <class T>
  void add(const SparseRows& rows, u64 begin, std::span<const T> values, T* out) const;
  template <class T>
  void load(const SparseRows& rows, base::RowRange elements, T* out) const;
  template <class T>
  [[nodiscard]] const T* in_place(const SparseRows& rows) const;
  [[nodiscard]] double sum(const SparseRows& rows, base::RowRange elements) const;

  const RowFormat& run_;
  base::ElementType type_;
  Conversion<float> to_float_;
  Conversion<double> to_double_;
  u64 features_ = 0;
  double total_count_ = 0;
  std::vector<u32> first_target_;  // of each column of the table, and of one beyond; then their end
  std::vector<Target> targets_;
  std::vector<u32>
      only_feature_;       // of each column and one beyond, the number of features for none; empty: see targets_
  bool in_order_ = false;  // every column of the file is the feature of its number
  std::vector<Constant> constants_;
  std::vector<double> fills_;  // of each column and one beyond, NaN: none; empty: none at all
};

extern template void SparseGather::fill(const SparseRows&, u64, u64, float*, u64) const;
extern template void SparseGather::fill(const SparseRows&, u64, u64, double*, u64) const;

}  // namespace h5score::storage
