// Counts work so that the caller's poll function runs at least every ~0.1 ms, also inside a long tile.
#pragma once

#include "h5score/base/types.hpp"

#include <algorithm>
#include <functional>

namespace h5score::model {

using base::u64;

class Meter {
 public:
  /// `lanes`: elements per vector operation; 2^15 vector operations take 10 to 50 microseconds. `spent` lives on from
  /// tile to tile, so that many short tiles poll too.
  Meter(const std::function<void()>& poll, u64 lanes, u64& spent) : poll_(poll), limit_(lanes << 15U), spent_(spent) {}

  /// Records `work` elementary operations on elements; polls when enough have been done.
  void spend(u64 work) {
    spent_ += work;
    if (spent_ < limit_) return;
    spent_ = 0;
    if (poll_) poll_();
  }
  /// How many items of `work` operations each fit between two polls, at least `least`.
  [[nodiscard]] u64 batch(u64 work, u64 least = 1) const { return std::max(least, limit_ / std::max<u64>(work, 1)); }

 private:
  const std::function<void()>& poll_;
  u64 limit_;
  u64& spent_;
};

/// Calls body(first, count) on consecutive groups of columns, each small enough to poll between them.
template <class F>
void for_columns(u64 columns, u64 work_per_column, Meter& meter, F body) {
  const u64 step = meter.batch(work_per_column);
  for (u64 first = 0; first < columns; first += step) {
    const u64 count = std::min(step, columns - first);
    body(first, count);
    meter.spend(count * work_per_column);
  }
}

}  // namespace h5score::model
