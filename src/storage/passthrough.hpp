// Passthrough columns as the output has them.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/storage/layout.hpp"

#include "gather.hpp"

namespace h5score::storage {

/// True if the column is its array, of the output's type: nothing is to be copied.
[[nodiscard]] bool lies_as_output(const ArrayRows& rows, const StoredField& field, const PassthroughColumn& column);

/// The column's elements of `count` rows in the output's type: numbers of the other byte order are turned round,
/// shorter texts padded.
void copy_column(const ArrayRows& rows, const StoredField& field, u64 count, const PassthroughColumn& column,
                 base::AlignedBuffer& out);

}  // namespace h5score::storage
