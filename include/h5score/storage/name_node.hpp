// The name node's part of reading inputs: functions for h5::Sandbox that ask the HDF5 library what datasets are.
#pragma once

#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/layout.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::storage {

/// To be given to the Sandbox that an Input is opened with (together with other modules' functions).
std::map<std::string, h5::Sandbox::Function> storage_functions();

/// One dataset of a file, as `inspect` shows it.
struct DatasetDescription {
  h5::DatasetFacts facts;
  std::string reading;     ///< "by its chunks, 3 filters decoded here", "by the name node: virtual dataset", ...
  std::string refusal;     ///< why it cannot be scored; empty: it can
  bool candidate = false;  ///< among those that --dataset chooses from when left out
};

/// A group of columns, a compound dataset or a sparse matrix, as `inspect` shows it.
struct TableDescription {
  TableKind kind = TableKind::columns;
  std::string dataset;  ///< absolute name of the group or dataset
  u64 rows = 0;
  u64 columns = 0;
  std::vector<std::string> names;     ///< of the columns; a sparse matrix may have none
  std::vector<std::string> left_out;  ///< what is no column and why: "name (text of 8 bytes)"
  bool candidate = false;             ///< among those that --dataset chooses from when left out
  std::string refusal{};              ///< why it cannot be scored, then without rows and columns; empty: it can
};

struct FileDescription {
  std::vector<DatasetDescription> datasets;
  std::vector<TableDescription> tables;
};

/// All datasets of a file and the tables that they form. Throws Error(no_input) or Error(data) naming the path.
FileDescription describe_file(h5::Sandbox& name_node, const std::string& path);

}  // namespace h5score::storage
