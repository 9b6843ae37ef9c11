// Loops that the compiler vectorises, one per stored type and byte order.
#include "convert.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace h5score::storage {
namespace {

using base::ElementKind;

// Stands for IEEE binary16.
struct Half {
  std::uint16_t bits;
};

// By shifting the fields into a binary32 and scaling by 2^112 = the difference of the biases, which also normalises
// subnormals; infinities and NaNs, whose exponent is all ones, get binary32's.
float half_to_float(u32 half) {
  const u32 magnitude = (half & 0x7fffU) << 13;
  const u32 scaled = std::bit_cast<u32>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const u32 special = magnitude >= 0x0f800000U ? 0x7f800000U : 0U;
  return std::bit_cast<float>(scaled | special | (half & 0x8000U) << 16);
}

template <std::size_t Size>
struct Unsigned;
template <>
struct Unsigned<1> {
  using type = std::uint8_t;
};
template <>
struct Unsigned<2> {
  using type = std::uint16_t;
};
template <>
struct Unsigned<4> {
  using type = std::uint32_t;
};
template <>
struct Unsigned<8> {
  using type = std::uint64_t;
};

inline std::uint8_t swap_bytes(std::uint8_t v) {
  return v;
}
inline std::uint16_t swap_bytes(std::uint16_t v) {
  return __builtin_bswap16(v);
}
inline std::uint32_t swap_bytes(std::uint32_t v) {
  return __builtin_bswap32(v);
}
inline std::uint64_t swap_bytes(std::uint64_t v) {
  return __builtin_bswap64(v);
}

template <class Stored, bool Swap>
auto load(const std::byte* p) {
  using Bits = typename Unsigned<sizeof(Stored)>::type;
  Bits bits;
  std::memcpy(&bits, p, sizeof bits);
  if constexpr (Swap) bits = swap_bytes(bits);
  if constexpr (std::is_same_v<Stored, Half>)
    return half_to_float(bits);
  else
    return std::bit_cast<Stored>(bits);
}

template <class T, class Stored, bool Swap>
void convert(StoredElements from, T* out, u64 stride) {
  const std::byte* in = from.data;
  const u64 row_bytes = from.row_bytes;
  if (row_bytes == from.count * sizeof(Stored) && stride == from.count) {  // no gaps: one long row
    from.count *= from.rows;
    from.rows = 1;
  }
  if (from.count == 1) {
    for (u64 row = 0; row < from.rows; ++row)
      out[row * stride] = static_cast<T>(load<Stored, Swap>(in + row * row_bytes));
    return;
  }
  for (u64 row = 0; row < from.rows; ++row, in += row_bytes, out += stride) {
    T* __restrict to = out;
    if constexpr (std::is_same_v<T, Stored> && !Swap)
      std::memcpy(to, in, from.count * sizeof(T));
    else
      for (u64 i = 0; i < from.count; ++i) to[i] = static_cast<T>(load<Stored, Swap>(in + i * sizeof(Stored)));
  }
}

float round_to_half(double value) {
  if (!std::isfinite(value) || value == 0) return static_cast<float>(value);
  constexpr int least_exponent = -14;
  constexpr int fraction_bits = 10;
  constexpr double largest = 65504;
  const double step = std::ldexp(1.0, std::max(std::ilogb(value), least_exponent) - fraction_bits);
  const double rounded = std::nearbyint(value / step) * step;
  return static_cast<float>(std::abs(rounded) > largest ? std::copysign(HUGE_VAL, value) : rounded);
}

// `value` in the stored type; nullopt where it is not a whole number that an integer type holds.
template <class Stored>
auto as_stored(double value) {
  if constexpr (std::is_same_v<Stored, Half>) {
    return std::optional(round_to_half(value));
  } else if constexpr (std::is_integral_v<Stored>) {
    const double beyond = std::ldexp(1.0, std::numeric_limits<Stored>::digits);
    const double least = std::is_signed_v<Stored> ? -beyond : 0.0;
    const bool fits = value >= least && value < beyond && std::trunc(value) == value;
    return fits ? std::optional(static_cast<Stored>(value)) : std::nullopt;
  } else {
    return std::optional(static_cast<Stored>(value));
  }
}

template <class T, class Stored, bool Swap>
void mark(const StoredElements& from, std::span<const double> missing, T* out, u64 stride) {
  for (const double value : missing) {
    const auto wanted = as_stored<Stored>(value);
    if (!wanted) continue;
    for (u64 row = 0; row < from.rows; ++row)
      for (u64 i = 0; i < from.count; ++i)
        if (load<Stored, Swap>(from.data + row * from.row_bytes + i * sizeof(Stored)) == *wanted)
          out[row * stride + i] = std::numeric_limits<T>::quiet_NaN();
  }
}

template <class T, class Stored, bool Swap>
Conversion<T> functions() {
  return {convert<T, Stored, Swap>, mark<T, Stored, Swap>};
}

template <class T, bool Swap>
Conversion<T> choose(const base::ElementType& type) {
  switch (type.kind) {
    case ElementKind::signed_integer:
      if (type.size == 1) return functions<T, std::int8_t, Swap>();
      if (type.size == 2) return functions<T, std::int16_t, Swap>();
      if (type.size == 4) return functions<T, std::int32_t, Swap>();
      if (type.size == 8) return functions<T, std::int64_t, Swap>();
      break;
    case ElementKind::unsigned_integer:
      if (type.size == 1) return functions<T, std::uint8_t, Swap>();
      if (type.size == 2) return functions<T, std::uint16_t, Swap>();
      if (type.size == 4) return functions<T, std::uint32_t, Swap>();
      if (type.size == 8) return functions<T, std::uint64_t, Swap>();
      break;
    case ElementKind::floating:
      if (type.size == 2) return functions<T, Half, Swap>();
      if (type.size == 4) return functions<T, float, Swap>();
      if (type.size == 8) return functions<T, double, Swap>();
      break;
    case ElementKind::fixed_string:
      break;
  }
  throw base::Error(base::ExitCode::internal, "elements of type " + to_string(type) + " cannot be converted");
}

}  // namespace

template <class T>
Conversion<T> conversion(const base::ElementType& type) {
  const bool swap = type.big_endian != (std::endian::native == std::endian::big);
  return swap ? choose<T, true>(type) : choose<T, false>(type);
}

template Conversion<float> conversion(const base::ElementType&);
template Conversion<double> conversion(const base::ElementType&);

}  // namespace h5score::storage
