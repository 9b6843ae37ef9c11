// Names of an array's columns that are not of the array itself: what is done where they repeat, and where pandas keeps
// them.
#pragma once

#include "sparse_file.hpp"

#include <string>

namespace h5score::storage {

/// Gives every copy of a name that repeats a name of its own, which no model reads by accident: "TBCE
/// (ENSG00000284770)" with the identifiers `ids` where there is one for each column, else "TBCE (column 17)". `from`
/// says so.
void tell_apart(ColumnNames& columns, const ColumnNames& ids);

/// The names of the `columns` columns of `dataset` where pandas wrote it (fixed format): texts in NAME_items beside
/// NAME_values; else none. For the name node: it calls the HDF5 library.
ColumnNames pandas_items(const std::string& path, const std::string& dataset, u64 columns);

}  // namespace h5score::storage
