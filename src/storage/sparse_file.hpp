// What a group of three arrays is that holds a sparse matrix: of AnnData (.h5ad, also its first versions) and of 10x
// Genomics (Cell Ranger 2 and 3). For the name node: these functions call the HDF5 library.
#pragma once

#include "h5score/h5/dataset.hpp"

#include <optional>
#include <string>
#include <vector>

namespace h5score::storage {

using base::u64;

/// A compressed sparse matrix: the elements of row i (by_column: of column i) are numbers offsets[i] to offsets[i + 1]
/// of `indices` (their columns; by_column: rows) and `values`.
struct SparseFacts {
  std::string name;  ///< the group
  u64 rows = 0;
  u64 columns = 0;
  bool by_column = false;
  h5::DatasetFacts offsets;
  h5::DatasetFacts indices;
  h5::DatasetFacts values;
};

template <class A>
void archive(A& ar, SparseFacts& v) {
  ar(v.name, v.rows, v.columns, v.by_column, v.offsets, v.indices, v.values);
}

/// What the columns of a matrix are called.
struct ColumnNames {
  std::vector<std::string> names;  ///< empty: unknown
  std::string from;                ///< for messages: "/var/_index", "/matrix/features/name"
};

/// The matrix that a group holds; nullopt if it does not look like one. Throws Error(data) naming path and group
/// for one that contradicts itself.
std::optional<SparseFacts> describe_sparse(const std::string& path, const std::string& group_name);

/// Names of the `columns` columns of the matrix `name`, dense or sparse, of an AnnData or 10x file: the index of `var`
/// that belongs to it (for `raw/X` that of `raw/var`), or the gene names; all different, see tell_apart().
ColumnNames column_names(const std::string& path, const std::string& name, u64 columns);

/// The identifiers of its genes beside their names; none where there are none.
ColumnNames column_ids(const std::string& path, const std::string& name);

/// The matrices that --dataset chooses from when it is left out, in a file of AnnData or 10x; empty for other files.
std::vector<std::string> single_cell_matrices(const std::string& path);

}  // namespace h5score::storage
