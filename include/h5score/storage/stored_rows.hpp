// The results of a score file as bytes, whatever the layout of its columns: read in place where they lie in one piece,
// else (compressed copies) by the library in the name node.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/posix_file.hpp"
#include "h5score/storage/score_description.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::storage {

class StoredRows {
 public:
  /// `name_node` must serve stored_rows_functions(); both must outlive the object. Throws Error(io), and Error(data)
  /// where the file is no longer the one described.
  StoredRows(h5::Sandbox& name_node, const ScoreDescription& scores);

  /// True where no column needs the library; then many threads may read.
  [[nodiscard]] bool in_place() const;
  /// The rows of one column of the description, into `buffer`, which is resized. Throws Error(io), Error(data).
  void read(u64 column, base::RowRange rows, base::AlignedBuffer& buffer, const Poll& poll = {}) const;
  /// The CRC-32 of these rows of all columns, one after the other, as the ledger counts it.
  [[nodiscard]] u32 crc(base::RowRange rows, base::AlignedBuffer& buffer, const Poll& poll = {}) const;

 private:
  h5::Sandbox& name_node_;
  const ScoreDescription& scores_;
  PosixFile file_;
  std::vector<u64> row_bytes_;
};

/// To be given to the Sandbox.
std::map<std::string, h5::Sandbox::Function> stored_rows_functions();

}  // namespace h5score::storage
