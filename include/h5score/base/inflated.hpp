// How large packed data of a file may become.
#pragma once

#include "h5score/base/types.hpp"

#include <algorithm>

namespace h5score::base {

/// Bytes that `packed` bytes are believed to inflate to at most. Deflate makes 1032 of one, where all are alike; what
/// takes much memory must not be as good as that, for trained parameters never are.
constexpr u64 most_inflated(u64 packed) {
  constexpr u64 always_allowed = u64{1} << 20;
  constexpr u64 much = u64{1} << 28;
  constexpr u64 best_ratio = 1100;
  constexpr u64 likely_ratio = 100;
  if (packed > ~u64{0} / best_ratio) return ~u64{0};
  return std::max({always_allowed, std::min(packed * best_ratio, much), packed * likely_ratio});
}

}  // namespace h5score::base
