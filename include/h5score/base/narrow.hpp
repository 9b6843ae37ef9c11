// Checked conversions between integer types and overflow-checked arithmetic on sizes.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

#include <span>
#include <string>
#include <utility>

namespace h5score::base {

/// Converts between integer types; throws Error(internal) naming the value if it does not fit.
template <class To, class From>
[[nodiscard]] To narrow(From value) {
  if (!std::in_range<To>(value))
    throw Error(ExitCode::internal, "the integer " + std::to_string(value) + " does not fit its destination");
  return static_cast<To>(value);
}

/// a * b for sizes; throws Error(data) on overflow: such sizes only come from damaged or absurd files.
[[nodiscard]] inline u64 checked_mul(u64 a, u64 b) {
  u64 result = 0;
  if (__builtin_mul_overflow(a, b, &result))
    throw Error(ExitCode::data, "a size overflows 64 bits", std::to_string(a) + " x " + std::to_string(b));
  return result;
}

/// The product of all `factors` and `first`; throws Error(data) on overflow. Without factors it is `first`.
[[nodiscard]] inline u64 checked_product(std::span<const u64> factors, u64 first = 1) {
  for (const u64 factor : factors) first = checked_mul(first, factor);
  return first;
}

/// a + b for sizes; throws Error(data) on overflow.
[[nodiscard]] inline u64 checked_add(u64 a, u64 b) {
  u64 result = 0;
  if (__builtin_add_overflow(a, b, &result))
    throw Error(ExitCode::data, "a size overflows 64 bits", std::to_string(a) + " + " + std::to_string(b));
  return result;
}

}  // namespace h5score::base
