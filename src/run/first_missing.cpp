// Blocks arrive in any order; the first missing row is certain when all blocks before its own have arrived.
#include "first_missing.hpp"

#include <algorithm>

namespace h5score::run {

std::optional<u64> FirstMissing::add(u64 block, std::optional<u64> row) {
  const auto place = std::lower_bound(todo_.begin(), todo_.end(), block) - todo_.begin();
  arrived_[static_cast<u64>(place)] = true;
  while (awaited_ < todo_.size() && arrived_[awaited_]) ++awaited_;
  if (row && (!row_ || *row < *row_)) {
    row_ = row;
    block_ = block;
  }
  const bool certain = row_ && (awaited_ == todo_.size() || todo_[awaited_] > block_);
  return certain ? row_ : std::nullopt;
}

}  // namespace h5score::run
