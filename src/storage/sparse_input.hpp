// Files with sparse matrices among the files of an input.
#pragma once

#include "h5score/h5/sandbox.hpp"

#include "input_files.hpp"
#include "name_node_calls.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// Takes what the name node says of the matrix of `file`, whose first two sources are its elements. Throws
/// Error(internal) where it contradicts itself.
void keep_matrix(InputFile& file, const TableFacts& table);

/// Finds the table's columns in a matrix with other columns, by name: it may lack some, and have others.
void match_matrix(const SourceTable& table, const std::vector<std::string>& names, InputFile& file);

/// Reads where the selected rows of the file's matrix begin; first makes rows of it, of the columns in `needed`
/// (ascending), where it is stored by column.
void open_matrix(h5::Sandbox& name_node, const SourceTable& table, const std::vector<u64>& needed, InputFile& file);

/// What rows made by open_matrix() look like to the decoder.
void describe_transposed(FileFormat& format);

}  // namespace h5score::storage
