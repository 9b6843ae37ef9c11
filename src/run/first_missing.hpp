// The first row with a missing value, whatever the order in which blocks arrive: `--missing error` names the same row
// on any number of ranks.
#pragma once

#include "h5score/base/types.hpp"

#include <optional>
#include <vector>

namespace h5score::run {

using base::u64;

class FirstMissing {
 public:
  /// `todo`: the blocks that will arrive, ascending.
  explicit FirstMissing(std::vector<u64> todo) : todo_(std::move(todo)), arrived_(todo_.size(), false) {}

  /// A block arrived; `row`: its first row with a missing value, if any. Returns the first row of all once no earlier
  /// block is awaited.
  [[nodiscard]] std::optional<u64> add(u64 block, std::optional<u64> row);

 private:
  std::vector<u64> todo_;
  std::vector<bool> arrived_;
  u64 awaited_ = 0;  ///< place in todo_ of the first block that has not arrived
  std::optional<u64> row_;
  u64 block_ = 0;  ///< that row_ lies in
};

}  // namespace h5score::run
